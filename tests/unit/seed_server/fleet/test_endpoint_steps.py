"""`seed_server.fleet.endpoint_steps`: what one PC did, the newest first, each step on one page."""

import pytest

from p2pdist.shared.errors import UserError
from p2pdist.shared.wire.messages import PatchReport, PatchState
from seed_server.fleet.endpoint_steps import read_steps
from seed_server.store.event_rows import HistoryRow
from tests.helpers.rollout_company import OTHERS, Company

PC = OTHERS[0]
PATCHES = [f"p-{number}" for number in range(7)]


def say(company: Company, state: PatchState) -> None:
    reports = [
        PatchReport(patch_id=name, version="1", state=state, progress=0.0, bytes_from_origin=0, bytes_from_peers=0,
                    seconds=1.0, bytes_wasted=0, error="", install="")
        for name in PATCHES
    ]  # fmt: skip
    company.database.save_reports({PC: reports}, company.clock.now())


@pytest.fixture
def busy(company: Company) -> Company:
    """All patches say the same in one second, twice."""
    for name in PATCHES:
        company.publish_to_nobody(name, company.context.home.root)
    states: tuple[PatchState, ...] = ("waiting", "fetching")
    for state in states:
        say(company, state)
        company.clock.wall += 60.0
    return company


def all_steps(company: Company, size: int, patch: str = "", before: float | None = None) -> list[HistoryRow]:
    rows: list[HistoryRow] = []
    after = ""
    while True:
        page = read_steps(company.context, PC, patch=patch, before=before, size=size, after=after)
        rows += page.rows
        if not (after := page.after):
            return rows
        assert len(page.rows) == size


@pytest.mark.parametrize("size", [1, 3, 7, 13, 14, 15, 100])
def test_pages_have_each_step_once(busy: Company, size: int) -> None:
    rows = all_steps(busy, size)
    assert [row.state for row in rows] == ["fetching"] * 7 + ["waiting"] * 7
    assert {(row.patch_id, row.state) for row in rows} == {(p, s) for p in PATCHES for s in ("fetching", "waiting")}


@pytest.mark.parametrize("size", [1, 5, 7, 8])
def test_steps_before_a_moment_are_asked_for(busy: Company, size: int) -> None:
    second = busy.clock.now() - 60.0
    assert [row.state for row in all_steps(busy, size, before=second)] == ["waiting"] * 7
    assert [row.state for row in all_steps(busy, size, before=second + 1.0)] == ["fetching"] * 7 + ["waiting"] * 7
    assert [row.state for row in all_steps(busy, size, "p-3", second)] == ["waiting"]
    assert all_steps(busy, size, before=second - 60.0) == []


def test_steps_of_one_patch_are_asked_for(busy: Company) -> None:
    for patch in ("p-3", "p-3@1"):
        assert [(row.patch_id, row.state) for row in all_steps(busy, 1, patch)] == [
            ("p-3", "fetching"), ("p-3", "waiting"),
        ]  # fmt: skip
    assert all_steps(busy, 5, "p-3@2") == all_steps(busy, 5, "nothing") == []
    for after in ("x", "1-12345", "1"):
        with pytest.raises(UserError, match="--after"):
            read_steps(busy.context, PC, size=1, after=after)
