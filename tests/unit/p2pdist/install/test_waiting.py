"""`p2pdist.install.waiting`: what waits though nothing has failed, and for how long."""

import pytest
from msgspec.structs import replace

from p2pdist.install.lifecycle import InstallRecord, LifeState, PutOff
from p2pdist.install.waiting import (
    AFTER_RESTART_SECONDS,
    ASK_WAITS,
    BUSY_WAITS,
    MAX_REPAIRS,
    MAX_UNDOINGS,
    put_off,
    repairable,
    restarted,
    restarted_lately,
    undoable,
    waits,
)

RECORD = InstallRecord(patch_id="acme", version="2", state="waiting", first_seen_at=1.0, changed_at=1.0)


@pytest.mark.parametrize(("how", "longest"), [(BUSY_WAITS, 900.0), (ASK_WAITS, 3_600.0)])
def test_waits_double_up_to_the_longest_and_count_as_no_attempt(how: tuple[float, float], longest: float) -> None:
    record, delays = RECORD, []
    for _ in range(10):
        record = put_off(record, 100.0, 1.0, "busy", how)
        assert record.retry_at is not None
        delays.append(record.retry_at - 100.0)
    assert delays[:3] == [60.0, 120.0, 240.0]
    assert delays[-1] == longest
    assert (record.put_off, record.attempts, record.reason) == (PutOff(count=10, since=100.0), {}, "busy")


def test_a_clock_that_was_ahead_makes_nothing_wait_for_ever() -> None:
    record = replace(RECORD, retry_at=500.0)
    assert [waits(record, now) for now in (499.0, 500.0, -1e9)] == [True, False, False]
    assert not waits(RECORD, 0.0)


def test_repairs_and_undoings_are_bounded() -> None:
    assert [repairable(replace(RECORD, interrupted=n)) for n in (0, MAX_REPAIRS, MAX_REPAIRS + 1)] == [
        True,
        True,
        False,
    ]
    most = MAX_REPAIRS + MAX_UNDOINGS
    assert [undoable(replace(RECORD, interrupted=n)) for n in (most, most + 1)] == [True, False]


@pytest.mark.parametrize("needed", [True, False])
def test_what_could_not_be_proven_is_asked_for_again_after_a_restart(needed: bool) -> None:
    record = replace(
        RECORD, state="unproven", begun_boot="one", restart_boot="one" if needed else None, retry_at=9e9
    )  # fmt: skip
    assert restarted(record, "one", 50.0) == record
    after = restarted(record, "two", 50.0)
    assert (after.state, after.restart_boot, after.restarted_at, after.retry_at) == ("detecting", None, 50.0, None)
    assert restarted(after, "two", 60.0) == after, "once"


@pytest.mark.parametrize("state", ["installed", "rolled_back", "failed"])
def test_a_restart_that_was_needed_is_over_and_nothing_else_changes(state: LifeState) -> None:
    record = replace(RECORD, state=state, begun_boot="one", restart_boot="one")
    assert restarted(record, "two", 50.0) == replace(record, restart_boot=None)
    assert restarted(replace(record, restart_boot=None), "two", 50.0) == replace(record, restart_boot=None)


def test_an_installation_that_the_restart_itself_cut_off_gets_time_too() -> None:
    after = restarted(replace(RECORD, state="installing", begun_boot="one"), "two", 50.0)
    assert (after.state, after.restarted_at) == ("installing", 50.0)
    assert restarted_lately(after, 50.0 + AFTER_RESTART_SECONDS - 1)
    assert not restarted_lately(after, 50.0 + AFTER_RESTART_SECONDS)
    assert not restarted_lately(after, 40.0), "a clock that was set back"
    assert not restarted_lately(RECORD, 50.0)
