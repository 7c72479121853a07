"""A week of effective limits in a site's civil time, for pictures and tables. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import chain, groupby, pairwise
from zoneinfo import ZoneInfo

from bandwidth.core.civil_time import instants_of, is_skipped
from bandwidth.core.quantities import MINUTES_PER_DAY
from bandwidth.core.units import BytesPerSecond
from bandwidth.profiles.model import Profile
from bandwidth.profiles.precedence import Measure
from bandwidth.profiles.resolve import EffectiveLimit, effective_limit

STEP_MINUTES = 5  # finer steps are not visible in a picture of a week
DAYS_PER_WEEK = 7
ASSUMED_LINE = BytesPerSecond(12_500_000)  # of a site without one: a percent of it reads as Mbit/s

Resolve = Callable[[datetime], EffectiveLimit]


@dataclass(frozen=True, slots=True)
class Cell:
    """The limit in a stretch of civil time. ``rate`` None: the profile sets no limit.

    ``skipped``: the clocks never show it. ``twice``: they show it twice, and this is the stricter of both.
    """

    rate: BytesPerSecond | None
    rule: str
    stopped: bool = False
    boost: bool = False
    skipped: bool = False
    twice: bool = False


SKIPPED = Cell(None, "the clocks are put forward", skipped=True)


@dataclass(frozen=True, slots=True)
class Run:
    """Minutes ``start`` to before ``end`` of a day, all with the same limit."""

    start: int
    end: int
    cell: Cell


@dataclass(frozen=True, slots=True)
class DayRow:
    """One day. ``holiday`` is its name, empty on an ordinary day."""

    day: date
    holiday: str
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from ``first_day``; ``rates`` has each distinct rate, rising, None (no limit) last."""

    first_day: date
    time_zone: str
    days: tuple[DayRow, ...]

    @property
    def rates(self) -> tuple[BytesPerSecond | None, ...]:
        """Return the distinct rates of cells that are not stopped."""
        cells = [run.cell for row in self.days for run in row.runs]
        found = {cell.rate for cell in cells if not cell.skipped and not cell.stopped}
        return (*sorted(rate for rate in found if rate is not None), *([None] if None in found else []))


def week_of(
    profile: Profile,
    site: str | None,
    first_day: date,
    *,
    line: BytesPerSecond | None = None,
    spare: BytesPerSecond | None = None,
    on_day: Callable[[], None] = lambda: None,
) -> Week:
    """Return the limits of ``site``'s line for seven days from ``first_day``; the rest is as in `effective_limit`.

    ``on_day`` is called after each day.
    """
    profile = profile.for_site(site)
    place = profile.site(site)
    zone = ZoneInfo(place.time_zone or profile.time_zone)

    def resolve(at: datetime) -> EffectiveLimit:
        return effective_limit(profile, site, at, line=line, spare=spare)

    days = []
    for offset in range(DAYS_PER_WEEK):
        day = first_day + timedelta(days=offset)
        names = [
            holiday.name for holiday in profile.holidays if holiday.scope.concerns(place) and holiday.falls_on(day)
        ]
        days.append(DayRow(day, ", ".join(names), tuple(_runs(day, _changes(profile, day, zone), zone, resolve))))
        on_day()
    return Week(first_day, zone.key, tuple(days))


def looks_per_week(profile: Profile, first_day: date, zone: ZoneInfo) -> int:
    """Return at how many times of a week `week_of` looks; each look reads all rules that concern the site."""
    days = (first_day + timedelta(days=offset) for offset in range(DAYS_PER_WEEK))
    return sum(len(_changes(profile, day, zone)) for day in days)


def _changes(profile: Profile, day: date, zone: ZoneInfo) -> Sequence[int]:
    """Return the steps of a day at which another limit can begin, in minutes after midnight, rising from 0."""
    around = [datetime.combine(day + timedelta(days=days), time(), zone) for days in (-1, 2)]
    if around[0].utcoffset() != around[1].utcoffset():  # the clocks change: rules and clocks part anywhere
        return range(0, MINUTES_PER_DAY, STEP_MINUTES)
    timed = [
        *(blackout.when for blackout in profile.blackouts),
        *(window.when for window in profile.windows),
        *(hours.when for hours in profile.business_hours),
    ]
    minutes = {minute for when in timed for minute in (when.start_minute, when.end_minute)}
    bounds = [(stop.since, stop.until) for stop in profile.stops]
    bounds += [(boost.since, boost.until) for boost in profile.boosts]
    for moment in chain.from_iterable(bounds):
        wall = moment if moment is None or moment.tzinfo is None else moment.astimezone(zone)
        if wall is not None and wall.date() == day:
            minutes.add(-(-(wall.hour * 3600 + wall.minute * 60 + wall.second) // 60))
    steps = {0} | {-(-minute // STEP_MINUTES) * STEP_MINUTES for minute in minutes}
    return sorted(step for step in steps if step < MINUTES_PER_DAY)


def _runs(day: date, starts: Sequence[int], zone: ZoneInfo, resolve: Resolve) -> Iterator[Run]:
    ends = dict(pairwise((*starts, MINUTES_PER_DAY)))
    cells = (
        (minute, _cell(datetime.combine(day, time()) + timedelta(minutes=minute), zone, resolve)) for minute in starts
    )
    for cell, group in groupby(cells, key=lambda pair: pair[1]):
        within = [minute for minute, _ in group]
        yield Run(within[0], ends[within[-1]], cell)


def _cell(wall: datetime, zone: ZoneInfo, resolve: Resolve) -> Cell:
    if is_skipped(wall, zone):
        return SKIPPED
    first, last = instants_of(wall, zone)
    found = min((resolve(at) for at in {first, last}), key=strictness)
    rule = found.rule
    name = str(rule) if rule.measure is not Measure.CONTROLLER else "no limit by the profile"
    return Cell(found.rate, name, found.rate == 0, found.boost, twice=first != last)


def strictness(limit: EffectiveLimit) -> tuple[bool, int, int]:
    """Order limits from the strictest: by rate (none last), then by floor."""
    return limit.rate is None, limit.rate or 0, limit.floor
