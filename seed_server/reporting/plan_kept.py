"""What was planned for a rollout, as it is kept, and what became of it. Pure."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import Record
from seed_server.reporting.plan_model import Forecast
from seed_server.store.plan_rows import DoneWord

MAX_FORECAST_BYTES = 8 << 20  # of 20,000 sites with names of 64 signs in any script
LEAST_COMPARED_SECONDS = 60.0  # what took less is not compared: an error of a minute would be one of a hundred percent


class KeptSite(Record, frozen=True):
    """What was planned at one site."""

    name: str
    pcs: int
    needed: int
    wan_bytes: int
    finish_p50: float | None
    """None: never, as far as it could be seen."""
    finish_p90: float | None
    sent_before: int
    """What had gone there of the patch's files when it was planned, in bytes."""
    known: bool
    """Whether its line and its PCs were known."""


class KeptForecast(Record, frozen=True):
    """A whole plan."""

    format: Literal[1]
    start: float
    made_at: float
    finish_p50: float | None
    finish_p90: float | None
    sites: tuple[KeptSite, ...]


@dataclass(frozen=True, slots=True)
class PlanOutcome:
    """What became of the plan of one site."""

    finish: float | None
    """When it was done; None: not yet."""
    done: int
    """How many PCs are through since the start."""
    wan_bytes: int
    """What has crossed its line since the plan was made."""
    error: float | None
    """Planned ÷ actual time − 1; None: there is nothing to compare."""


def kept_forecast(forecast: Forecast, sent_before: Mapping[str, int], made_at: float) -> KeptForecast:
    """Return a plan as it is kept."""
    return KeptForecast(
        format=1,
        start=forecast.start,
        made_at=made_at,
        finish_p50=finite(forecast.finish_p50),
        finish_p90=finite(forecast.finish_p90),
        sites=tuple(
            KeptSite(
                name=site.name,
                pcs=site.pcs,
                needed=site.needed,
                wan_bytes=site.wan_bytes,
                finish_p50=finite(site.finish_p50),
                finish_p90=finite(site.finish_p90),
                sent_before=sent_before.get(site.name, 0),
                known=site.line_known and site.presence_known,
            )
            for site in forecast.sites
        ),
    )


def encode_forecast(kept: KeptForecast) -> bytes:
    """Return a plan as the database has it."""
    return codec.encode(kept)


def decode_forecast(data: bytes) -> KeptForecast:
    """Return a plan that was kept. Raises `DecodeError`."""
    found: KeptForecast = codec.decode(data, KeptForecast, max_bytes=MAX_FORECAST_BYTES)
    return found


def outcomes(kept: KeptForecast, done: Iterable[DoneWord], sent: Mapping[str, int]) -> dict[str, PlanOutcome]:
    """Return what became of each site of a plan; ``sent``: what went there of the patch's files up to now."""
    moments: dict[str, list[float]] = defaultdict(list)
    for word in done:
        moments[word.site].append(word.at)
    found = {}
    for site in kept.sites:
        ours = sorted(moments.get(site.name, []))
        finish = ours[site.needed - 1] if 0 < site.needed <= len(ours) else None
        crossed = max(0, sent.get(site.name, 0) - site.sent_before)
        found[site.name] = PlanOutcome(finish, len(ours), crossed, _error(kept.start, site.finish_p50, finish))
    return found


def whole_finish(kept: KeptForecast, found: Mapping[str, PlanOutcome], share: float) -> float | None:
    """Return when sites with this share of the PCs had finished; None: not yet."""
    wanted, reached = share * sum(site.pcs for site in kept.sites), 0
    weights = {site.name: site.pcs for site in kept.sites}
    finished = [(outcome.finish, weights[name]) for name, outcome in found.items() if outcome.finish is not None]
    for at, weight in sorted(finished):
        reached += weight
        if reached >= wanted - 1e-9:
            return at
    return None


def finite(moment: float) -> float | None:
    """Return a moment, or None for never."""
    return moment if math.isfinite(moment) else None


def _error(start: float, planned: float | None, actual: float | None) -> float | None:
    if planned is None or actual is None or actual - start < LEAST_COMPARED_SECONDS:
        return None
    return (planned - start) / (actual - start) - 1
