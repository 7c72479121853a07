"""Plans one patch for a simulated company, lets the company take it, and compares."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from bench.plan_quality.past import WASTED, past_of, week_of
from bench.plan_quality.world import DAY, HOUR, MONDAY, Pc, Site, usual_pcs
from p2pdist.shared.manifest.rollout_plan import PlannedRing
from seed_server.fleet.ring_counts import RingTally
from seed_server.fleet.rollout import ring_is_through
from seed_server.reporting.plan_draws import needed_of
from seed_server.reporting.plan_facts import InstallTimes, PlanFacts, PlannedSite, RingPart
from seed_server.reporting.plan_habits import PcPast, come_shares, habits
from seed_server.reporting.plan_model import forecast
from seed_server.reporting.plan_windows import USUAL_SECONDS
from seed_server.store.plan_rows import LineHour

LOOK_SECONDS = 600.0
INSTALL_MEDIAN, INSTALL_SPREAD = 240.0, 0.5
LAN_SECONDS = (10.0, 240.0)
LONGEST = 28 * DAY
RINGS = tuple(
    PlannedRing(name=name, share=share, soak_seconds=int(soak * HOUR), success_share=success, least_decided=least)
    for name, share, soak, success, least in (
        ("few", 200, 6, 9_500, 30), ("some", 2_000, 24, 9_700, 100), ("all", 10_000, 0, 9_000, 1),
    )
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """What is planned."""

    name: str
    begins: float
    """Seconds after Monday 00:00 UTC."""
    bytes: float
    rings: tuple[PlannedRing, ...] = ()
    window: tuple[float, float] | None = None
    """Hours of the site's own clock in which installations may begin, on every day."""
    forced_days: float = 14.0
    silent_days: float = 3.0


CASES = (
    Case("700 MB to every PC at once, Tuesday 10:00", DAY + 10 * HOUR, 700e6),
    Case("150 MB to every PC at once, Friday 15:00", 4 * DAY + 15 * HOUR, 150e6),
    Case("2 GB to every PC at once, Wednesday 18:00", 2 * DAY + 18 * HOUR, 2e9),
    Case("400 MB in three rings, Monday 08:00", 8 * HOUR, 400e6, RINGS),
    Case("300 MB, windows 12:00 to 14:00, Monday 14:00", 14 * HOUR, 300e6, window=(12.0, 14.0)),
)


@dataclass(frozen=True)
class SiteResult:
    """One site, planned and actual."""

    seconds: float
    """From the start to the actual finish."""
    error: float
    """Planned ÷ actual − 1."""
    covered: bool
    """Whether it was done by p90."""
    planned_bytes: float
    bytes: float


@dataclass(frozen=True)
class CaseResult:
    """One case."""

    name: str
    sites: tuple[SiteResult, ...]
    unfinished: int
    """Sites that did not finish in the time that is simulated, or never by the plan."""
    plan_seconds: float


def play(case: Case, sites: Sequence[Site], hours: dict[str, list[LineHour]], ratio: float, seed: int) -> CaseResult:
    """Plan it, do it, compare."""
    chance = Random(f"{seed} {case.name}")
    start = MONDAY + case.begins
    ring_of = {id(pc): _ring(case, chance.random()) for site in sites for pc in site.pcs}
    weeks = [week_of(site, hours[site.name], start) for site in sites]
    pasts = [[past_of(pc, start) for pc in site.pcs] for site in sites]
    facts = PlanFacts(
        start=start,
        sites=tuple(
            _facts(case, site, start, hours[site.name], ring_of, week.dawn, known)
            for site, week, known in zip(sites, weeks, pasts, strict=True)
        ),
        rings=case.rings,
        silent_after_seconds=case.silent_days * DAY,
        install=InstallTimes(INSTALL_MEDIAN, INSTALL_SPREAD, known=True),
        ratio=ratio,
        come=come_shares([(known, week.dawn) for known, week in zip(pasts, weeks, strict=True)], start),
    )
    begun = time.process_time()
    planned = forecast(facts, Random(seed))
    took = time.process_time() - begun
    done, sent = _done(case, sites, start, ring_of, chance)
    results, unfinished = [], 0
    for site, expected in zip(sites, planned.sites, strict=True):
        usual = usual_pcs(site, start, USUAL_SECONDS)
        at = sorted(done[id(pc)] for pc in usual)[needed_of(len(usual)) - 1] if usual else math.inf
        if not (math.isfinite(at) and math.isfinite(expected.finish_p50)):
            unfinished += 1
            continue
        results.append(
            SiteResult(
                at - start,
                (expected.finish_p50 - start) / (at - start) - 1,
                at <= expected.finish_p90,
                expected.wan_bytes,
                sent[site.name],
            )
        )
    return CaseResult(case.name, tuple(results), unfinished, took)


