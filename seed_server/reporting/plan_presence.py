"""When a site's PCs are on, and by when how many of them were there once. Pure.

A site's day begins at its quietest time. On a day each PC comes or does not, by its own habit for that day of the
week, and less likely the more of its days it has missed in a row. It comes at the hour at which the site's PCs come;
what is on on every day of the week is on at every hour.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from seed_server.reporting.plan_facts import Here, PlanGroup, PlannedSite, RingPart
from seed_server.reporting.plan_habits import EXPECTED, MISSED
from seed_server.reporting.plan_weeks import SiteWeek
from seed_server.store.plan_rows import WEEK_HOUR_SECONDS

LONGEST_DAYS = 45  # who has not come by then is not waited for
CURVE_SECONDS = 1_800.0  # files that come within the same half hour meet the same PCs
COMMON_PART = (
    0.7  # of those that are absent: days differ by more than people do by themselves, and by what nobody knows
)


class Curve:
    """How many PCs were there once by when: what is expected, and by how much it may be otherwise.

    It is reckoned day by day, as far as it is asked for. What follows on a day may be the same for many.
    """

    def __init__(self) -> None:
        self._days: Iterator[None] | None = None
        self._behind: Curve | None = None
        self.moments: list[float] = []
        self.means: list[float] = []
        self.deviations: list[float] = []

    def follow(self, days: Iterator[None]) -> None:
        """Go on with what ``days`` adds by `add`, a day each time."""
        self._days = days

    def go_on(self, behind: "Curve") -> None:
        """Go on with another curve, which is of the same PCs."""
        self._behind = behind

    def add(self, at: float, pcs: float, absent: float, variance: float) -> None:
        """Add a moment: how many PCs there are, how many are expected not to have been there, and the variance."""
        self.moments.append(at)
        self.means.append(pcs - absent)
        self.deviations.append(math.sqrt(max(0.0, variance) + (COMMON_PART * absent) ** 2))

    def when(self, count: float, luck: float) -> float:
        """Return when ``count`` PCs were there; ``luck`` is a normal number. Infinite: never."""
        wanted = count - 0.5
        while not self.moments or self._at(len(self.moments) - 1, luck) < wanted:
            if self._days is None:
                return math.inf if self._behind is None else self._behind.when(count, luck)
            try:
                next(self._days)
            except StopIteration:
                self._days = None
        place = bisect_left(range(len(self.means)), wanted, key=lambda at: self._at(at, luck))
        if not place:
            return self.moments[0]
        later = self.moments[place]
        earlier = max(self.moments[place - 1], later - WEEK_HOUR_SECONDS)
        below, level = self._at(place - 1, luck), self._at(place, luck)
        return earlier + (later - earlier) * min(1.0, max(0.0, (wanted - below) / max(1e-9, level - below)))

    def _at(self, place: int, luck: float) -> float:
        return self.means[place] + luck * self.deviations[place]


class Presence:
    """The PCs of one ring at one site, and when what is to be done on them can be begun."""

    def __init__(self, site: PlannedSite, part: RingPart, week: SiteWeek, start: float, come: Sequence[float]) -> None:
        """``come`` as in `PlanFacts`."""
        self._week, self._start, self._come = week, start, come
        self._groups = part.groups
        self.pcs = part.pcs
        self._openings, self._forced_at = site.openings, site.forced_at
        self._today = week.day_of(start)
        self._risen = week.come_between(week.dawn_of(self._today), start)
        self._usual_now = week.on_part(start)
        self._states = [[[1.0 if missed == group.missed else 0.0 for missed in range(MISSED)] for group in part.groups]]
        """Of each day from today on, by group: how likely a PC has missed so many of its days before it."""
        self._curves: dict[int, Curve] = {}
        self._behind: dict[tuple[int, float, float], Curve] = {}
        self._likely = [
            [[min(1.0, group.chances[day] * share) for share in come] for day in range(7)] for group in part.groups
        ]
        """How likely a PC comes: by group, by day of the week, by its missed days."""

    def curve(self, at: float) -> Curve:
        """Return how many PCs were on once at or after a moment, in a time that counts."""
        begin = self._next_open(at)
        if not math.isfinite(begin):
            return Curve()
        step = int(begin // CURVE_SECONDS)
        if (known := self._curves.get(step)) is None:
            known = self._curves[step] = Curve()
            begin = max(self._start, begin)
            day = max(self._today, self._week.day_of(begin))
            left, reached = self._day(known, day, begin, self._state(day))
            # who comes at night finds the same PCs on, whatever the hour
            key = day, round(reached[0], 2), round(reached[1], 2)
            if (behind := self._behind.get(key)) is None:
                behind = self._behind[key] = Curve()
                behind.follow(self._later(behind, day + 1, left))
            known.go_on(behind)
        return known

    def _later(self, curve: Curve, first: int, left: list[list[float]]) -> Iterator[None]:
        for day in range(first, first + LONGEST_DAYS):
            left, _ = self._day(curve, day, 0.0, left)
            yield

    def _day(
        self, curve: Curve, day: int, begin: float, left: list[list[float]]
    ) -> tuple[list[list[float]], tuple[float, float]]:
        """Add a day to ``curve``; return who is left behind it, and which part of those that come was there.

        ``left``: how likely a PC of each group was not there yet when the day begins, by its missed days.
        """
        groups = self._groups
        comes = [self._comes(place, state, day) for place, state in enumerate(left)]
        rest, totals = [sum(state) for state in left], [sum(come) for come in comes]
        part = late = 0.0
        there = [0.0] * len(groups)
        for at, part, late in self._steps(day, begin):
            absent = variance = 0.0
            for place, group in enumerate(groups):
                some = there[place] = totals[place] * self._there(group, part, late, day)
                share = rest[place] - some
                absent += group.pcs * share
                variance += group.pcs * share * (1 - share)
            curve.add(at, self.pcs, absent, variance)
        after = [
            _after(state, come, total - some, expected=group.chances[day % 7] >= EXPECTED)
            for state, come, total, some, group in zip(left, comes, totals, there, groups, strict=True)
        ]
        return after, (part, late)

    def _there(self, group: PlanGroup, part: float, late: float, day: int) -> float:
        """Return which part of those that come on a day were there, when ``part`` of all that do were.

        ``late``: the same of those that were not seen yet today, at the start.
        """
        if day != self._today:
            return 1.0 if group.steady else part
        if group.here is Here.EARLIER:
            return 0.0
        return 1.0 if group.steady else late if group.here is Here.NO else part

    def _steps(self, day: int, begin: float) -> Iterator[tuple[float, float, float]]:
        """Yield the moments of a day at which more PCs are there, and which part of those that come were there by then.

        The second part is of those that had not been seen yet today, at the start.
        """
        week, today = self._week, day == self._today
        if self._openings is None and begin <= week.dawn_of(day):
            dawn = week.dawn_of(day)
            yield from ((dawn + later, part, part) for later, part in week.steps_of(day))
            return
        at = max(begin, week.dawn_of(day))
        end = week.dawn_of(day + 1)
        part = late = 0.0
        # while nothing may begin, who is on is on still when it may
        opens = self._next_open(at)
        while opens < end:
            now, more = self._on(opens, today=today)
            if now > part or more > late or not part:
                part, late = max(part, now), max(late, more)
                yield opens, part, late
            until = min(end, (opens // WEEK_HOUR_SECONDS + 1) * WEEK_HOUR_SECONDS, self._closes(opens))
            came = week.come_between(opens, until)
            if came > 0:
                part = part if today else min(1.0, part + came)
                late = min(1.0, late + (came / max(1e-9, 1 - self._risen) if today else came))
                yield until, part, late
            opens = self._next_open(until if until > opens else until + 1.0)

    def _on(self, at: float, *, today: bool) -> tuple[float, float]:
        """Return which part is on at a moment of those that come on its day, and today of those that were late."""
        week = self._week
        if not today:
            return week.on_part(at), week.on_part(at)
        if at - self._start < WEEK_HOUR_SECONDS / 4:
            return 1.0, 0.0
        # of those that were on at the start, so many are still on; of those that came since then, as of all that came
        now, on = self._usual_now, week.on_part(at)
        still = min(1.0, on / now) if now > 0 else 1.0
        came = week.come_between(self._start, at)
        stay = min(1.0, on / (self._risen + came)) if self._risen + came > 0 else 0.0
        return still, min(1.0, stay * came / max(1e-9, 1 - self._risen))

    def _comes(self, place: int, state: Sequence[float], day: int) -> list[float]:
        """Return how likely a PC of a group comes on a day, by its missed days; today: if it was not seen yet."""
        chances = self._likely[place][day % 7]
        if day == self._today:
            group = self._groups[place]
            if group.here is not Here.NO:
                return list(state)
            gone = 1.0 if group.steady else self._risen
            chances = [chance * (1 - gone) / max(1e-9, 1 - chance * gone) for chance in chances]
        return [share * chance for share, chance in zip(state, chances, strict=True)]

    def _state(self, day: int) -> list[list[float]]:
        """Return by group how likely a PC has missed so many of its days when a day begins."""
        while len(self._states) <= day - self._today:
            number = self._today + len(self._states) - 1
            found = []
            for place, (group, state) in enumerate(zip(self._groups, self._states[-1], strict=True)):
                come = self._comes(place, state, number)
                found.append(_after(state, come, sum(come), expected=group.chances[number % 7] >= EXPECTED))
            self._states.append(found)
        return self._states[day - self._today]

    def _next_open(self, at: float) -> float:
        """Return the first moment from ``at`` on that counts."""
        if self._openings is None or (self._forced_at is not None and at >= self._forced_at):
            return at
        place = bisect_left(self._openings, (at, math.inf))
        if place and at <= self._openings[place - 1][1]:
            return at
        later = self._openings[place][0] if place < len(self._openings) else math.inf
        return min(later, self._forced_at if self._forced_at is not None else math.inf)

    def _closes(self, at: float) -> float:
        """Return until when a moment that counts is followed by others."""
        if self._openings is None or (self._forced_at is not None and at >= self._forced_at):
            return math.inf
        place = bisect_left(self._openings, (at, math.inf))
        return self._openings[place - 1][1] if place else at


def _after(state: Sequence[float], come: Sequence[float], stay: float, *, expected: bool) -> list[float]:
    """Return how likely a PC has missed so many of its days after a day.

    ``come``: how likely it came, by its missed days before; of these, ``stay`` are left all the same.
    """
    if not expected:
        found = [share - some for share, some in zip(state, come, strict=True)]
        found[0] += stay
        return found
    rest = [share - some for share, some in zip(state, come, strict=True)]
    return [stay, *rest[:-2], rest[-2] + rest[-1]]
