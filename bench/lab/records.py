"""What is kept of a run, and how it is computed from the run's logs. Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from bench.lab.measures import (
    Goodput,
    Page,
    VoipPacket,
    fairness_gap,
    line_limit_seconds,
    page_figures,
    regained_after_ms,
    voip_figures,
)
from bench.lab.queue_log import BUSINESS, MANAGED, DirectionLog
from bench.lab.scenarios import Scenario

STEP_MS = 100.0
SERIES_STEP_MS = 500.0
REGAINED_SHARE = 0.9
REGAINED_STEPS = 5  # of 100 ms: their mean must have the rate
HIGH_QUEUE_MS = 50.0
STALL_SHARE = 0.01  # of the line: with less, nothing moves
MAX_LATE_SHARE = 0.02
MAX_BUSY_SHARE = 0.9


class Delay(msgspec.Struct, frozen=True):
    """A call's one-way delay towards the branch."""

    packets: int
    lost: int
    p50_ms: float
    p95_ms: float


class Pages(msgspec.Struct, frozen=True):
    """Loads of a page."""

    count: int
    median_ms: float
    p95_ms: float


class Business(msgspec.Struct, frozen=True):
    """The business in one part of a run; None: there was no such business."""

    seconds: float
    download_mbit: float | None = None
    call: Delay | None = None
    pages: Pages | None = None


class Processor(msgspec.Struct, frozen=True):
    """Whether the run measured the network or this machine."""

    busy_share: float
    late_share: float
    """Share of the line's packets that came out over 1 ms late."""

    @property
    def was_the_limit(self) -> bool:
        """Whether this machine limited the run, which then says nothing."""
        return self.busy_share > MAX_BUSY_SHARE or self.late_share > MAX_LATE_SHARE


class Footprint(msgspec.Struct, frozen=True):
    """Of the endpoint daemon that needed most."""

    rss_sharing_bytes: int
    rss_idle_bytes: int
    cpu_idle_share: float


class Series(msgspec.Struct, frozen=True):
    """For plots: one value for each `SERIES_STEP_MS` from the file's start."""

    step_ms: float
    managed_mbit: list[float]
    business_mbit: list[float]
    queue_ms: list[float]


class Record(msgspec.Struct, frozen=True):
    """One run."""

    scenario: str
    method: str
    file_bytes: int
    endpoints: int
    rate_mbit: float
    finished: bool
    """All PCs that were not killed have the file."""
    seconds: float | None
    """From the start to the last PC."""
    time_ratio: float | None
    """Those seconds ÷ the least that the line needs."""
    wan_ratio: float
    """Payload bytes (above TCP and UDP) towards the managed PCs, as the line counts them, ÷ (file × branches)."""
    origin_ratio: float | None
    """The same ratio as our daemons count payload; None for the alternatives."""
    alone: Business | None
    beside: Business | None
    queue_p50_ms: float
    queue_p95_ms: float
    use: float
    """Share of the line that was used until the last PC had the file."""
    high_queue_seconds: float
    longest_stall_seconds: float
    regained_seconds: float | None
    """From the end of business until 90 % of the line was ours again."""
    branch_seconds: list[float]
    branch_gap: float
    uplink_use: float | None
    footprint: Footprint | None
    processor: Processor
    processor_was_the_limit: bool
    series: Series


class Times(msgspec.Struct, frozen=True):
    """When the events of a run happened, in ms of the monotonic clock."""

    start: float
    end: float
    """The last PC had the file, or the run was given up."""
    alone_from: float | None = None
    business_end: float | None = None


class BusinessLogs(msgspec.Struct, frozen=True):
    """The logs of the business programs."""

    download: Goodput | None = None
    call: Sequence[VoipPacket] | None = None
    pages: Sequence[Page] | None = None

    def between(self, start_ms: float, end_ms: float) -> Business:
        """Return the figures from ``start_ms`` to ``end_ms``."""
        heard = voip_figures(self.call, start_ms, end_ms) if self.call is not None else None
        seen = page_figures(self.pages, start_ms, end_ms) if self.pages is not None else None
        return Business(
            (end_ms - start_ms) / 1000,
            self.download.mbit_per_second(start_ms, end_ms) if self.download else None,
            Delay(heard.packets, heard.lost, heard.p50_ms, heard.p95_ms) if heard else None,
            Pages(seen.pages, seen.median_ms, seen.p95_ms) if seen else None,
        )