def _ring(case: Case, drawn: float) -> int:
    return next((place for place, ring in enumerate(case.rings) if drawn < ring.share / 10_000), 0)


def _facts(
    case: Case,
    site: Site,
    start: float,
    hours: Sequence[LineHour],
    ring_of: dict[int, int],
    dawn: int,
    pasts: Sequence[PcPast],
) -> PlannedSite:
    usual = set(map(id, usual_pcs(site, start, USUAL_SECONDS)))
    parts, missing = [], int(case.bytes)
    for ring in range(max(1, len(case.rings))):
        ours = [(id(pc) in usual, past) for pc, past in zip(site.pcs, pasts, strict=True) if ring_of[id(pc)] == ring]
        groups = habits([past for is_usual, past in ours if is_usual], start, dawn)
        if ours:
            parts.append(RingPart(ring, tuple(groups), sum(not usual for usual, _ in ours), missing_bytes=missing))
            missing = 0
    return PlannedSite(
        name=site.name,
        parts=tuple(parts),
        usual=len(usual),
        connected=sum(pc.on_at(start) for pc in site.pcs),
        capacity=int(site.capacity),
        hours=hours,
        openings=_openings(case, site, start),
        forced_at=None if case.window is None else start + case.forced_days * DAY,
    )


def _openings(case: Case, site: Site, start: float) -> tuple[tuple[float, float], ...] | None:
    if case.window is None:
        return None
    midnight = start - (start + site.zone) % DAY
    first, last = (hour * HOUR for hour in case.window)
    return tuple((midnight + day * DAY + first, midnight + day * DAY + last) for day in range(-1, 30))


def _done(
    case: Case, sites: Sequence[Site], start: float, ring_of: dict[int, int], chance: Random
) -> tuple[dict[int, float], dict[str, float]]:
    """Return when each PC has it, and what crossed each line."""
    done: dict[int, float] = {}
    ready: dict[str, float] = {}
    sent: dict[str, float] = {}
    opens = start
    for ring in range(max(1, len(case.rings))):
        members: list[Pc] = []
        for site in sites:
            ours = [pc for pc in site.pcs if ring_of[id(pc)] == ring]
            if ours and site.name not in ready:
                sent[site.name] = case.bytes * (1 + chance.expovariate(1 / WASTED))
                *_, (_, ready[site.name], _) = site.sends(opens, sent[site.name])
            for pc in ours:
                done[id(pc)] = _installs(case, site, pc, max(opens, ready[site.name]), start, chance)
            members += ours
        if ring < len(case.rings) - 1:
            opens = _next_opens(case, case.rings[ring], members, done, opens)
    return done, sent


def _installs(case: Case, site: Site, pc: Pc, ready: float, start: float, chance: Random) -> float:
    at = pc.first_on(ready) + chance.uniform(*LAN_SECONDS)
    openings = _openings(case, site, start)
    if openings is not None:
        forced = start + case.forced_days * DAY
        at = min(
            (max(at, pc.first_on(max(at, begin))) for begin, end in openings if pc.first_on(max(at, begin)) <= end),
            default=math.inf,
        )
        at = min(at, max(pc.first_on(forced), forced))
    return at + INSTALL_MEDIAN * math.exp(chance.gauss(0.0, INSTALL_SPREAD))


def _next_opens(case: Case, ring: PlannedRing, members: Sequence[Pc], done: dict[int, float], opened: float) -> float:
    """Return when the next ring opens, by the rules that the product has."""
    now = opened + ring.soak_seconds
    silent_after = case.silent_days * DAY
    while now < opened + LONGEST:
        installed = sum(done[id(pc)] <= now for pc in members)
        silent = sum(
            done[id(pc)] > now and not pc.on_at(now) and pc.last_seen(now) <= now - silent_after for pc in members
        ) if now >= opened + silent_after else 0  # fmt: skip
        tally = RingTally(installed=installed, silent=silent, waiting=len(members) - installed - silent)
        if ring_is_through(ring, tally, opened) is None:
            return now
        now += LOOK_SECONDS
    return now
