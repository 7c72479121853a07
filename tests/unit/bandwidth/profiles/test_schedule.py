"""Windows beside changes of the clock, computed by hand; and the same as a wall clock everywhere else."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bandwidth.profiles.model import EVERY_DAY, CivilTime, Day
from bandwidth.profiles.schedule import Coverage, coverage, day_kind

BERLIN, NEW_YORK, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")
NEVER, ALWAYS = Coverage(possibly=False, certainly=False), Coverage(possibly=True, certainly=True)
PERHAPS = Coverage(possibly=True, certainly=False)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def clock(hours: int, minutes: int = 0) -> int:
    return hours * 60 + minutes


def no_holiday(_: date) -> bool:
    return False


@pytest.mark.parametrize(
    ("zone", "day", "start", "end"),
    [
        (BERLIN, "2026-03-29", clock(2), clock(3)),
        (NEW_YORK, "2026-03-08", clock(2), clock(3)),
        (LORD_HOWE, "2026-10-04", clock(2), clock(2, 30)),
    ],
)
def test_a_skipped_hour_never_matches(zone: ZoneInfo, day: str, start: int, end: int) -> None:
    midnight = utc(day) - timedelta(days=1)
    matches = [
        at
        for at in (midnight + timedelta(minutes=minute) for minute in range(0, 3 * 1440, 5))
        if coverage(CivilTime(frozenset((Day.SUN,)), start, end), at, zone, no_holiday) != NEVER
    ]
    assert matches == []


@pytest.mark.parametrize(
    ("zone", "when", "before", "opening", "middle", "closing", "after"),
    [
        # starts in the hour that comes twice: restricts from the first reading on, permits from the second
        (
            BERLIN,
            CivilTime(frozenset((Day.SUN,)), clock(2, 30), clock(6)),
            "25T00:29",
            "25T00:30",
            "25T01:29",
            "25T04:59",
            "25T05:00",
        ),
        # New York, 01:30 to 06:00
        (
            NEW_YORK,
            CivilTime(frozenset((Day.SUN,)), clock(1, 30), clock(6)),
            "01T05:29",
            "01T05:30",
            "01T06:29",
            "01T10:59",
            "01T11:00",
        ),
    ],
)
def test_a_start_in_an_hour_that_comes_twice(
    zone: ZoneInfo, when: CivilTime, before: str, opening: str, middle: str, closing: str, after: str
) -> None:
    month = "2026-10-" if zone is BERLIN else "2026-11-"
    found = [coverage(when, utc(month + text), zone, no_holiday) for text in (before, opening, middle, closing, after)]
    assert found == [NEVER, PERHAPS, PERHAPS, ALWAYS, NEVER]


def test_an_end_in_an_hour_that_comes_twice_over_midnight() -> None:
    night = CivilTime(frozenset((Day.SAT,)), clock(22), clock(2, 30))
    at = ["24T19:59", "24T20:00", "25T00:29", "25T00:30", "25T01:00", "25T01:29", "25T01:30"]
    found = [coverage(night, utc(f"2026-10-{text}"), BERLIN, no_holiday) for text in at]
    assert found == [NEVER, ALWAYS, ALWAYS, PERHAPS, PERHAPS, PERHAPS, NEVER]


def test_half_an_hour_that_comes_twice_at_lord_howe() -> None:
    window = CivilTime(frozenset((Day.SUN,)), clock(1, 45), clock(3))  # 01:30 to 02:00 comes at 14:30Z and 15:00Z
    at = ["14:44", "14:45", "15:00", "15:14", "15:15", "16:29", "16:30"]
    found = [coverage(window, utc(f"2026-04-04T{text}"), LORD_HOWE, no_holiday) for text in at]
    assert found == [NEVER, PERHAPS, PERHAPS, PERHAPS, ALWAYS, ALWAYS, NEVER]


def test_a_day_that_ends_twice_in_havana() -> None:
    # 2026-11-01 01:00 becomes 00:00: Saturday's end comes at 04:00Z and 05:00Z
    saturday = CivilTime(frozenset((Day.SAT,)))
    at = ["2026-11-01T03:59", "2026-11-01T04:00", "2026-11-01T04:59", "2026-11-01T05:00"]
    found = [coverage(saturday, utc(text), ZoneInfo("America/Havana"), no_holiday) for text in at]
    assert found == [ALWAYS, PERHAPS, PERHAPS, NEVER]


def test_a_window_over_midnight_belongs_to_the_day_it_starts_on() -> None:
    friday_night = CivilTime(frozenset((Day.FRI,)), clock(22), clock(6))
    at = ["2026-01-02T21:59", "2026-01-02T22:00", "2026-01-03T05:59", "2026-01-03T06:00", "2026-01-03T22:00"]
    assert [coverage(friday_night, utc(text), ZoneInfo("UTC"), no_holiday).possibly for text in at] == [
        False,
        True,
        True,
        False,
        False,
    ]


def test_a_leap_day_is_a_day() -> None:
    saturday = CivilTime(frozenset((Day.SAT,)))
    assert coverage(saturday, utc("2020-02-29T12:00"), ZoneInfo("UTC"), no_holiday) == ALWAYS  # a Saturday
    eve = CivilTime(
        first_date=date(2028, 2, 28), last_date=date(2028, 2, 28), start_minute=clock(23), end_minute=clock(1)
    )
    assert coverage(eve, utc("2028-02-29T00:30"), ZoneInfo("UTC"), no_holiday) == ALWAYS
    assert coverage(eve, utc("2028-03-01T00:30"), ZoneInfo("UTC"), no_holiday) == NEVER
    assert coverage(eve, utc("2028-02-29T23:30"), ZoneInfo("UTC"), no_holiday) == NEVER


def test_a_freeze_over_the_end_of_the_year() -> None:
    freeze = CivilTime(first_date=date(2026, 12, 24), last_date=date(2027, 1, 1))
    at = ["2026-12-23T22:59", "2026-12-23T23:00", "2026-12-31T23:00", "2027-01-01T22:59", "2027-01-01T23:00"]
    found = [coverage(freeze, utc(text), BERLIN, no_holiday).possibly for text in at]  # Berlin is at +01:00
    assert found == [False, True, True, True, False]


def test_a_holiday_is_no_weekday() -> None:
    def christmas(day: date) -> bool:
        return (day.month, day.day) == (12, 25)

    noon = utc("2026-12-25T12:00")  # a Friday
    assert day_kind(noon.date(), christmas) is Day.HOLIDAY
    assert coverage(CivilTime(frozenset((Day.FRI,))), noon, BERLIN, christmas) == NEVER
    assert coverage(CivilTime(frozenset((Day.HOLIDAY,))), noon, BERLIN, christmas) == ALWAYS
    assert coverage(CivilTime(EVERY_DAY, 0, 1439), noon, BERLIN, christmas) == ALWAYS


ZONES = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC", "Asia/Kolkata", "Africa/Casablanca"]
)
MINUTES = st.integers(0, 1439)


@given(ZONES, st.sets(st.sampled_from(Day), min_size=1), MINUTES, MINUTES, st.integers(0, 60 * 24 * 3650))
def test_away_from_changes_of_the_clock_a_window_is_what_a_wall_clock_says(
    zone_name: str, days: set[Day], start: int, end: int, minute: int
) -> None:
    assume(start != end)
    zone = ZoneInfo(zone_name)
    at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    offsets = {(at + timedelta(hours=hours)).astimezone(zone).utcoffset() for hours in range(-26, 27)}
    assume(len(offsets) == 1)
    local = at.astimezone(zone)
    now = local.hour * 60 + local.minute
    today, yesterday = tuple(Day)[local.weekday()], tuple(Day)[local.weekday() - 1 if local.weekday() else 6]
    if start < end:
        expected = today in days and start <= now < end
    else:
        expected = (today in days and now >= start) or (yesterday in days and now < end)
    assert coverage(CivilTime(frozenset(days), start, end), at, zone, no_holiday) == Coverage(expected, expected)


@given(ZONES, MINUTES, MINUTES, st.integers(0, 60 * 24 * 3650))
def test_what_is_certain_is_possible(zone_name: str, start: int, end: int, minute: int) -> None:
    assume(start != end)
    at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minute)
    found = coverage(CivilTime(EVERY_DAY, start, end), at, ZoneInfo(zone_name), no_holiday)
    assert found.possibly or not found.certainly
