"""A company whose lines and people follow laws of their own; the plan's model shares none of them.

A line is looked at every five minutes: business takes what an office takes by the hour of its own zone, times a factor
of the site, one of the day (each day leans on the one before) and noise, and now and then a transfer takes most of it
for half an hour or more. What is left goes to us. Each PC has a person with habits: always on, office hours by a
clock that differs each day, two shifts, or three days of the week; people are ill, and go on holiday for days.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

STEP = 300.0
HOUR, DAY, WEEK = 3_600.0, 86_400.0, 604_800.0
MONDAY = 1_800_230_400.0  # 2027-01-18 00:00 UTC
PAST_WEEKS = 6
HABITS = (("always", 0.14), ("office", 0.66), ("shift", 0.08), ("hybrid", 0.12))
OFFICE_LOAD = (
    0.02, 0.02, 0.02, 0.03, 0.03, 0.05, 0.09, 0.22, 0.46, 0.60, 0.62, 0.55,
    0.38, 0.50, 0.58, 0.55, 0.47, 0.30, 0.16, 0.10, 0.07, 0.05, 0.04, 0.03,
)  # fmt: skip  # of the line, by the hour of the site's own clock
LEAST_LEFT = 0.03  # of the line, whatever business does


@dataclass
class Pc:
    """One PC: from when to when it is on, in order."""

    spells: list[tuple[float, float]]

    def on_at(self, at: float) -> bool:
        """Whether it is on at a moment."""
        return any(begin <= at < end for begin, end in self.spells)

    def first_on(self, at: float) -> float:
        """Return when it is on for the first time at or after a moment; infinite: never."""
        return next((max(at, begin) for begin, end in self.spells if end > at), math.inf)

    def last_seen(self, at: float) -> float:
        """Return when it was seen last before a moment; 0: never."""
        return max((min(at, end) for begin, end in self.spells if begin < at), default=0.0)


@dataclass
class Site:
    """One branch."""

    name: str
    capacity: float
    """Bytes per second."""
    zone: float
    """Seconds that its clock is before UTC's."""
    busy: float
    """Its business, by that of others."""
    efficiency: float
    pcs: list[Pc]
    chance: Random
    day_factors: dict[int, float] = field(default_factory=dict)
    bursts: dict[int, list[tuple[float, float, float]]] = field(default_factory=dict)

    def rate(self, at: float) -> float:
        """Return what the line brings us, in bytes per second, in the step that begins then."""
        local = at + self.zone
        day = int(local // DAY)
        hour = local % DAY / HOUR
        load = OFFICE_LOAD[int(hour)] + (OFFICE_LOAD[(int(hour) + 1) % 24] - OFFICE_LOAD[int(hour)]) * (hour % 1)
        if (local - MONDAY) % WEEK >= 5 * DAY:
            load *= 0.15
        load *= self.busy * self._day_factor(day) * math.exp(self.chance.gauss(0.0, 0.25))
        load += sum(part for begin, end, part in self._bursts(day) if begin <= at < end)
        return self.capacity * self.efficiency * max(LEAST_LEFT, 0.97 - load)

    def _day_factor(self, day: int) -> float:
        if day not in self.day_factors:
            before = math.log(self.day_factors.get(day - 1, 1.0))
            self.day_factors[day] = math.exp(0.5 * before + self.chance.gauss(0.0, 0.18))
        return self.day_factors[day]

    def _bursts(self, day: int) -> list[tuple[float, float, float]]:
        if day not in self.bursts:
            found = []
            for _ in range(self.chance.choice((0, 0, 1, 1, 2))):
                begin = day * DAY - self.zone + self.chance.uniform(7, 19) * HOUR
                found.append((begin, begin + self.chance.uniform(1_200, 4_800), self.chance.uniform(0.3, 0.7)))
            self.bursts[day] = found
        return self.bursts[day]

    def sends(self, begin: float, count: float) -> Iterator[tuple[float, float, float]]:
        """Yield begin, end and bytes of each step in which ``count`` bytes are sent."""
        at = begin
        while count > 0:
            until = at - at % STEP + STEP
            room = self.rate(at) * (until - at)
            if room >= count:
                until = at + (until - at) * count / room
                room = count
            yield at, until, room
            count -= room
            at = until


def company(sites: int, seed: int, until: float) -> list[Site]:
    """Return a company's sites, whose people are known up to a moment."""
    chance = Random(seed)
    found = []
    for number in range(sites):
        pcs = round(math.exp(chance.uniform(math.log(6), math.log(220))))
        zone = chance.choice((0.0, 0.0, 3_600.0, 7_200.0, -18_000.0, 32_400.0))
        mbit = math.exp(chance.uniform(math.log(2 + pcs / 40), math.log(30 + pcs)))
        found.append(
            Site(
                name=f"site-{number:03}",
                capacity=mbit * 125_000,
                zone=zone,
                busy=math.exp(chance.gauss(0.0, 0.3)),
                efficiency=chance.uniform(0.8, 0.98),
                pcs=[Pc(_spells(chance, zone, until)) for _ in range(pcs)],
                chance=Random(f"{seed} {number}"),
            )
        )
    return found


def _spells(chance: Random, zone: float, until: float) -> list[tuple[float, float]]:
    habit = chance.choices([name for name, _ in HABITS], [part for _, part in HABITS])[0]
    begin = MONDAY - PAST_WEEKS * WEEK
    if habit == "always":
        return _with_restarts(chance, begin, until)
    usual_begin, usual_end = chance.gauss(8.6, 0.6), chance.gauss(17.6, 0.7)
    days: Sequence[int] = range(5)
    if habit == "hybrid":
        days = range(5) if chance.random() < 0.2 else tuple(sorted(chance.sample(range(5), 3)))
    stays_on = chance.random() < 0.06  # it is left on in many nights
    found: list[tuple[float, float]] = []
    away_until = 0
    for day in range(int((until - begin) // DAY) + 1):
        midnight = begin + day * DAY - zone
        if chance.random() < 0.008:
            away_until = day + chance.randint(3, 12)
        if day < away_until or day % 7 not in days or chance.random() < 0.03:
            continue
        if habit == "shift":
            late = (day // 7) % 2
            first, last = (13.7, 22.2) if late else (5.8, 14.2)
        else:
            first, last = usual_begin, usual_end
        on = midnight + HOUR * (first + chance.gauss(0.0, 0.35))
        off = midnight + HOUR * (last + chance.gauss(0.0, 0.6))
        if stays_on and chance.random() < 0.7:
            off = midnight + HOUR * (usual_begin + 23.0)
        if found and on <= found[-1][1]:
            found[-1] = (found[-1][0], max(off, found[-1][1]))
        elif off > on:
            found.append((on, off))
    return found


def _with_restarts(chance: Random, begin: float, until: float) -> list[tuple[float, float]]:
    found, at = [], begin
    while at < until:
        end = at + chance.expovariate(1 / (9 * DAY))
        found.append((at, end))
        at = end + chance.uniform(120, 900)
    return found


def usual_pcs(site: Site, at: float, seconds: float) -> Sequence[Pc]:
    """Return the PCs that were seen in so many seconds before a moment."""
    return [pc for pc in site.pcs if pc.last_seen(at) >= at - seconds]
