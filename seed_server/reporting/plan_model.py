"""When a patch will be at each site, how much crosses the line for it, and how sure that is: a Monte Carlo model. Pure.

A site's finish is when `DONE_SHARE` of its usual PCs have the patch; `plan_draws` says what happens in each draw.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from seed_server.reporting.plan_draws import DONE_SHARE, DrawnSite, Draws, drawn_sites
from seed_server.reporting.plan_facts import Chance, PlanFacts
from seed_server.reporting.plan_weeks import most_in

DRAWS = 48
P50, P90 = 0.5, 0.9


@dataclass(frozen=True, slots=True)
class SiteForecast:
    """What is expected at one site; moments in seconds since 1970, infinite: never, as far as it can be seen."""

    name: str
    pcs: int
    """Usual PCs that do not have it yet."""
    needed: int
    """So many of them make the finish."""
    away: int
    done: int
    wan_bytes: int
    line_share: float | None
    """Of the line, while it runs; None: what the line carries is not known."""
    in_windows: int | None
    """Of the PCs, how many are usually on in a maintenance window; None: there are no windows."""
    finish_p50: float
    finish_p90: float
    line_known: bool
    presence_known: bool
    built_from: tuple[str, ...]
    smaller: bool
    """As `PlannedSite.smaller`."""


@dataclass(frozen=True, slots=True)
class RingForecast:
    """What is expected of one ring."""

    name: str
    pcs: int
    opens_p50: float
    opens_p90: float
    stops: bool
    """Whether as many failures as there are otherwise would halt the rollout."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is expected of a patch."""

    start: float
    sites: tuple[SiteForecast, ...]
    rings: tuple[RingForecast, ...]
    finish_p50: float
    """When sites with `DONE_SHARE` of the PCs have finished."""
    finish_p90: float
    last_p50: float
    """When the last site has finished."""
    last_p90: float
    pcs: int
    wan_bytes: int


def forecast(facts: PlanFacts, chance: Chance, draws: int = DRAWS) -> Forecast:
    """Return what is expected, from as many draws."""
    sites = drawn_sites(facts)
    run = Draws(facts, sites, chance)
    finishes: list[list[float]] = [[] for _ in sites]
    wholes, lasts = [], []
    opened: list[list[float]] = [[] for _ in range(run.rings)]
    for _ in range(draws):
        found = run.draw(opened)
        for place, at in enumerate(found):
            finishes[place].append(at)
        wholes.append(_weighted(found, [site.pcs for site in sites]))
        lasts.append(max((at for at, site in zip(found, sites, strict=True) if site.pcs), default=facts.start))
    rings = tuple(
        RingForecast(
            facts.rings[ring].name if ring < len(facts.rings) else "",
            run.ring_pcs[ring], _quantile(opened[ring], P50), _quantile(opened[ring], P90), run.stops[ring],
        )
        for ring in range(run.rings)
    )  # fmt: skip
    return Forecast(
        start=facts.start,
        sites=tuple(_site_forecast(facts, site, at) for site, at in zip(sites, finishes, strict=True)),
        rings=rings,
        finish_p50=_quantile(wholes, P50),
        finish_p90=_quantile(wholes, P90),
        last_p50=_quantile(lasts, P50),
        last_p90=_quantile(lasts, P90),
        pcs=sum(site.pcs for site in sites),
        wan_bytes=sum(_wan_bytes(facts, site) for site in sites),
    )


def _site_forecast(facts: PlanFacts, site: DrawnSite, finishes: Sequence[float]) -> SiteForecast:
    one = site.facts
    windows = None if one.openings is None else round(site.pcs * most_in(site.week, one.openings, facts.start))
    return SiteForecast(
        name=one.name,
        pcs=site.pcs,
        needed=site.needed,
        away=sum(part.away for part in one.parts),
        done=sum(part.done for part in one.parts),
        wan_bytes=_wan_bytes(facts, site),
        line_share=_line_share(facts, site),
        in_windows=windows,
        finish_p50=_quantile(finishes, P50),
        finish_p90=_quantile(finishes, P90),
        line_known=site.outlook.known,
        presence_known=site.presence_known,
        built_from=one.built_from,
        smaller=one.smaller,
    )


def _wan_bytes(facts: PlanFacts, site: DrawnSite) -> int:
    return round(site.bytes * facts.ratio)


def _line_share(facts: PlanFacts, site: DrawnSite) -> float | None:
    capacity, count = site.facts.capacity, _wan_bytes(facts, site)
    if not capacity or not count:
        return None
    end = site.curve.when(facts.start, count)
    return min(1.0, count / (end - facts.start) / capacity) if end > facts.start else 0.0


def _weighted(moments: Sequence[float], weights: Sequence[int]) -> float:
    """Return the moment by which `DONE_SHARE` of the weight is there."""
    wanted, found = DONE_SHARE * sum(weights), 0.0
    last = 0.0
    for at, weight in sorted(zip(moments, weights, strict=True)):
        found += weight
        last = at
        if found >= wanted - 1e-9:
            return at
    return last


def _quantile(values: Sequence[float], part: float) -> float:
    ordered = sorted(values)
    place = part * (len(ordered) - 1)
    low = math.floor(place)
    first, second = ordered[low], ordered[min(low + 1, len(ordered) - 1)]
    return first if first == second or not math.isfinite(second) else first + (second - first) * (place - low)
