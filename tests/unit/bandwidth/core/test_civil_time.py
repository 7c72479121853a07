"""`bandwidth.core.civil_time`: times on the wall beside changes of the clock, computed by hand, in any kind of zone."""

from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from bandwidth.core.civil_time import Span, instants_of, is_skipped, moment, stretch_of

BERLIN, NEW_YORK, LORD_HOWE = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "wall", "first", "last"),
    [
        # put forward: the only instant is the change itself
        (BERLIN, "2026-03-29T02:30", "2026-03-29T01:00", "2026-03-29T01:00"),
        (NEW_YORK, "2026-03-08T02:15", "2026-03-08T07:00", "2026-03-08T07:00"),
        (LORD_HOWE, "2026-10-04T02:10", "2026-10-03T15:30", "2026-10-03T15:30"),  # by half an hour
        (ZoneInfo("Pacific/Apia"), "2011-12-30T12:00", "2011-12-30T10:00", "2011-12-30T10:00"),  # by a day
        (ZoneInfo("Africa/Cairo"), "2026-04-24T00:00", "2026-04-23T22:00", "2026-04-23T22:00"),  # at midnight
        # put back: twice
        (BERLIN, "2026-10-25T02:30", "2026-10-25T00:30", "2026-10-25T01:30"),
        (NEW_YORK, "2026-11-01T01:30", "2026-11-01T05:30", "2026-11-01T06:30"),
        (LORD_HOWE, "2026-04-05T01:45", "2026-04-04T14:45", "2026-04-04T15:15"),
        # neither
        (BERLIN, "2026-10-25T03:00", "2026-10-25T02:00", "2026-10-25T02:00"),
        (NEW_YORK, "2026-07-04T12:00", "2026-07-04T16:00", "2026-07-04T16:00"),
        (LORD_HOWE, "2026-04-05T01:29", "2026-04-04T14:29", "2026-04-04T14:29"),
        (timezone(timedelta(hours=1)), "2026-03-29T02:30", "2026-03-29T01:30", "2026-03-29T01:30"),  # no `ZoneInfo`
        (UTC, "2026-03-29T02:30", "2026-03-29T02:30", "2026-03-29T02:30"),
    ],
)
def test_instants_of_a_wall_time(zone: tzinfo, wall: str, first: str, last: str) -> None:
    assert instants_of(datetime.fromisoformat(wall), zone) == (utc(first), utc(last))
    assert moment(datetime.fromisoformat(wall), zone, latest=True) == utc(last)


def test_skipped_times() -> None:
    assert is_skipped(datetime.fromisoformat("2026-03-29T02:00"), BERLIN)
    assert is_skipped(datetime.fromisoformat("2026-10-04T02:29"), LORD_HOWE)
    assert not is_skipped(datetime.fromisoformat("2026-10-04T02:30"), LORD_HOWE)
    assert not is_skipped(datetime.fromisoformat("2026-10-25T02:30"), BERLIN)


def test_a_moment_with_an_offset_needs_no_zone() -> None:
    value = datetime.fromisoformat("2026-10-25T02:30+02:00")
    assert [moment(value, BERLIN, latest=latest) for latest in (False, True)] == [utc("2026-10-25T00:30")] * 2
    assert moment(value.replace(tzinfo=None), BERLIN, latest=False) == utc("2026-10-25T00:30")


@pytest.mark.parametrize(
    ("day", "start", "minutes", "longest", "shortest"),
    [
        # put forward at 01:00 UTC: there is one reading
        (date(2026, 3, 29), 60, 90, ("29T00:00", "29T01:00"), ("29T00:00", "29T01:00")),
        (date(2026, 3, 29), 150, 90, ("29T01:00", "29T02:00"), ("29T01:00", "29T02:00")),
        (date(2026, 3, 29), 135, 30, ("29T01:00", "29T01:00"), ("29T01:00", "29T01:00")),  # empty
        (date(2026, 3, 28), 1_320, 420, ("28T21:00", "29T03:00"), ("28T21:00", "29T03:00")),
        # put back at 01:00 UTC: an end in the hour that comes twice has two
        (date(2026, 10, 25), 60, 90, ("24T23:00", "25T01:30"), ("24T23:00", "25T00:30")),
        (date(2026, 10, 25), 150, 90, ("25T00:30", "25T03:00"), ("25T01:30", "25T03:00")),
        (date(2026, 10, 25), 135, 30, ("25T00:15", "25T01:45"), ("25T01:15", "25T00:45")),  # the shortest is empty
        (date(2026, 10, 25), 0, 1_440, ("24T22:00", "25T23:00"), ("24T22:00", "25T23:00")),
    ],
)
def test_stretches(day: date, start: int, minutes: int, longest: tuple[str, str], shortest: tuple[str, str]) -> None:
    found = stretch_of(day, start, minutes, BERLIN)
    month = f"{day:%Y-%m}-"
    assert found == tuple(Span(utc(month + begin), utc(month + end)) for begin, end in (longest, shortest))
