"""`p2pdist.install.compliance`: each patch's age against its deadline."""

from dataclasses import replace

import pytest

from p2pdist.install.compliance import PatchStanding, is_compliant, posture

WAITING = PatchStanding("acme", "2", "high", "waiting", "waits", False, False, 100.0, 200.0)


@pytest.mark.parametrize(
    ("patch", "now", "compliant"),
    [
        (WAITING, 199.0, True),
        (WAITING, 200.0, False),
        (replace(WAITING, settled=True), 300.0, True),
        (replace(WAITING, failed=True), 199.0, True),
        (replace(WAITING, due_at=None), 1e9, True),
        (replace(WAITING, due_at=None, failed=True), 100.0, False),
        (replace(WAITING, settled=True, restart_needed=True), 199.0, True),
        (replace(WAITING, settled=True, restart_needed=True), 200.0, False),
        (replace(WAITING, settled=True, restart_needed=True, due_at=None), 100.0, False),
    ],
)
def test_cases(patch: PatchStanding, now: float, compliant: bool) -> None:
    assert is_compliant(patch, now) is compliant


def test_one_overdue_patch_or_an_old_list_makes_the_pc_not_compliant() -> None:
    settled = replace(WAITING, settled=True)
    assert posture("e", "pc", [settled], "", 300.0).compliant is True
    assert posture("e", "pc", [settled], "the catalogue is old", 300.0).compliant is False
    said = posture("e", "pc", [settled, WAITING], "", 350.0)
    assert said.compliant is False
    assert [(row.age_seconds, row.overdue_seconds) for row in said.patches] == [(250, 0), (250, 150)]


def test_a_restart_of_a_withdrawn_patch_makes_the_pc_not_compliant() -> None:
    said = posture("e", "pc", [replace(WAITING, settled=True)], "", 300.0, restarts=["gone@1"], unfinished=True)
    assert (said.compliant, said.restarts) == (False, ["gone@1"])


def test_by_a_clock_that_is_not_believed_nothing_is_overdue_and_nothing_certain() -> None:
    said = posture("e", "pc", [WAITING], "the clock", 1e9, clock_believed=False)
    assert (said.compliant, said.patches[0].compliant, said.patches[0].overdue_seconds) == (False, True, 0)
