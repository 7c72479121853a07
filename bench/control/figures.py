"""The figures kept of a run, and those of a cell, from its runs. "Never" is written as null."""

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import Any

import msgspec

from bandwidth.simulator.meters import percentile
from bandwidth.simulator.scenario import Metrics, Scenario

RAMP_ALLOWED_SECONDS = 5.0  # the use of an idle line is counted from then on; the ramp has a figure of its own


class RunFigures(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run. Seconds, bytes and shares; queue and delays are of the time in which business may run."""

    line_bytes: float
    """What the line could carry."""
    business_bytes: int
    scavenger_bytes: int
    idle_use: float
    """The scavenger's share of a line that it has alone."""
    own_queue_p95: float
    ramp: float | None
    queue_p50: float
    queue_p95: float
    queue_p99: float
    lost_packets: int
    voip_p50: float = 0.0
    voip_p95: float = 0.0
    voip_p99: float = 0.0
    voip_lost: float = 0.0
    pages: tuple[float, ...] = ()
    """Seconds of each page, in order."""
    frame_p95: float = 0.0
    """Delay of a video call's frame: from capture until the last bit has left the bottleneck."""
    yields: tuple[float | None, ...] = ()
    regains: tuple[float | None, ...] = ()


def run_figures(scenario: Scenario, metrics: Metrics) -> RunFigures:
    """Return what is kept of ``metrics``."""
    idle = scenario.business_from_seconds >= scenario.duration_seconds
    settled = metrics.scavenger_rate[int(RAMP_ALLOWED_SECONDS) :]
    return RunFigures(
        line_bytes=metrics.line_bytes,
        business_bytes=metrics.business_bytes,
        scavenger_bytes=metrics.scavenger_bytes,
        idle_use=sum(settled) / len(settled) / scenario.line_rate if idle else metrics.idle_use,
        own_queue_p95=metrics.own_queue_p95,
        ramp=metrics.ramp_seconds,
        queue_p50=metrics.queue_p50,
        queue_p95=metrics.queue_p95,
        queue_p99=metrics.queue_p99,
        lost_packets=metrics.lost_packets,
        voip_p50=metrics.voip_p50,
        voip_p95=metrics.voip_p95,
        voip_p99=metrics.voip_p99,
        voip_lost=metrics.voip_lost_share,
        pages=tuple(round(seconds, 5) for seconds in metrics.page_seconds),
        frame_p95=metrics.video_call_p95,
        yields=tuple(_or_null(seconds) for seconds in metrics.yield_seconds),
        regains=tuple(_or_null(seconds) for seconds in metrics.regain_seconds),
    )


class CellFigures(msgspec.Struct, frozen=True, omit_defaults=True):
    """A sender in a cell: medians over the seeds, and lists over all seeds. None: there is nothing of the kind."""

    use: float
    """Everybody's bytes ÷ what the line could carry while business may run; on an idle line the sender's."""
    queue_p95_ms: float
    idle_use: float
    own_queue_p95_ms: float
    ramp_s: float | None
    keeps: float | None = None
    """Business bytes together ÷ alone."""
    spare: float | None = None
    """The sender's bytes ÷ what business alone leaves of the line."""
    voip_added_p50_ms: float | None = None
    voip_added_p95_ms: float | None = None
    voip_added_p99_ms: float | None = None
    voip_added_lost: float | None = None
    page_growth_p50: float | None = None
    """Percentile of the page times together ÷ alone, less 1; over the pages that both runs had, of all seeds."""
    page_growth_p95: float | None = None
    pages: int | None = None
    frame_added_p95_ms: float | None = None
    yields_ms: tuple[int | None, ...] = ()
    """For each onset of a bulk transfer: time until a tenth of the rate before."""
    regains_ms: tuple[int | None, ...] = ()
    """For each end: time until 90 % of the rate before."""


def cell_figures(pairs: Sequence[tuple[RunFigures, RunFigures | None]]) -> CellFigures:
    """Return the figures of a cell from (together, alone) of each seed; alone is None on the idle line."""
    together = [run for run, _ in pairs]
    compared = [(run, alone) for run, alone in pairs if alone is not None and alone.business_bytes]
    return CellFigures(
        use=_share(
            _median((run.business_bytes + run.scavenger_bytes) / run.line_bytes for run in together)
            if compared
            else _median(run.idle_use for run in together)
        ),
        queue_p95_ms=_ms(_median(run.queue_p95 for run in together)),
        idle_use=_share(_median(run.idle_use for run in together)),
        own_queue_p95_ms=_ms(_median(run.own_queue_p95 for run in together)),
        ramp_s=_finite(_median(math.inf if run.ramp is None else run.ramp for run in together)),
        yields_ms=tuple(_whole_ms(seconds) for run in together for seconds in run.yields),
        regains_ms=tuple(_whole_ms(seconds) for run in together for seconds in run.regains),
        **(_beside_business(compared) if compared else {}),
    )


def _beside_business(compared: Sequence[tuple[RunFigures, RunFigures]]) -> dict[str, Any]:
    def added(figure: Callable[[RunFigures], float]) -> float:
        return _median(figure(run) - figure(alone) for run, alone in compared)

    found: dict[str, Any] = {
        "keeps": _share(_median(run.business_bytes / alone.business_bytes for run, alone in compared)),
        "spare": _share(
            _median(run.scavenger_bytes / max(1.0, alone.line_bytes - alone.business_bytes) for run, alone in compared)
        ),
    }
    if any(alone.voip_p50 for _, alone in compared):
        found |= {
            "voip_added_p50_ms": _ms(added(lambda run: run.voip_p50)),
            "voip_added_p95_ms": _ms(added(lambda run: run.voip_p95)),
            "voip_added_p99_ms": _ms(added(lambda run: run.voip_p99)),
            "voip_added_lost": _share(added(lambda run: run.voip_lost)),
        }
    if any(alone.frame_p95 for _, alone in compared):
        found["frame_added_p95_ms"] = _ms(added(lambda run: run.frame_p95))
    # a page is the same in both runs by its number; a slower run has fewer of them
    pages = [both for run, alone in compared for both in zip(run.pages, alone.pages, strict=False)]
    if pages:
        here, alone = [page for page, _ in pages], [page for _, page in pages]
        found |= {
            "page_growth_p50": _share(percentile(here, 0.50) / percentile(alone, 0.50) - 1),
            "page_growth_p95": _share(percentile(here, 0.95) / percentile(alone, 0.95) - 1),
            "pages": len(pages),
        }
    return found


def _median(values: Iterable[float]) -> float:
    return float(median(values))


def _or_null(seconds: float) -> float | None:
    return None if math.isinf(seconds) else round(seconds, 3)


def _finite(seconds: float) -> float | None:
    return None if math.isinf(seconds) else round(seconds, 2)


def _share(value: float) -> float:
    return round(value, 4)


def _ms(seconds: float) -> float:
    return round(seconds * 1_000, 2)


def _whole_ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1_000)
