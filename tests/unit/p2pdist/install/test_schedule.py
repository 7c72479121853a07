"""`p2pdist.install.schedule`: windows in civil time, deadlines with grace, deferrals, emergencies and blackouts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.install.schedule import (
    Decision,
    DeferralRefusedError,
    Deferrals,
    Schedule,
    When,
    decide,
    defer,
    next_opening,
)
from p2pdist.shared.manifest.windows import MaintenanceWindow

OSLO = ZoneInfo("Europe/Oslo")
NIGHT = MaintenanceWindow(frozenset(range(5)), 22 * 60, 6 * 60)  # Monday to Friday, 22:00 to 04:00
HOUR = timedelta(hours=1)
NONE = Deferrals()


def at(day: int, hour: int, minute: int = 0) -> datetime:
    """November 2026 in Oslo; the 2nd is a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=OSLO)


@pytest.mark.parametrize(
    ("now", "when", "again_at"),
    [
        (at(2, 21, 59), When.NO_WINDOW, at(2, 22)),
        (at(2, 22), When.WINDOW, None),
        (at(3, 3, 59), When.WINDOW, None),
        (at(3, 4), When.NO_WINDOW, at(3, 22)),
        (at(7, 3), When.WINDOW, None),  # Friday's goes into Saturday
        (at(7, 4), When.NO_WINDOW, at(9, 22)),
    ],
)
def test_windows(now: datetime, when: When, again_at: datetime | None) -> None:
    assert decide(Schedule((NIGHT,)), NONE, now, OSLO) == Decision(when, again_at)
    assert decide(Schedule((NIGHT,)), NONE, now.astimezone(UTC), OSLO).install is (when is When.WINDOW)


def test_without_windows_at_any_time() -> None:
    assert decide(Schedule(), NONE, at(4, 12), OSLO) == Decision(When.ANY_TIME)


def test_deadline_and_grace() -> None:
    schedule = Schedule((NIGHT,), deadline=at(4, 12), grace=2 * HOUR)
    assert decide(schedule, NONE, at(4, 11), OSLO) == Decision(When.NO_WINDOW, at(4, 14))
    assert decide(schedule, NONE, at(4, 13, 59), OSLO) == Decision(When.NO_WINDOW, at(4, 14))
    assert decide(schedule, NONE, at(4, 14), OSLO) == Decision(When.OVERDUE)
    assert decide(schedule, Deferrals(1, at(9, 0)), at(4, 14), OSLO).install


def test_not_before() -> None:
    schedule = Schedule(not_before=at(4, 12))
    assert decide(schedule, NONE, at(4, 11), OSLO) == Decision(When.NOT_BEFORE, at(4, 12))
    assert decide(schedule, NONE, at(4, 12), OSLO).install


def test_an_emergency_ignores_windows_but_no_blackout() -> None:
    schedule = Schedule((NIGHT,), not_before=at(9, 0), emergency=True)
    assert decide(schedule, Deferrals(1, at(9, 0)), at(4, 12), OSLO) == Decision(When.EMERGENCY)
    blacked = decide(schedule, NONE, at(4, 12), OSLO, blackout_until=at(4, 18))
    assert blacked == Decision(When.BLACKOUT, at(4, 18))
    assert decide(schedule, NONE, at(4, 18), OSLO, blackout_until=at(4, 18)).install


class TestDeferral:
    SCHEDULE = Schedule(deadline=at(4, 12), grace=HOUR, deferrals=2, longest_deferral=4 * HOUR)

    def test_counts_and_ends(self) -> None:
        first = defer(self.SCHEDULE, NONE, at(2, 9), 2 * HOUR)
        assert first == Deferrals(1, at(2, 11))
        assert decide(self.SCHEDULE, first, at(2, 10), OSLO) == Decision(When.DEFERRED, at(2, 11))
        assert decide(self.SCHEDULE, first, at(2, 11), OSLO).install
        second = defer(self.SCHEDULE, first, at(2, 11), 99 * HOUR)
        assert second == Deferrals(2, at(2, 15)), "no longer than is allowed"
        with pytest.raises(DeferralRefusedError, match="deferred 2 times, and 2 are allowed"):
            defer(self.SCHEDULE, second, at(2, 16), HOUR)

    def test_never_beyond_the_deadline(self) -> None:
        assert defer(self.SCHEDULE, NONE, at(4, 11), 3 * HOUR).until == at(4, 12)
        with pytest.raises(DeferralRefusedError, match="deadline is over"):
            defer(self.SCHEDULE, NONE, at(4, 12), HOUR)

    def test_where_it_is_not_allowed(self) -> None:
        with pytest.raises(DeferralRefusedError, match="cannot be deferred"):
            defer(Schedule(), NONE, at(2, 9), HOUR)
        with pytest.raises(DeferralRefusedError, match="emergency"):
            defer(replace(self.SCHEDULE, emergency=True), NONE, at(2, 9), HOUR)

    def test_a_negative_wish_is_none(self) -> None:
        assert defer(self.SCHEDULE, NONE, at(2, 9), -HOUR).until == at(2, 9)


class TestClockChanges:
    """In Oslo, 2026-03-29 has no hour from 2 to 3, and 2026-10-25 has it twice."""

    WINDOW = MaintenanceWindow(frozenset(range(7)), 60, 180)  # 01:00 to 04:00

    @pytest.mark.parametrize(("day", "hours"), [((2026, 3, 29), 2), ((2026, 10, 25), 4), ((2026, 5, 1), 3)])
    def test_a_window_is_as_long_as_the_night(self, day: tuple[int, int, int], hours: int) -> None:
        start = datetime(*day, 0, 0, tzinfo=OSLO).astimezone(UTC)
        minutes = [start + timedelta(minutes=n) for n in range(6 * 60)]
        opened = [now for now in minutes if next_opening([self.WINDOW], now, OSLO) == now]
        assert len(opened) == hours * 60
        assert opened == minutes[60 : 60 + hours * 60]


@pytest.mark.parametrize(
    "wrong", [(set(), 0, 1), ({7}, 0, 1), ({0}, 1_440, 1), ({0}, -1, 1), ({0}, 0, 0), ({0}, 0, 1_441)]
)
def test_no_window(wrong: tuple[set[int], int, int]) -> None:
    with pytest.raises(ValueError, match="a window"):
        MaintenanceWindow(frozenset(wrong[0]), *wrong[1:])


YEAR_MINUTES = 365 * 24 * 60
TIMES = st.integers(0, YEAR_MINUTES).map(lambda n: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=n))
WINDOWS = st.builds(
    MaintenanceWindow, st.frozensets(st.integers(0, 6), min_size=1), st.integers(0, 1_439), st.integers(1, 1_440)
)


@given(
    st.builds(
        Schedule, st.lists(WINDOWS, max_size=3).map(tuple), st.none() | TIMES, st.none() | TIMES,
        st.timedeltas(timedelta(0), timedelta(days=3)), emergency=st.booleans(),
    ),
    TIMES, st.none() | TIMES, st.none() | TIMES,
)  # fmt: skip
def test_any_schedule_ends_in_an_installation(
    schedule: Schedule, now: datetime, deferred: datetime | None, blackout: datetime | None
) -> None:
    for _ in range(10):
        decision = decide(schedule, Deferrals(1, deferred), now, OSLO, blackout_until=blackout)
        if decision.install:
            return
        assert decision.again_at is not None
        assert decision.again_at > now, "waiting gets on"
        now = decision.again_at
    raise AssertionError("never installed")
