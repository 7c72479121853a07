"""`p2pdist.install.schedule`: windows in civil time, deadlines with grace, deferrals, emergencies and blackouts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.install.deferral import DeferralRefusedError, defer
from p2pdist.install.schedule import (
    Conditions,
    Deferrals,
    Notice,
    Schedule,
    Timing,
    TimingReason,
    decide,
    next_opening,
    schedule_of,
)
from p2pdist.shared.manifest.recipe import ScheduleRules
from p2pdist.shared.manifest.windows import MaintenanceWindow, parse_window

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
        (at(2, 21, 59), TimingReason.NO_WINDOW, at(2, 22)),
        (at(2, 22), TimingReason.WINDOW, None),
        (at(3, 3, 59), TimingReason.WINDOW, None),
        (at(3, 4), TimingReason.NO_WINDOW, at(3, 22)),
        (at(7, 3), TimingReason.WINDOW, None),  # Friday's goes into Saturday
        (at(7, 4), TimingReason.NO_WINDOW, at(9, 22)),
    ],
)
def test_windows(now: datetime, when: TimingReason, again_at: datetime | None) -> None:
    assert decide(Schedule((NIGHT,)), NONE, now, OSLO) == Timing(when, again_at)
    assert decide(Schedule((NIGHT,)), NONE, now.astimezone(UTC), OSLO).install is (when is TimingReason.WINDOW)


def test_without_windows_at_any_time() -> None:
    assert decide(Schedule(), NONE, at(4, 12), OSLO) == Timing(TimingReason.ANY_TIME)


def test_deadline_and_grace() -> None:
    schedule = Schedule((NIGHT,), deadline=at(4, 12), grace=2 * HOUR)
    assert decide(schedule, NONE, at(4, 11), OSLO) == Timing(TimingReason.NO_WINDOW, at(4, 14))
    assert decide(schedule, NONE, at(4, 13, 59), OSLO) == Timing(TimingReason.NO_WINDOW, at(4, 14))
    assert decide(schedule, NONE, at(4, 14), OSLO) == Timing(TimingReason.OVERDUE)
    assert decide(schedule, Deferrals(1, at(9, 0)), at(4, 14), OSLO).install


def test_not_before() -> None:
    schedule = Schedule(not_before=at(4, 12))
    assert decide(schedule, NONE, at(4, 11), OSLO) == Timing(TimingReason.NOT_BEFORE, at(4, 12))
    assert decide(schedule, NONE, at(4, 12), OSLO).install


def test_an_emergency_ignores_windows_but_no_blackout() -> None:
    schedule = Schedule((NIGHT,), not_before=at(9, 0), emergency=True)
    assert decide(schedule, Deferrals(1, at(9, 0)), at(4, 12), OSLO) == Timing(TimingReason.EMERGENCY)
    blacked = decide(schedule, NONE, at(4, 12), OSLO, Conditions(at(4, 18)))
    assert blacked == Timing(TimingReason.BLACKOUT, at(4, 18))
    assert decide(schedule, NONE, at(4, 18), OSLO, Conditions(at(4, 18))).install


class TestAClockThatIsNotBelieved:
    DOUBTED = Conditions(clock_believed=False)

    @pytest.mark.parametrize(
        ("schedule", "deferrals"),
        [
            (Schedule((NIGHT,)), NONE),
            (Schedule((NIGHT,), deadline=at(1, 12)), NONE),
            (Schedule(not_before=at(1, 12)), NONE),
            (Schedule(deferrals=1), Deferrals(1, at(1, 12))),
        ],
    )
    def test_opens_nothing_and_makes_nothing_overdue(self, schedule: Schedule, deferrals: Deferrals) -> None:
        assert decide(schedule, deferrals, at(3, 2), OSLO).install, "by a clock that is believed"
        assert decide(schedule, deferrals, at(3, 2), OSLO, self.DOUBTED) == Timing(TimingReason.CLOCK)

    def test_what_asks_for_no_time_goes_on(self) -> None:
        assert decide(Schedule((NIGHT,), emergency=True), NONE, at(2, 9), OSLO, self.DOUBTED).install
        assert decide(Schedule(deadline=at(1, 12)), NONE, at(2, 9), OSLO, self.DOUBTED) == Timing(TimingReason.ANY_TIME)


class TestWhatIsLeftOfAWindow:
    @pytest.mark.parametrize(
        ("needs", "now", "expected"),
        [
            (HOUR, at(3, 2, 59), Timing(TimingReason.WINDOW)),
            (HOUR, at(3, 3), Timing(TimingReason.WINDOW)),
            (HOUR, at(3, 3, 1), Timing(TimingReason.TOO_SHORT, at(3, 22))),
            (HOUR, at(3, 4), Timing(TimingReason.NO_WINDOW, at(3, 22))),
            (HOUR, at(7, 3, 1), Timing(TimingReason.TOO_SHORT, at(9, 22))),  # Friday's, into Saturday
            (6 * HOUR, at(2, 12), Timing(TimingReason.NO_WINDOW, at(2, 22))),
            (7 * HOUR, at(2, 12), Timing(TimingReason.FITS_NEVER)),
        ],
    )
    def test_nothing_begins_that_does_not_fit(self, needs: timedelta, now: datetime, expected: Timing) -> None:
        assert decide(Schedule((NIGHT,), needs=needs), NONE, now, OSLO) == expected

    def test_what_fits_nowhere_waits_for_its_deadline(self) -> None:
        schedule = Schedule((NIGHT,), needs=7 * HOUR, deadline=at(4, 12), grace=HOUR)
        assert decide(schedule, NONE, at(2, 23), OSLO) == Timing(TimingReason.FITS_NOWHERE, at(4, 13))
        assert decide(schedule, NONE, at(4, 13), OSLO) == Timing(TimingReason.OVERDUE)

    def test_windows_that_touch_are_one(self) -> None:
        windows = tuple(map(parse_window, ("fri 22:00-24:00", "sat 00:00-03:00")))
        assert decide(Schedule(windows, needs=4 * HOUR), NONE, at(6, 22, 30), OSLO) == Timing(TimingReason.WINDOW)
        assert not decide(Schedule(windows[:1], needs=4 * HOUR), NONE, at(6, 22, 30), OSLO).install

    def test_a_night_that_the_clock_makes_shorter_may_be_too_short(self) -> None:
        schedule = Schedule((parse_window("sun 01:00-04:00"),), needs=3 * HOUR)  # two hours on 2026-03-29
        saturday = datetime(2026, 3, 28, 12, tzinfo=OSLO)
        assert decide(schedule, NONE, saturday, OSLO).again_at == datetime(2026, 4, 5, 1, tzinfo=OSLO)


class TestAPcThatWasOff:
    SCHEDULE = Schedule((NIGHT,), deadline=at(4, 12), grace=2 * HOUR)

    @staticmethod
    def returned(overdue: datetime, seen: datetime) -> Conditions:
        return Conditions(notice=Notice(overdue.astimezone(UTC), seen.astimezone(UTC)))

    def test_has_its_grace_from_its_return(self) -> None:
        around = self.returned(at(5, 9), at(5, 9))
        assert decide(self.SCHEDULE, NONE, at(5, 9, 1), OSLO, around) == Timing(TimingReason.NO_WINDOW, at(5, 11))
        assert decide(self.SCHEDULE, NONE, at(5, 11), OSLO, around) == Timing(TimingReason.OVERDUE)

    def test_is_not_put_off_by_being_turned_off_again_but_has_a_notice(self) -> None:
        around = self.returned(at(5, 9), at(6, 9))
        assert decide(self.SCHEDULE, NONE, at(6, 9), OSLO, around).again_at == at(6, 9, 15)
        assert decide(self.SCHEDULE, NONE, at(6, 9, 15), OSLO, around) == Timing(TimingReason.OVERDUE)

    def test_without_grace_there_is_none(self) -> None:
        without = replace(self.SCHEDULE, grace=timedelta(0))
        assert decide(without, NONE, at(5, 9), OSLO, self.returned(at(5, 9), at(5, 9))).install


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def open_stretches(window: str, zone: tzinfo, since: str, hours: int) -> list[tuple[datetime, datetime]]:
    """Return when ``window`` opens and closes, as a PC that looks each minute of ``hours`` sees it."""
    windows = [parse_window(window)]
    minutes = [utc(since) + timedelta(minutes=n) for n in range(hours * 60)]
    found: list[tuple[datetime, datetime]] = []
    for now in minutes:
        if next_opening(windows, now, zone) == now:
            opened = found.pop()[0] if found and found[-1][1] == now else now
            found.append((opened, now + timedelta(minutes=1)))
    return found


CAIRO, BEIRUT, ASUNCION, APIA, LORD_HOWE, NUUK, HAVANA = (
    ZoneInfo(name)
    for name in (
        "Africa/Cairo", "Asia/Beirut", "America/Asuncion", "Pacific/Apia", "Australia/Lord_Howe", "America/Nuuk",
        "America/Havana",
    )
)  # fmt: skip


class TestClockChanges:
    """In Oslo, 2026-03-29 has no hour from 2 to 3, and 2026-10-25 has it twice; both change at 01:00 UTC."""

    @pytest.mark.parametrize(
        ("zone", "window", "opens", "closes"),
        [
            # put forward
            (OSLO, "sun 02:00-03:00", "2026-03-29T01:00", "2026-03-29T02:00"),
            (OSLO, "sun 02:15-02:45", "2026-03-29T01:00", "2026-03-29T01:30"),
            (OSLO, "sun 02:59-03:00", "2026-03-29T01:00", "2026-03-29T01:01"),
            (OSLO, "sun 01:00-02:30", "2026-03-29T00:00", "2026-03-29T01:00"),
            (OSLO, "sun 01:59-02:30", "2026-03-29T00:59", "2026-03-29T01:00"),
            (OSLO, "sun 02:30-03:01", "2026-03-29T01:00", "2026-03-29T01:01"),
            (OSLO, "sun 02:30-04:00", "2026-03-29T01:00", "2026-03-29T02:00"),
            (OSLO, "sun 01:00-04:00", "2026-03-29T00:00", "2026-03-29T02:00"),
            (OSLO, "sat 22:00-02:30", "2026-03-28T21:00", "2026-03-29T01:00"),
            (OSLO, "sun 03:00-04:00", "2026-03-29T01:00", "2026-03-29T02:00"),
            (OSLO, "sun 00:00-24:00", "2026-03-28T23:00", "2026-03-29T22:00"),
            (LORD_HOWE, "sun 02:00-02:30", "2026-10-03T15:30", "2026-10-03T16:00"),  # by half an hour
            # put forward at midnight
            (CAIRO, "fri 00:00-01:00", "2026-04-23T22:00", "2026-04-23T23:00"),
            (CAIRO, "thu 23:00-24:00", "2026-04-23T21:00", "2026-04-23T22:00"),
            (CAIRO, "thu 23:00-00:30", "2026-04-23T21:00", "2026-04-23T22:00"),
            (CAIRO, "fri 00:00-24:00", "2026-04-23T22:00", "2026-04-24T21:00"),
            (BEIRUT, "sun 00:15-00:45", "2026-03-28T22:00", "2026-03-28T22:30"),
            (ASUNCION, "sun 00:00-00:30", "2023-10-01T04:00", "2023-10-01T04:30"),
            (NUUK, "sat 23:00-24:00", "2026-03-29T01:00", "2026-03-29T02:00"),  # it opens on Sunday
            # by a day: 2011-12-30, a Friday
            (APIA, "fri 22:00-23:00", "2011-12-30T10:00", "2011-12-30T11:00"),
            (APIA, "fri 00:00-24:00", "2011-12-30T10:00", "2011-12-31T10:00"),
            (APIA, "thu 22:00-04:00", "2011-12-30T08:00", "2011-12-30T10:00"),
            (APIA, "fri 22:00-02:00", "2011-12-30T10:00", "2011-12-30T12:00"),
            # put back
            (OSLO, "sun 02:00-03:00", "2026-10-25T01:00", "2026-10-25T02:00"),
            (OSLO, "sun 02:15-02:45", "2026-10-25T01:15", "2026-10-25T01:45"),
            (OSLO, "sun 02:00-02:30", "2026-10-25T01:00", "2026-10-25T01:30"),
            (OSLO, "sun 01:00-02:30", "2026-10-24T23:00", "2026-10-25T00:30"),
            (OSLO, "sun 01:00-02:00", "2026-10-24T23:00", "2026-10-25T00:00"),
            (OSLO, "sun 02:30-04:00", "2026-10-25T01:30", "2026-10-25T03:00"),
            (OSLO, "sat 22:00-02:30", "2026-10-24T20:00", "2026-10-25T00:30"),
            (OSLO, "sun 01:00-04:00", "2026-10-24T23:00", "2026-10-25T03:00"),  # nothing of it is in doubt
            (CAIRO, "thu 23:00-24:00", "2026-10-29T21:00", "2026-10-29T22:00"),
            (LORD_HOWE, "sun 01:30-02:00", "2026-04-04T15:00", "2026-04-04T15:30"),
            # neither
            (OSLO, "sun 02:00-03:00", "2026-05-03T00:00", "2026-05-03T01:00"),
            (timezone(timedelta(hours=5, minutes=30)), "sun 02:00-03:00", "2026-03-28T20:30", "2026-03-28T21:30"),
        ],
    )
    def test_a_window_is_open_by_a_clock_that_exists(self, zone: tzinfo, window: str, opens: str, closes: str) -> None:
        before = utc(opens) - timedelta(hours=30)
        assert open_stretches(window, zone, before.replace(tzinfo=None).isoformat(), 72) == [(utc(opens), utc(closes))]
        waiting = decide(Schedule((parse_window(window),)), NONE, before, zone)
        assert waiting == Timing(TimingReason.NO_WINDOW, utc(opens))

    def test_a_pc_that_waits_is_told_a_time_that_exists(self) -> None:
        told = decide(Schedule((parse_window("sun 02:00-03:00"),)), NONE, datetime(2026, 3, 28, 12, tzinfo=OSLO), OSLO)
        assert told.again_at is not None
        assert f"{told.again_at.astimezone(OSLO):%a %H:%M}" == "Sun 03:00"

    @pytest.mark.parametrize(
        ("text", "instant"),
        [
            ("2026-03-29T02:30", "2026-03-29T01:00"),  # skipped: the change
            ("2026-10-25T02:30", "2026-10-25T01:30"),  # twice: the later one
            ("2026-10-25T02:30+02:00", "2026-10-25T00:30"),
        ],
    )
    def test_release_and_deadline_in_civil_time(self, text: str, instant: str) -> None:
        schedule = schedule_of(ScheduleRules(not_before=text, deadline=text, grace_minutes=30), OSLO)
        assert (schedule.not_before, schedule.deadline) == (utc(instant), utc(instant))
        assert schedule.forced_at == utc(instant) + HOUR / 2

    @pytest.mark.parametrize(
        ("zone", "day", "begins", "ends"),
        [
            (OSLO, "2026-07-01", "2026-06-30T22:00", "2026-07-01T22:00"),
            (OSLO, "2026-03-29", "2026-03-28T23:00", "2026-03-29T22:00"),
            (CAIRO, "2026-04-23", "2026-04-22T22:00", "2026-04-23T22:00"),  # the next midnight is skipped
            (CAIRO, "2026-10-29", "2026-10-28T21:00", "2026-10-29T22:00"),  # the hour before it comes twice
            (
                HAVANA,
                "2026-10-31",
                "2026-10-31T04:00",
                "2026-11-01T04:00",
            ),  # it comes twice: the first
            (APIA, "2011-12-29", "2011-12-29T10:00", "2011-12-30T10:00"),  # the next day is skipped
        ],
    )
    def test_a_bare_date_is_a_release_at_its_beginning_and_a_deadline_at_its_end(
        self, zone: tzinfo, day: str, begins: str, ends: str
    ) -> None:
        schedule = schedule_of(ScheduleRules(not_before=day, deadline=day), zone)
        assert (schedule.not_before, schedule.deadline) == (utc(begins), utc(ends) - timedelta(seconds=1))

    def test_grace_and_deferrals_last_as_long_as_they_say(self) -> None:
        """Python's arithmetic within a zone is that of the wall clock; these lengths really pass."""
        before = datetime(2026, 3, 29, 1, 30, tzinfo=OSLO)
        assert Schedule(deadline=before, grace=HOUR).forced_at == utc("2026-03-29T01:30")
        allowing = Schedule(deferrals=1, longest_deferral=24 * HOUR)
        saturday = datetime(2026, 3, 28, 12, tzinfo=OSLO)
        assert defer(allowing, NONE, saturday, 24 * HOUR, OSLO, Notice()).until == utc("2026-03-29T11:00")

    def test_the_later_of_two_readings_is_later(self) -> None:
        first = datetime(2026, 10, 25, 2, 30, tzinfo=OSLO, fold=0)
        later = datetime(2026, 10, 25, 2, 10, tzinfo=OSLO, fold=1)
        assert decide(Schedule(), Deferrals(1, first), later, OSLO).install
        assert decide(Schedule(not_before=first), NONE, later, OSLO).install
        assert decide(Schedule((NIGHT,), deadline=first), NONE, later, OSLO) == Timing(TimingReason.OVERDUE)
        assert decide(Schedule(), NONE, later, OSLO, Conditions(first)).install
        with pytest.raises(DeferralRefusedError, match="deadline is over"):
            defer(Schedule(deadline=first, deferrals=1), NONE, later, HOUR, OSLO, Notice())
        sunday = parse_window("sun 02:00-02:30")  # the second time
        assert next_opening([sunday], first, OSLO) == utc("2026-10-25T01:00")

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
        decision = decide(schedule, Deferrals(1, deferred), now, OSLO, Conditions(blackout))
        if decision.install:
            return
        assert decision.again_at is not None
        assert decision.again_at > now, "waiting gets on"
        now = decision.again_at
    raise AssertionError("never installed")
