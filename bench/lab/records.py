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
from bench.lab.scenario import Scenario

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
    def was_late(self) -> bool:
        """Whether the line itself did not get the processor in time."""
        return self.late_share > MAX_LATE_SHARE

    @property
    def was_the_limit(self) -> bool:
        """Whether this machine limited the run, which then says nothing."""
        return self.busy_share > MAX_BUSY_SHARE or self.was_late


class Footprint(msgspec.Struct, frozen=True):
    """Of the PC that needed most, its daemon and network part together; None: a run of before there were two."""

    both_sharing_bytes: int | None = None
    """At most while the file came; what both have in memory of one file counts once."""
    both_idle_bytes: int | None = None
    """After it."""
    both_idle_cpu_share: float | None = None


class Series(msgspec.Struct, frozen=True):
    """For plots: one value for each `SERIES_STEP_MS` from the file's start."""

    step_ms: float
    managed_mbit: list[float]
    business_mbit: list[float]
    queue_ms: list[float]


class Record(msgspec.Struct, frozen=True):
    """One run. A field with a default is missing in runs of an older lab."""

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
    series: Series | None
    """None: it has no picture, see `bench.lab.report`."""
    configured: bool = True
    repeat: int = 1
    fingerprint: str = ""
    """Of the scenario's definition."""
    first_byte_seconds: float | None = None
    """From the end of publishing to the file's first byte on the line; 0 when it came before that."""
    after_last_byte_seconds: float | None = None
    """From the file's last byte on the line to the last PC that has proven it."""
    hashing_seconds: float | None = None
    """What hashing the file on all PCs takes this machine, with all its processors."""
    line_seconds: float | None = None
    """As `seconds`, but of the time beside late business only what the file took of the line, at its full rate."""
    harm_pauses: int | None = None
    """How often leasing paused at all sites because business suffered; None: an alternative."""


class Times(msgspec.Struct, frozen=True):
    """When the events of a run happened, in ms of the monotonic clock."""

    start: float
    end: float
    """The last PC had the file, or the run was given up."""
    told: float | None = None
    """The file was published; None: an alternative, which begins at `start`."""
    business_end: float | None = None
    """Business had ended; late business if there was any."""
    late: tuple[float, float] | None = None
    """From and to when there was late business."""


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


class Part(msgspec.Struct, frozen=True):
    """A stretch of a run, and the business that ran in it."""

    start: float
    end: float
    logs: BusinessLogs


def business_of(parts: Sequence[Part]) -> Business | None:
    """Return the figures of several stretches together, each from the first stretch that has it; None of none."""
    figures = [part.logs.between(part.start, part.end) for part in parts if part.end > part.start]
    if not figures:
        return None
    return Business(
        sum(each.seconds for each in figures),
        next((each.download_mbit for each in figures if each.download_mbit is not None), None),
        next((each.call for each in figures if each.call is not None), None),
        next((each.pages for each in figures if each.pages is not None), None),
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
    *,
    down: DirectionLog,
    finished_ms: Mapping[int, float],
    wanted: Sequence[int],
    payload_bytes: int,
    origin_bytes: int | None,
    processor: Processor,
    alone: Sequence[Part] = (),
    beside: Sequence[Part] = (),
    uplink: DirectionLog | None = None,
    footprint: Footprint | None = None,
    hashing_seconds: float | None = None,
    harm_pauses: int | None = None,
    repeat: int = 1,
) -> Record:
    """Return the record of a run, from its logs and times. Parts beside the file are cut off where the run ended."""
    rate = scenario.line.down.rate_mbit
    start, end = times.start, times.end
    finished = all(k in finished_ms for k in wanted)
    seconds = (max(finished_ms[k] for k in wanted) - start) / 1000 if finished else None
    file_and_branches = scenario.file_bytes * scenario.branches
    business_end = times.business_end
    # a flow that gives way to business is not stalled
    gave_way = business_end is not None and "cubic" in (*scenario.business, *scenario.late)
    free_from = business_end if business_end is not None and gave_way else start
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
    first = down.bulk_from_ms(start, end, rate) if times.told is not None else None
    last = down.last_full_packet_ms(start, end) if times.told is not None and finished else None
    unlimited = scenario.busy_processors  # the machine is busy on purpose: only a late line makes such a run void
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
        alone=business_of(alone),
        beside=business_of([msgspec.structs.replace(part, end=min(part.end, end)) for part in beside]),
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
        processor_was_the_limit=processor.was_late if unlimited else processor.was_the_limit,
        series=Series(
            SERIES_STEP_MS,
            _rounded(down.rate_series(start, end, SERIES_STEP_MS, [MANAGED])),
            _rounded(down.rate_series(start, end, SERIES_STEP_MS, [BUSINESS])),
            _rounded(down.queue_series(start, end, SERIES_STEP_MS)),
        ),
        configured=scenario.configured,
        repeat=repeat,
        fingerprint=scenario.fingerprint,
        first_byte_seconds=max(0.0, first - times.told) / 1000 if first and times.told is not None else None,
        after_last_byte_seconds=(end - last) / 1000 if last is not None else None,
        hashing_seconds=hashing_seconds,
        line_seconds=_line_seconds(seconds, down, rate, times),
        harm_pauses=harm_pauses,
    )


def _line_seconds(seconds: float | None, down: DirectionLog, rate_mbit: float, times: Times) -> float | None:
    if seconds is None or times.late is None:
        return seconds
    begun, ended = times.late[0], min(times.late[1], times.end)
    if ended <= begun:
        return seconds
    taken_ms = down.sent_bytes(begun, ended, [MANAGED]) * 8 / (rate_mbit * 1000)
    return seconds - (ended - begun - taken_ms) / 1000


def _use(uplink: DirectionLog | None, scenario: Scenario, times: Times) -> float | None:
    if uplink is None or scenario.uplink is None:
        return None
    bits = uplink.sent_bytes(times.start, times.end) * 8
    return bits / ((times.end - times.start) * scenario.uplink.down.rate_mbit * 1000)


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 2) for value in values]
