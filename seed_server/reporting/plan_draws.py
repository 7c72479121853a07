"""Draws of what may come to be of a plan: when each ring opens, when each site has finished. Pure.

In each draw a line brings more or less than it is expected to, PCs come sooner or later, and a ring opens when its rule
is met by PCs that are drawn from it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from seed_server.reporting.plan_facts import Chance, PlanFacts, PlannedSite, RingPart
from seed_server.reporting.plan_lines import NEVER_THERE, LineOutlook, SendingCurve, line_outlooks
from seed_server.reporting.plan_presence import Presence
from seed_server.reporting.plan_rings import ring_needs
from seed_server.reporting.plan_weeks import SiteWeek, fleet_hours

DONE_SHARE = 0.9  # of a site's usual PCs: the last one may be in a drawer
LUCKS = tuple(NormalDist().inv_cdf((place + 0.5) / 12) for place in range(12))
"""Of lines: all that there is, evenly, so that few draws are enough; each site begins with another one."""
LUCK_STEP = 5  # has no divisor in common with them
WITNESSES = 40  # PCs of a ring that are drawn, to say when it is through
LAN_SECONDS = 5.0  # from the last piece over the line to the PCs that are on, which swap all the time: 0.3 to 14 s


@dataclass(slots=True)
class DrawnSite:
    """A site while it is reckoned."""

    facts: PlannedSite
    outlook: LineOutlook
    curve: SendingCurve
    week: SiteWeek
    presences: dict[int, Presence]
    """By ring."""
    presence_known: bool
    pcs: int
    needed: int
    deciding: RingPart | None
    """The part whose PCs make the finish; None: there is nothing to do."""
    place: int
    """Which PC of that part, counted from 1 as they come to the end, is the one."""
    bytes: int


def needed_of(pcs: int) -> int:
    """Return how many of a site's usual PCs make its finish."""
    return math.ceil(DONE_SHARE * pcs - 1e-9)


def drawn_sites(facts: PlanFacts) -> list[DrawnSite]:
    """Return the sites of a plan, with what is expected of their lines and PCs."""
    fleet = fleet_hours(facts.sites)
    found = []
    for site, outlook in zip(facts.sites, line_outlooks(facts.sites), strict=True):
        week = SiteWeek(site, fleet)
        seen_at = facts.start if facts.seen_at is None else facts.seen_at
        presences = {part.ring: Presence(site, part, week, seen_at, facts.come) for part in site.parts}
        pcs = sum(part.pcs for part in site.parts)
        needed = needed_of(pcs)
        deciding, place = _deciding(site.parts, needed)
        found.append(
            DrawnSite(
                site, outlook, SendingCurve(outlook, site.allowed, facts.start), week, presences, week.known, pcs,
                needed, deciding, place,
                sum(part.missing_bytes for part in site.parts),
            )
        )  # fmt: skip
    return found


def _deciding(parts: Sequence[RingPart], needed: int) -> tuple[RingPart | None, int]:
    """Return in which part the PC is that makes the finish, as rings follow each other, and its place in there."""
    before = 0
    for part in parts:
        if part.pcs and needed <= before + part.pcs:
            return part, max(1, needed - before)
        before += part.pcs
    return None, 0


