"""`seed_server.reporting.plan_presence`: by when how many PCs were on once."""

import math

import pytest

from seed_server.reporting.plan_facts import ASSUMED_COME, Here, PlanGroup, PlannedSite, RingPart
from seed_server.reporting.plan_presence import Presence
from seed_server.reporting.plan_weeks import SiteWeek, fleet_hours, most_in
from seed_server.store.plan_rows import LineHour

MONDAY = 1_800_230_400.0
HOUR, DAY = 3_600.0, 86_400.0
WEEKDAYS = tuple(0.95 if (day + 3) % 7 < 5 else 0.02 for day in range(7))  # day 0, 1970-01-01, was a Thursday
ALWAYS = (1.0,) * 7


def office_hours(usual: int, on: float = 0.9, night: float = 0.1) -> tuple[LineHour, ...]:
    """Return a site whose PCs come between 8 and 9 and go at 17 on weekdays; some are on all the time."""
    found = []
    for hour in range(168):
        weekday, clock = divmod(hour, 24)
        share = on if weekday < 5 and 9 <= clock < 17 else (on + night) / 2 if weekday < 5 and clock == 8 else night
        arrivals = (on - night) * usual if weekday < 5 and clock == 8 else 0.0
        found.append(LineHour(hour, 3_600.0 * 4, share * usual * 3_600 * 4, arrivals * 4, 0.0, 0.0, 0.0, 0.0))
    return tuple(found)


def site(*groups: PlanGroup, now: float = 0.9, **more: object) -> tuple[PlannedSite, RingPart]:
    usual = sum(group.pcs for group in groups)
    part = RingPart(0, groups)
    return PlannedSite("a", (part,), usual, round(now * usual), hours=office_hours(usual), **more), part  # type: ignore[arg-type]


def presence(facts: tuple[PlannedSite, RingPart], start: float) -> Presence:
    week = SiteWeek(facts[0], fleet_hours([facts[0]]))
    return Presence(*facts, week, start, ASSUMED_COME)


def test_who_is_on_when_the_file_comes_has_it_then() -> None:
    start = MONDAY + 11 * HOUR
    one = presence(site(PlanGroup(90, WEEKDAYS, 0, Here.NOW), PlanGroup(10, WEEKDAYS, 3, Here.NO)), start)
    assert one.curve(start).when(89, 0.0) == pytest.approx(start)


def test_what_comes_at_night_is_there_when_people_come() -> None:
    start = MONDAY + 16 * HOUR
    one = presence(site(PlanGroup(90, WEEKDAYS, 0, Here.NOW), PlanGroup(10, ALWAYS, 0, Here.NOW, steady=True)), start)
    curve = one.curve(MONDAY + 23 * HOUR)
    assert curve.when(9, 0.0) == pytest.approx(MONDAY + 23 * HOUR), "those that are on at all hours"
    assert MONDAY + DAY + 8 * HOUR < curve.when(50, 0.0) < MONDAY + DAY + 9 * HOUR
    assert curve.when(99, 0.0) > MONDAY + DAY + 9 * HOUR, "not all come each day"


def test_who_is_off_on_friday_comes_on_monday() -> None:
    friday = MONDAY + 4 * DAY + 18 * HOUR
    one = presence(site(PlanGroup(100, WEEKDAYS, 0, Here.EARLIER), now=0.1), friday)
    when = one.curve(friday).when(80, 0.0)
    assert MONDAY + 7 * DAY + 8 * HOUR < when < MONDAY + 7 * DAY + 9 * HOUR


def test_who_has_missed_days_is_waited_for_longer() -> None:
    start = MONDAY + 11 * HOUR
    ill = presence(site(PlanGroup(100, WEEKDAYS, 3, Here.NO), now=0.0), start).curve(start).when(90, 0.0)
    late = presence(site(PlanGroup(100, WEEKDAYS, 0, Here.NO), now=0.0), start).curve(start).when(90, 0.0)
    assert late < ill


def test_bad_luck_is_later() -> None:
    start = MONDAY + 11 * HOUR
    curve = presence(site(PlanGroup(80, WEEKDAYS, 0, Here.NOW), PlanGroup(20, WEEKDAYS, 1, Here.NO)), start).curve(
        start
    )
    assert curve.when(95, 1.5) <= curve.when(95, 0.0) <= curve.when(95, -1.5)


def test_an_installation_waits_for_its_window_and_a_deadline_ends_that() -> None:
    start = MONDAY + 11 * HOUR
    windows = tuple((MONDAY + day * DAY + 22 * HOUR, MONDAY + day * DAY + 23 * HOUR) for day in range(40))
    groups = PlanGroup(90, WEEKDAYS, 0, Here.NOW), PlanGroup(10, ALWAYS, 0, Here.NOW, steady=True)
    facts = site(*groups, openings=windows, forced_at=MONDAY + 3 * DAY)
    one = presence(facts, start)
    curve = one.curve(start)
    assert MONDAY + 22 * HOUR <= curve.when(9, 0.0) <= MONDAY + 23 * HOUR
    assert curve.when(60, 0.0) > MONDAY + 3 * DAY + 8 * HOUR, "who is never on at night waits for the deadline"
    assert most_in(SiteWeek(facts[0], fleet_hours([facts[0]])), windows, start) == pytest.approx(0.1)
    never = presence(site(*groups, openings=()), start)
    assert never.curve(start).when(1, 0.0) == math.inf


def test_a_site_that_nobody_has_watched_is_like_the_others_and_says_so() -> None:
    known, _ = site(PlanGroup(100, WEEKDAYS, 0, Here.NOW))
    bare = PlannedSite("new", (), 10, 5)
    fleet = fleet_hours([known, bare])
    week = SiteWeek(bare, fleet)
    assert (week.known, week.shares) == (False, SiteWeek(known, fleet).shares)
    assert SiteWeek(bare, fleet_hours([bare])).shares == [0.5] * 168, "nobody knows more than how it is now"
