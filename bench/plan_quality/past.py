"""What a server has learned of a simulated company in its past: by the very code that learns it."""

import math
from collections.abc import Sequence
from random import Random

from bench.plan_quality.world import HOUR, MONDAY, PAST_WEEKS, WEEK, Pc, Site, usual_pcs
from seed_server.origin.line_hours import LineHours
from seed_server.reporting.plan_facts import PlannedSite
from seed_server.reporting.plan_habits import PcPast
from seed_server.reporting.plan_weeks import FleetHours, SiteWeek
from seed_server.reporting.plan_windows import USUAL_SECONDS
from seed_server.store.line_hours import added
from seed_server.store.plan_rows import THIRD_SECONDS, THIRDS, LineHour, hour_of_week

PATCHES_A_WEEK = (2, 5)
PATCH_BYTES = (20e6, 1.5e9)
WASTED = 0.004  # of a patch's bytes that cross the line twice, in the mean


def learned(sites: Sequence[Site], seed: int) -> tuple[dict[str, list[LineHour]], float]:
    """Return the hours of the week of each site, and what crossed the lines by the length of the files."""
    chance = Random(f"past {seed}")
    patches = []
    for week in range(PAST_WEEKS):
        for _ in range(chance.randint(*PATCHES_A_WEEK)):
            at = MONDAY - (PAST_WEEKS - week) * WEEK + chance.uniform(0, 5) * 86_400
            patches.append((at, math.exp(chance.uniform(*map(math.log, PATCH_BYTES)))))
    patches.sort()
    found = {}
    sent = length = 0.0
    for site in sites:
        hours, more, size = _of_site(site, patches, chance)
        found[site.name] = hours
        sent += more
        length += size
    return found, sent / length


def _of_site(site: Site, patches: Sequence[tuple[float, float]], chance: Random) -> tuple[list[LineHour], float, float]:
    begin = MONDAY - PAST_WEEKS * WEEK
    events: list[tuple[float, int, int, float]] = []
    for number, pc in enumerate(site.pcs):
        for on, off in pc.spells:
            events.append((on, 0, number, 0.0))
            events.append((off, 1, number, 0.0))
    at, sent, length, ever = begin, 0.0, 0.0, 0.0
    for offered, count in patches:
        at = max(at, offered)
        wasted = count * (1 + chance.expovariate(1 / WASTED))
        sent, length = sent + wasted, length + count
        for start, end, some in site.sends(at, wasted):
            ever += end - start
            events.append((start, 2, int(some), ever))
            at = end
    events += [(begin + HOUR * hour, 3, 0, 0.0) for hour in range(1, PAST_WEEKS * 168 + 1)]
    events.sort()
    watching = LineHours(begin)
    watching.sending(site.name, 0.0, begin)
    rows: dict[int, dict[str, float]] = {}
    for moment, kind, number, seconds in events:
        if moment < begin or moment > MONDAY:
            continue
        if kind == 3:
            for one in watching.take(moment):
                rows[hour_of_week(one.at)] = added(rows.get(hour_of_week(one.at)), one)
        elif kind == 2:
            watching.sent(site.name, number, moment)
            watching.sending(site.name, seconds, moment)
        else:
            watching.seen(f"{number}", site.name, moment, connected=kind == 0)
    return (
        [LineHour(hour, *(row[name] for name in LineHour._fields[1:])) for hour, row in sorted(rows.items())],
        sent,
        length,
    )


def week_of(site: Site, hours: Sequence[LineHour], at: float) -> SiteWeek:
    """Return what the server knows of a site's week."""
    usual = usual_pcs(site, at, USUAL_SECONDS)
    facts = PlannedSite(name=site.name, parts=(), usual=len(usual), connected=0, hours=hours)
    return SiteWeek(facts, FleetHours((None,) * 168, (0.0,) * 168))


def past_of(pc: Pc, at: float) -> PcPast:
    """Return what the server knows of a PC at a moment."""
    newest, thirds = int(at // THIRD_SECONDS), 0
    for begin, end in pc.spells:
        if begin < at and end > at - THIRDS * THIRD_SECONDS:
            last = newest - int(min(end, at) // THIRD_SECONDS)
            for back in range(last, newest - int(begin // THIRD_SECONDS) + 1):
                thirds |= 1 << back
    return PcPast(thirds & ((1 << THIRDS) - 1), newest, pc.on_at(at))
