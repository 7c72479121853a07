"""`seed_server.origin.line_hours`: what a site's line carried, and who was connected, hour by hour."""

from seed_server.origin import line_hours
from seed_server.origin.line_hours import LineHours
from seed_server.store.plan_rows import WatchedHour, hour_of_week

MONDAY = 1_800_230_400.0  # 2027-01-18 00:00 UTC


def test_an_hour_is_told_once_when_it_is_over() -> None:
    hours = LineHours(MONDAY)
    hours.seen("a", "osaka", MONDAY, connected=True)
    hours.seen("b", "osaka", MONDAY + 1_800, connected=True)
    hours.sending("osaka", 100.0, MONDAY + 10)
    hours.sent("osaka", 5_000, MONDAY + 20)
    hours.sending("osaka", 160.0, MONDAY + 70)
    assert hours.take(MONDAY + 3_599) == []
    assert hours.take(MONDAY + 3_601) == [WatchedHour("osaka", MONDAY, 3_600.0, 3_600.0 + 1_800.0, 0, 60.0, 5_000)]
    assert hours.take(MONDAY + 3_602) == []
    assert hours.take(MONDAY + 7_200) == [WatchedHour("osaka", MONDAY + 3_600, 3_600.0, 7_200.0, 0, 0.0, 0)]


def test_a_pc_that_moves_or_goes_is_counted_where_it_was() -> None:
    hours = LineHours(MONDAY)
    hours.seen("a", "osaka", MONDAY, connected=True)
    hours.seen("a", "osaka", MONDAY + 5, connected=True)
    hours.seen("a", "kobe", MONDAY + 600, connected=True)
    hours.seen("a", "kobe", MONDAY + 1_600, connected=False)
    hours.seen("a", "kobe", MONDAY + 1_700, connected=False)
    told = {one.site: one.pc_seconds for one in hours.take(MONDAY + 3_600)}
    assert told == {"osaka": 600.0, "kobe": 1_000.0}


def test_a_pc_that_comes_after_hours_is_an_arrival() -> None:
    hours = LineHours(MONDAY)
    hours.seen("a", "osaka", MONDAY + 60, connected=True)  # of it nobody knows whether it was here before
    hours.seen("a", "osaka", MONDAY + 120, connected=False)
    hours.seen("a", "osaka", MONDAY + 3_000, connected=True)  # it was restarted
    hours.seen("b", "osaka", MONDAY + 3_100, connected=True)
    hours.seen("b", "osaka", MONDAY + 3_200, connected=False)
    assert hours.take(MONDAY + 3_600)[0].arrivals == 0
    for hour in (2, 3, 4):
        hours.take(MONDAY + 3_600 * hour)
    hours.seen("b", "osaka", MONDAY + 3_200 + line_hours.ARRIVES_AFTER_SECONDS, connected=True)
    hours.seen("c", "osaka", MONDAY + 3_300 + line_hours.ARRIVES_AFTER_SECONDS, connected=True)
    assert hours.take(MONDAY + 3_600 * 5 + 1)[0].arrivals == 2


def test_what_was_not_watched_is_missing() -> None:
    """The server began in the middle of an hour, and then its machine slept."""
    hours = LineHours(MONDAY + 3_000)
    hours.seen("a", "osaka", MONDAY + 3_000, connected=True)
    assert hours.take(MONDAY + 9_000) == [WatchedHour("osaka", MONDAY, 600.0, 600.0, 0, 0.0, 0)]
    assert hours.take(MONDAY + 10_800) == [WatchedHour("osaka", MONDAY + 7_200, 1_800.0, 1_800.0, 0, 0.0, 0)]


def test_a_clock_that_is_set_back_makes_nothing_negative() -> None:
    hours = LineHours(MONDAY + 3_000)
    hours.seen("a", "osaka", MONDAY + 3_000, connected=True)
    assert hours.take(MONDAY - 500) == []
    assert hours.take(MONDAY - 400, ends=True) == [WatchedHour("osaka", MONDAY - 3_600, 100.0, 100.0, 0, 0.0, 0)]


def test_the_last_part_of_an_hour_is_told_when_the_server_ends() -> None:
    hours = LineHours(MONDAY)
    hours.seen("a", "osaka", MONDAY, connected=True)
    assert hours.take(MONDAY + 60, ends=True) == [WatchedHour("osaka", MONDAY, 60.0, 60.0, 0, 0.0, 0)]


def test_no_more_sites_are_watched_than_lines_are_known() -> None:
    hours = LineHours(MONDAY)
    for number in range(line_hours.MAX_WATCHED_SITES + 1):
        hours.seen(f"pc-{number}", f"site-{number}", MONDAY, connected=True)
    told = hours.take(MONDAY + 3_600)
    assert len(told) == line_hours.MAX_WATCHED_SITES


def test_a_week_begins_on_monday_in_utc() -> None:
    assert [hour_of_week(MONDAY + hours * 3_600) for hours in (-1, 0, 25, 167, 168)] == [167, 0, 25, 167, 0]
