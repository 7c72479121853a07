"""A site's week: where its days begin, which share of its PCs is on when, and when people come. Pure."""

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from seed_server.reporting.plan_facts import PlannedSite
from seed_server.store.plan_rows import HOURS_OF_A_WEEK, THIRD_SECONDS, WEEK_HOUR_SECONDS, hour_of_week

LEAST_HOUR_SECONDS = 600.0  # of an hour of the week, to say who is there then
LEAST_HOURS = 24  # of the week, to say anything of a site
LEAST_COMERS = 0.02  # of the PCs: of fewer it cannot be said when they come
_DAY, _DAY_HOURS = 86_400, 24
_FIRST_MONDAY = 4 * _DAY_HOURS  # hours after 1970 began, which was on a Thursday


class FleetHours(NamedTuple):
    """What is known of all sites together, by hour of the week."""

    shares: tuple[float | None, ...]
    """Of the usual PCs, so many are on; None: nobody has watched that hour."""
    arrivals: tuple[float, ...]
    """Of the usual PCs, so many come."""


def fleet_hours(sites: Sequence[PlannedSite]) -> FleetHours:
    """Return what is known of all sites together."""
    there, came, usual = [0.0] * HOURS_OF_A_WEEK, [0.0] * HOURS_OF_A_WEEK, [0.0] * HOURS_OF_A_WEEK
    for site in sites:
        for one in site.hours:
            if one.watched >= LEAST_HOUR_SECONDS and site.usual:
                there[one.hour] += min(site.usual, one.pc_seconds / one.watched)
                came[one.hour] += one.arrivals * WEEK_HOUR_SECONDS / one.watched
                usual[one.hour] += site.usual
    return FleetHours(
        tuple(some / all_ if all_ else None for some, all_ in zip(there, usual, strict=True)),
        tuple(some / all_ if all_ else 0.0 for some, all_ in zip(came, usual, strict=True)),
    )


class SiteWeek:
    """A site's week: where its days begin, which share of its PCs is on when, and when those come that go."""

    def __init__(self, site: PlannedSite, fleet: "FleetHours") -> None:
        """Take what is not known of the site from the fleet; what nobody knows stays as it is now."""
        now = site.connected / site.usual if site.usual else 1.0
        self.shares = [now if share is None else share for share in fleet.shares]
        self._arrivals = list(fleet.arrivals)
        watched = 0
        for one in site.hours:
            if one.watched >= LEAST_HOUR_SECONDS and site.usual:
                self.shares[one.hour] = min(1.0, one.pc_seconds / one.watched / site.usual)
                self._arrivals[one.hour] = one.arrivals * WEEK_HOUR_SECONDS / one.watched / site.usual
                watched += 1
        self.known = watched >= LEAST_HOURS
        by_hour = [sum(self.shares[hour::_DAY_HOURS]) for hour in range(_DAY_HOURS)]
        # habits are known by thirds of a day: the one that begins nearest to the quietest hours
        thirds = range(0, _DAY_HOURS, THIRD_SECONDS // WEEK_HOUR_SECONDS)
        self.dawn = min(thirds, key=lambda hour: sum(by_hour[(hour + more) % _DAY_HOURS] for more in (-2, -1, 0, 1)))
        self.base = min(self.shares)
        # by the hour from Monday 00:00 on, and a day further
        self._arrived = list(accumulate((*self._arrivals, *self._arrivals[:_DAY_HOURS]), initial=0.0))
        self._comers = [self._of_day(day) for day in range(7)]
        self._on_parts: dict[int, float] = {}
        self._steps: dict[int, list[tuple[float, float]]] = {}

    def day_of(self, at: float) -> int:
        """Return the number of the day in which a moment is."""
        return int((at - self.dawn * WEEK_HOUR_SECONDS) // _DAY)

    def dawn_of(self, day: int) -> float:
        """Return when a day begins."""
        return day * _DAY + self.dawn * WEEK_HOUR_SECONDS

    def on_part(self, at: float) -> float:
        """Return which part is on at a moment of those that come on this day and are not on at all hours."""
        if at % WEEK_HOUR_SECONDS:
            return self._reckoned_part(at)
        if (known := self._on_parts.get(hour := hour_of_week(at))) is None:
            known = self._on_parts[hour] = self._reckoned_part(at)
        return known

    def _reckoned_part(self, at: float) -> float:
        comers = self._comers[self.day_of(at) % 7]
        if comers < LEAST_COMERS:
            return 1.0
        return min(1.0, max(0.0, (self._share_at(at) - self.base) / comers))

    def come_between(self, first: float, last: float) -> float:
        """Return which part of those that come on the day of ``first`` comes from then until ``last``, on that day."""
        day = self.day_of(first)
        comers = self._comers[day % 7]
        last = min(last, self.dawn_of(day + 1))
        if comers < LEAST_COMERS:
            return 0.0
        return min(1.0, max(0.0, self._came_by(last, day) - self._came_by(first, day)) / comers)

    def _of_day(self, day: int) -> float:
        """Return the share of PCs that comes on a day: those that arrive, or that are on in its busiest hour."""
        dawn = self.dawn_of(day)
        hours = [hour_of_week(dawn + hour * WEEK_HOUR_SECONDS) for hour in range(_DAY_HOURS)]
        most = max(self.shares[hour] for hour in hours) - self.base
        return min(1.0, max(most, sum(self._arrivals[hour] for hour in hours)))

    def _came_by(self, at: float, day: int) -> float:
        dawn = self.dawn_of(day)
        first = hour_of_week(dawn)
        place = (at - dawn) / WEEK_HOUR_SECONDS
        hour = int(place)
        last = first + hour
        return self._arrived[last] - self._arrived[first] + (place - hour) * self._arrivals[last % HOURS_OF_A_WEEK]

    def _share_at(self, at: float) -> float:
        place = at / WEEK_HOUR_SECONDS - 0.5
        before = math.floor(place)
        hour = (before - _FIRST_MONDAY) % HOURS_OF_A_WEEK
        first = self.shares[hour]
        return first + (self.shares[(hour + 1) % HOURS_OF_A_WEEK] - first) * (place - before)

    def steps_of(self, day: int) -> list[tuple[float, float]]:
        """Return the seconds after the dawn of a day at which more of those that come were there, and which part."""
        if (known := self._steps.get(day % 7)) is None:
            dawn, part, known = self.dawn_of(day), 0.0, []
            for hour in range(_DAY_HOURS):
                at = dawn + hour * WEEK_HOUR_SECONDS
                if (on := self.on_part(at)) > part or not known:
                    part = max(part, on)
                    known.append((at - dawn, part))
                if came := self.come_between(at, at + WEEK_HOUR_SECONDS):
                    part = min(1.0, part + came)
                    known.append((at + WEEK_HOUR_SECONDS - dawn, part))
            self._steps[day % 7] = known
        return known


def most_in(week: SiteWeek, openings: Sequence[tuple[float, float]], start: float) -> float:
    """Return the greatest share that is on at a moment of ``openings``, within a fortnight."""
    until = start + 14 * _DAY
    hours = (
        week.shares[hour_of_week(at * WEEK_HOUR_SECONDS)]
        for begin, end in openings
        if begin < until
        for at in range(int(max(begin, start) // WEEK_HOUR_SECONDS), int(min(end, until) // WEEK_HOUR_SECONDS) + 1)
    )
    return max(hours, default=0.0)