def longest_stall_seconds(rates: Sequence[float], least: float, step_ms: float) -> float:
    """Return the longest time in which every step had less than ``least``."""
    longest = now = 0
    for rate in rates:
        now = now + 1 if rate < least else 0
        longest = max(longest, now)
    return longest * step_ms / 1000


def record_of(  # noqa: PLR0913 - a record is put together from all that a run has
    scenario: Scenario,
    times: Times,
    logs: BusinessLogs,
    *,
    down: DirectionLog,
    finished_ms: Mapping[int, float],
    wanted: Sequence[int],
    payload_bytes: int,
    origin_bytes: int | None,
    processor: Processor,
    uplink: DirectionLog | None = None,
    footprint: Footprint | None = None,
) -> Record:
    """Return the record of a run, from its logs and times."""
    rate = scenario.line.down.rate_mbit
    start, end = times.start, times.end
    finished = all(k in finished_ms for k in wanted)
    seconds = (max(finished_ms[k] for k in wanted) - start) / 1000 if finished else None
    file_and_branches = scenario.file_bytes * scenario.branches
    business_end = times.business_end
    beside_end = min(end, business_end) if business_end is not None else end
    # a flow that gives way to business is not stalled
    free_from = business_end if business_end is not None and "cubic" in scenario.business else start
    free_rates = down.rate_series(free_from, end, STEP_MS, [MANAGED]) if end > free_from + STEP_MS else []
    by_branch = [
        (
            max((finished_ms.get(k, end) for k in wanted if (k - 1) // scenario.endpoints == number), default=start)
            - start
        )
        / 1000
        for number in range(scenario.branches)
    ]
    regained = regained_after_ms(free_rates, STEP_MS, REGAINED_SHARE * rate, steps=REGAINED_STEPS)
    bits = down.sent_bytes(start, end) * 8
    return Record(
        scenario=scenario.name,
        method=scenario.method,
        file_bytes=scenario.file_bytes,
        endpoints=scenario.endpoints,
        rate_mbit=rate,
        finished=finished,
        seconds=seconds,
        time_ratio=seconds / line_limit_seconds(scenario.file_bytes, rate) if seconds is not None else None,
        wan_ratio=payload_bytes / file_and_branches,
        origin_ratio=origin_bytes / file_and_branches if origin_bytes is not None else None,
        alone=logs.between(times.alone_from, start) if times.alone_from is not None else None,
        beside=logs.between(start, beside_end) if times.alone_from is not None else None,
        queue_p50_ms=down.queue_percentile_ms(0.5, start, end),
        queue_p95_ms=down.queue_percentile_ms(0.95, start, end),
        use=bits / ((end - start) * rate * 1000),
        high_queue_seconds=down.seconds_above(HIGH_QUEUE_MS, start, end),
        longest_stall_seconds=longest_stall_seconds(free_rates, STALL_SHARE * rate, STEP_MS),
        regained_seconds=regained / 1000 if business_end is not None and regained is not None else None,
        branch_seconds=by_branch,
        branch_gap=fairness_gap(by_branch),
        uplink_use=_use(uplink, scenario, times),
        footprint=footprint,
        processor=processor,
        processor_was_the_limit=processor.was_the_limit,
        series=Series(
            SERIES_STEP_MS,
            _rounded(down.rate_series(start, end, SERIES_STEP_MS, [MANAGED])),
            _rounded(down.rate_series(start, end, SERIES_STEP_MS, [BUSINESS])),
            _rounded(down.queue_series(start, end, SERIES_STEP_MS)),
        ),
    )


def _use(uplink: DirectionLog | None, scenario: Scenario, times: Times) -> float | None:
    if uplink is None or scenario.uplink is None:
        return None
    bits = uplink.sent_bytes(times.start, times.end) * 8
    return bits / ((times.end - times.start) * scenario.uplink.down.rate_mbit * 1000)


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 2) for value in values]
