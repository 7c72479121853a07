"""How fast a site's line is expected to bring a patch, hour by hour, from what it brought before. Pure.

An hour of the week of which little is known leans on what is known of the site, and on how that hour is at the other
sites. A site of which nothing is known is taken for one in the middle of those that are known.
"""

import math
import statistics
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from seed_server.reporting.plan_facts import Allowed, PlannedSite
from seed_server.store.plan_rows import HOURS_OF_A_WEEK, WEEK_HOUR_SECONDS, LineHour, hour_of_week

LEAST_KNOWN_SECONDS = 60.0  # of sending at a site, ever: of less, nothing is concluded
LEANING_SECONDS = 600.0  # of sending in an hour of the week weigh as much as what is known of the site and of others
USUAL_SPREAD = 0.3  # of an hour's rate, as a logarithm: of a line whose weeks nobody can compare yet
LEANING_TIMES = 6.0  # hours that were compared weigh as much as the fleet's spread
UNKNOWN_SPREAD = 0.8  # of a line of which nothing is known: sites differ from each other by a factor of two
COMMON = 0.5  # of an hour's variance is that of its whole day: a long patch does not see it cancel out
UNKNOWN_RATE = 250_000.0  # where no site is known at all: a slow branch's 2 Mbit/s
UNKNOWN_USE = 0.7  # of a line whose rate is known, where nothing was ever sent to anybody
ROUNDS = 4  # until sites and hours are told apart
LONGEST_HOURS = 12 * HOURS_OF_A_WEEK  # what is not there in a quarter of a year is "never"
NEVER_THERE = math.inf


@dataclass(frozen=True, slots=True)
class LineOutlook:
    """What is expected of one line."""

    rates: tuple[float, ...]
    """By hour of the week, before the profile's limits."""
    spread: float
    """Standard deviation of the logarithm of an hour's rate."""
    doubt: float
    """The same of the rates' mean: how well it is known."""
    known: bool
    """Whether the site's own past says so."""

    def deviation(self, hours: float) -> float:
        """Return the standard deviation of the logarithm of what ``hours`` bring together."""
        variance = self.spread**2 * (COMMON + (1 - COMMON) / max(1.0, hours))
        return math.sqrt(variance + self.doubt**2)


def line_outlooks(sites: Sequence[PlannedSite]) -> list[LineOutlook]:
    """Return what is expected of the line of each site, in their order."""
    totals = [(sum(hour.sent for hour in site.hours), sum(hour.sending for hour in site.hours)) for site in sites]
    known = [place for place, (_, sending) in enumerate(totals) if sending >= LEAST_KNOWN_SECONDS]
    levels = {place: totals[place][0] / totals[place][1] for place in known}
    shape = [1.0] * HOURS_OF_A_WEEK
    for _ in range(ROUNDS):  # a site that was sent to at good hours alone is not fast, and these hours are
        shape = _shape([(sites[place], levels[place]) for place in known if levels[place] > 0])
        levels = {place: _level(sites[place].hours, shape) for place in known}
    uses = [levels[place] / capacity for place in known if (capacity := sites[place].capacity)]
    use = statistics.median(uses) if uses else UNKNOWN_USE
    middle = statistics.median(levels.values()) if levels else UNKNOWN_RATE
    common_spread = _fleet_spread([sites[place].hours for place in known])
    found = []
    for place, site in enumerate(sites):
        if place in levels:
            found.append(_known(site.hours, levels[place], shape, common_spread))
        else:
            level = middle if site.capacity is None else use * site.capacity
            doubt = UNKNOWN_SPREAD if site.capacity is None else UNKNOWN_SPREAD / 2
            found.append(LineOutlook(tuple(level * part for part in shape), common_spread, doubt, known=False))
    return found