class Draws:
    """Draws, one after the other."""

    def __init__(self, facts: PlanFacts, sites: Sequence[DrawnSite], chance: Chance) -> None:
        self.facts, self.sites, self.chance = facts, sites, chance
        named = max((part.ring + 1 for site in facts.sites for part in site.parts), default=1)
        self.rings = max(1, len(facts.rings), named)
        self.members: list[list[tuple[int, RingPart]]] = [[] for _ in range(self.rings)]
        for place, site in enumerate(facts.sites):
            for part in site.parts:
                self.members[part.ring].append((place, part))
        self.ring_pcs = [sum(part.pcs for _, part in members) for members in self.members]
        away = [sum(part.away for _, part in members) for members in self.members]
        self.stops = [False] * self.rings
        self.needs: list[int | None] = [None] * self.rings
        for ring, rule in enumerate(facts.rings):
            done = sum(part.done for _, part in self.members[ring])
            needs = ring_needs(rule, self.ring_pcs[ring] + away[ring] + done, facts.failures)
            self.stops[ring] = needs.stops
            self.needs[ring] = None if needs.decided is None else max(0, needs.decided - done)
        self.away = away
        self.windows = any(site.openings is not None for site in facts.sites)
        self.witnesses = [self._witnesses(ring) for ring in range(self.rings)]
        self.shared = self._shared_egress()
        self.draws = 0
        self._known: dict[tuple[int, int, float, float], float] = {}
        self.offsets = [int(chance.random() * len(LUCKS)) for _ in sites]

    def draw(self, opened: Sequence[list[float]]) -> list[float]:
        """Return the finish of each site in one draw; note in ``opened`` when each ring opens."""
        facts = self.facts
        finish = [facts.start] * len(self.sites)
        ready = [facts.start] * len(self.sites)
        turn = self.draws * LUCK_STEP
        luck = [LUCKS[(turn + offset) % len(LUCKS)] for offset in self.offsets]
        self.draws += 1
        opens = facts.start
        for ring in range(self.rings):
            if ring < len(facts.opened_at):
                opens = max(facts.start, facts.opened_at[ring])
            opened[ring].append(opens)
            for place, part in self.members[ring]:
                site = self.sites[place]
                ready[place] = self._there(site, part, max(opens, ready[place]), luck[place], place)
                if part is site.deciding:
                    finish[place] = self._installed(self._when(place, ring, ready[place], site.place))
            opens = self._next_opens(ring, opens, ready)
        return finish

    def _when(self, place: int, ring: int, ready: float, count: float) -> float:
        """Return when so many PCs of a ring at a site were on since the file was there."""
        if not math.isfinite(ready):
            return ready
        return max(ready, self.sites[place].presences[ring].curve(ready).when(count, self.chance.gauss(0.0, 1.0)))

    def _there(self, site: DrawnSite, part: RingPart, begin: float, luck: float, place: int) -> float:
        """Return when the PCs of a part that are on have the file."""
        if not part.missing_bytes or not math.isfinite(begin):
            return begin
        key = place, part.ring, begin, luck
        if (known := self._known.get(key)) is None:
            known = self._known[key] = self._brought(site, part, begin, luck, place)
        return known

    def _brought(self, site: DrawnSite, part: RingPart, begin: float, luck: float, place: int) -> float:
        count = part.missing_bytes * self.facts.ratio
        expected = site.curve.when(begin, count)
        if expected == NEVER_THERE:
            return NEVER_THERE
        deviation = site.outlook.deviation((expected - begin) / 3_600)
        at = site.curve.when(begin, count * math.exp(deviation * deviation / 2 - deviation * luck))
        return max(at, begin + self.shared[place]) + LAN_SECONDS

    def _installed(self, at: float) -> float:
        install = self.facts.install
        if install is None:
            return at
        return at + install.median_seconds * math.exp(install.spread * self.chance.gauss(0.0, 1.0))

    def _next_opens(self, ring: int, opens: float, ready: Sequence[float]) -> float:
        """Return when the ring behind this one opens."""
        rings = self.facts.rings
        if ring >= len(rings):
            return opens
        soaked = opens + rings[ring].soak_seconds
        pcs, needed = self.ring_pcs[ring], self.needs[ring]
        silent = opens + self.facts.silent_after_seconds
        drawn = sorted(self._installed(self._one(place, ring, ready[place])) for place in self.witnesses[ring])
        last = drawn[-1] if drawn else opens
        if not self.windows:  # who has not come by then is silent; who waits for a window is not
            last = min(last, silent)
        # when nobody is left who may decide, what is known is all that will be
        through = max(last, silent if self.away[ring] else opens)
        if needed is not None and needed <= pcs:
            place = math.ceil(needed / pcs * len(drawn)) if pcs else 0
            through = min(through, drawn[place - 1] if place else opens)
        return max(soaked, through)

    def _one(self, place: int, ring: int, ready: float) -> float:
        """Return when one PC, whichever of a ring at a site, was on since the file was there."""
        if not math.isfinite(ready):
            return ready
        presence = self.sites[place].presences[ring]
        return max(ready, presence.curve(ready).when(0.5 + presence.pcs * self.chance.random(), 0.0))

    def _witnesses(self, ring: int) -> list[int]:
        """Return the sites of PCs of a ring: of all where it is small, else of some that are drawn evenly."""
        members = [(place, part.pcs) for place, part in self.members[ring] if part.pcs]
        total = self.ring_pcs[ring]
        if ring >= len(self.facts.rings) or not total:
            return []
        if total <= WITNESSES:
            return [place for place, pcs in members for _ in range(pcs)]
        found: list[int] = []
        counted, step = 0.0, total / WITNESSES
        for place, pcs in members:
            counted += pcs
            while counted >= step and len(found) < WITNESSES:
                found.append(place)
                counted -= step
        return found

    def _shared_egress(self) -> list[float]:
        """Return for how many seconds at least each site is sent to, as the server has so much for all together."""
        egress = self.facts.egress
        if not egress:
            return [0.0] * len(self.sites)
        order = sorted(range(len(self.sites)), key=lambda place: self.sites[place].bytes)
        found = [0.0] * len(self.sites)
        before, left = 0.0, len(order)
        for place in order:  # who needs less is through sooner, while all get the same
            count = self.sites[place].bytes * self.facts.ratio
            found[place] = (before + count * left) / egress
            before += count
            left -= 1
        return found
