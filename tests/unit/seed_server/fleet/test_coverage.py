"""Every PC that is allowed here is in exactly one class, whatever it has said."""

import itertools
import typing

import pytest
from msgspec.structs import replace

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.wire.messages import InstallState, PatchState
from seed_server.fleet.coverage import Announced, Reached, coverage, reached, replaced
from tests.helpers.large_fleet import enrolled, reported, served

REPORT = reported(1, served(1), 1)
STATES = list(itertools.product(typing.get_args(PatchState), typing.get_args(InstallState)))


@pytest.mark.parametrize(("state", "install"), STATES)
@pytest.mark.parametrize("connected", [True, False])
def test_a_pc_is_in_one_class_and_a_failure_is_never_hidden(state: str, install: str, *, connected: bool) -> None:
    report = replace(REPORT, state=state, install=install)
    covered = coverage([replace(enrolled(1), connected=connected)], [report], serving=True)
    assert covered.total == 1
    if install in ("failed", "rolled_back") or (state == "failed" and install != "not_applicable"):
        assert covered.count(Reached.FAILED) == 1
    if covered.count(Reached.INSTALLED):
        assert (state, install) == ("verified", "installed")
    if covered.count(Reached.AWAY):
        assert not connected


def test_a_server_that_does_not_serve_has_nobody_connected() -> None:
    fetching = replace(REPORT, state="fetching", install="")
    assert reached(enrolled(1), fetching, serving=True) is Reached.UNDER_WAY
    assert reached(enrolled(1), fetching, serving=False) is Reached.AWAY


@pytest.mark.parametrize("pending", [True, False])
def test_denied_and_pending_pcs_are_not_counted(*, pending: bool) -> None:
    assert coverage([replace(enrolled(1), denied=True, pending=pending)], [REPORT], serving=True).total == 0


def test_what_is_offered_withdrawn_or_cut_off_is_no_history() -> None:
    old, withdrawn, other, new = (
        served(1, version="1"), served(1, version="2"), served(2, version="1"), served(1, version="3"),
    )  # fmt: skip
    cut_off = served(3, version="1")
    announced = Announced(frozenset({new.ref}), {withdrawn.ref: "broken"}, frozenset({cut_off.ref}))
    assert replaced([old, withdrawn, other, new, cut_off], announced) == {old.ref: "3", other.ref: ""}
    assert replaced([old, new], Announced(None)) == {}, "nobody knows"
    assert PatchRef("acme-product-01", "1") == old.ref