def _known(hours: Sequence[LineHour], level: float, shape: Sequence[float], common_spread: float) -> LineOutlook:
    rates = [level * part for part in shape]
    times = 0.0
    for one in hours:
        times += one.times
        rates[one.hour] = (one.sent + LEANING_SECONDS * rates[one.hour]) / (one.sending + LEANING_SECONDS)
    variance, compared = _variance(hours)
    spread = math.sqrt((variance * compared + common_spread**2 * LEANING_TIMES) / (compared + LEANING_TIMES))
    weeks = max((one.times for one in hours), default=0.0)
    doubt = spread * math.sqrt(COMMON / max(1.0, weeks) + (1 - COMMON) / max(1.0, times))
    return LineOutlook(tuple(rates), spread, doubt, known=True)


def _shape(known: Sequence[tuple[PlannedSite, float]]) -> list[float]:
    """Return how fast each hour of the week is at all sites together, where 1 is a site's mean."""
    sending, relative = [LEANING_SECONDS] * HOURS_OF_A_WEEK, [LEANING_SECONDS] * HOURS_OF_A_WEEK
    for site, mean in known:
        for one in site.hours:
            sending[one.hour] += one.sending
            relative[one.hour] += one.sent / mean
    return [more / seconds for more, seconds in zip(relative, sending, strict=True)]


def _level(hours: Sequence[LineHour], shape: Sequence[float]) -> float:
    """Return the rate that a site would have in an hour like all."""
    expected = sum(one.sending * shape[one.hour] for one in hours)
    return sum(one.sent for one in hours) / expected if expected > 0 else 0.0


def _variance(hours: Sequence[LineHour]) -> tuple[float, float]:
    """Return the variance of the logarithm of an hour's rate from one week to the next, and of how many hours."""
    total = compared = 0.0
    for one in hours:
        if one.times < 1.5 or one.sent <= 0:  # one week alone shows no difference
            continue
        mean = one.sent / one.sending
        apart = max(0.0, one.squares / one.sending / mean**2 - 1) * one.times / (one.times - 1)
        total += math.log1p(apart) * (one.times - 1)
        compared += one.times - 1
    return (total / compared, compared) if compared else (0.0, 0.0)


def _fleet_spread(all_hours: Sequence[Sequence[LineHour]]) -> float:
    found = [_variance(hours) for hours in all_hours]
    compared = sum(number for _, number in found)
    known = sum(variance * number for variance, number in found)
    return math.sqrt((known + USUAL_SPREAD**2 * LEANING_TIMES) / (compared + LEANING_TIMES))


class SendingCurve:
    """What one site is sent from ``start`` on, if it lacks something all the time."""

    def __init__(self, outlook: LineOutlook, allowed: Allowed, start: float) -> None:
        self._outlook, self._allowed = outlook, allowed
        self._begin = start - start % WEEK_HOUR_SECONDS
        self._sums = [0.0]
        self._rates: list[float] = []

    def when(self, begin: float, count: float) -> float:
        """Return when ``count`` bytes, sent from ``begin`` on, are there; `NEVER_THERE` after `LONGEST_HOURS`."""
        if count <= 0:
            return begin
        place, part = divmod(max(0.0, begin - self._begin), WEEK_HOUR_SECONDS)
        hour = int(place)
        if not self._reach_hour(hour):
            return NEVER_THERE
        wanted = self._sums[hour] + self._rates[hour] * part + count
        while self._sums[-1] < wanted:
            if not self._reach_hour(len(self._rates)):
                return NEVER_THERE
        end = max(hour, bisect_left(self._sums, wanted) - 1)
        left = wanted - self._sums[end]
        return self._begin + WEEK_HOUR_SECONDS * end + (left / self._rates[end] if left > 0 else 0.0)

    def _reach_hour(self, hour: int) -> bool:
        if hour >= LONGEST_HOURS:
            return False
        while len(self._rates) <= hour:
            at = self._begin + WEEK_HOUR_SECONDS * (len(self._rates) + 0.5)
            rate, limit = self._outlook.rates[hour_of_week(at)], self._allowed(at)
            self._rates.append(rate if limit is None else min(rate, limit))
            self._sums.append(self._sums[-1] + WEEK_HOUR_SECONDS * self._rates[-1])
        return True
