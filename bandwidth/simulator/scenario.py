"""A run of one line: what business does, what the scavenger does, and what is measured.

`run` returns a pair: the same business, from the same seed, with the scavenger and
alone. Harm is the difference (Ware et al., Beyond Jain's Fairness Index, 2019).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from bandwidth.core.controller import Controller, ControllerSettings, Decision
from bandwidth.core.units import MBIT, BytesPerSecond
from bandwidth.simulator.building import Business, build_business, build_link, build_scavenger
from bandwidth.simulator.events import Simulator
from bandwidth.simulator.link import Link
from bandwidth.simulator.loss import RandomLoss
from bandwidth.simulator.meters import Meter, percentile
from bandwidth.simulator.ours import NO_WINDOW, STEADY_WINDOW, Law, OurSender
from bandwidth.simulator.path import NetworkPath
from bandwidth.simulator.rates import ConstantRate, LineRate, PiecewiseRate, radio_rate

FIRST_LATER_KEY = 64  # of the connections that business opens during the run
LONG_QUEUE_SECONDS = 0.05
SETTLED_SECONDS = 3.0  # the rate before business begins is the mean over this long


@dataclass(frozen=True, slots=True)
class Scenario:
    """One cell of a matrix. All times in seconds from the start of the run."""

    line_mbit: float = 20.0
    """Rate of the line, Mbit/s (10^6 bit/s)."""
    rtt_seconds: float = 0.04
    """Round trip without a queue."""
    queue: str = "250 ms"
    """``"N packets"``, ``"N bdp"``, ``"N ms"`` (FIFO), or ``codel``, ``fq_codel``, ``pie``."""
    business: str = "idle"
    """Names of `building.BUSINESS`, joined by ``+``; a number before a name means so many of them."""
    scavenger: str = "ours"
    """A name of `building.SCAVENGERS`; ``none``: business alone."""
    duration_seconds: float = 60.0
    """Length of the run."""
    scavenger_from_seconds: float = 0.0
    """When the scavenger begins, from the start of the run."""
    business_from_seconds: float = 10.0
    """When business begins, likewise."""
    business_until_seconds: float = 50.0
    """When business ends, likewise."""
    seed: int = 1
    """Of all that is random; the same seed gives the same run."""
    business_visible: bool = True
    """Whether our controller is told what business transfers (feed-forward)."""
    capacity_configured: bool = True
    """Whether our controller is told the line's rate."""
    kernel_window: bool = True
    """Whether TCP's own window limits our sender under its pacing, as it does in a kernel."""
    window: str = STEADY_WINDOW
    """Which window that is: `cubic`; or `steady`, as BBR's while it starts up, which no loss makes smaller."""
    radio: bool = False
    """A rate that wanders like a wireless link's between 40 % of ``line_mbit`` and all of it."""
    drop_share: float = 1.0
    """For a time the line carries only this share of its rate."""
    drop_from_seconds: float = 0.0
    """When that time begins, from the start of the run."""
    drop_until_seconds: float = 0.0
    """When it ends, likewise."""
    loss: float = 0.0
    """Share of packets that the line loses at random on the way to the site, behind its bottleneck."""
    loss_back: float = 0.0
    """The same for the way back."""

    @property
    def line_rate(self) -> float:
        """Bytes per second."""
        return self.line_mbit * MBIT

    def rate(self, randomness: random.Random) -> LineRate:
        """Return the line's rate over time."""
        if self.radio:
            return radio_rate(self.line_rate, self.duration_seconds, randomness)
        if self.drop_from_seconds < self.drop_until_seconds:
            dropped = (self.drop_from_seconds, self.line_rate * self.drop_share)
            return PiecewiseRate([(0.0, self.line_rate), dropped, (self.drop_until_seconds, self.line_rate)])
        return ConstantRate(self.line_rate)


@dataclass(frozen=True, slots=True)
class Metrics:
    """What was measured in one run. Queue and telephone delays are from the time in which business may run."""

    utilisation: float
    """All bytes ÷ what the line can carry, from 2 s to the end."""
    idle_use: float
    """The scavenger's share of the line while it is alone: the last 3 s before business starts."""
    own_queue_p95: float
    """Seconds of true queue while the scavenger is alone: from 3 s to the start of business."""
    line_bytes: float
    """What the line could carry while business may run."""
    business_bytes: int
    """While business may run."""
    scavenger_bytes: int
    """While business may run."""
    scavenger_rate: tuple[float, ...]
    """Bytes per second, second by second."""
    business_rate: tuple[float, ...]
    """Bytes per second, second by second."""
    queue_seconds: tuple[float, ...]
    """95th percentile of the true queue's delay, second by second."""
    queue_p50: float
    queue_p95: float
    queue_p99: float
    voip_p50: float
    voip_p95: float
    voip_p99: float
    """One-way delay at the bottleneck in seconds, with the packet's own time."""
    voip_lost_share: float
    page_seconds: tuple[float, ...]
    """Of each page, in order."""
    page_starts: tuple[float, ...]
    """When each was asked for, likewise."""
    video_mbit: float
    """Mean quality of the chunks."""
    ramp_seconds: float | None
    """Seconds from the start until 90 % of the line is used; None: never."""
    yield_seconds: tuple[float, ...]
    """For each onset: until the sender is at or below a tenth of its rate before; infinite: never."""
    regain_seconds: tuple[float, ...]
    """For each end that leaves the line idle: until it is back at 90 % of its rate before; infinite: never."""
    lost_packets: int
    """At the bottleneck, of all flows."""
    long_queue_seconds: float
    """Of the whole run, in which the true queue was longer than 50 ms."""
    decisions: tuple[tuple[float, Decision], ...] = ()
    """Our controller's, for traces; empty for rivals."""
    video_call_bytes: int = 0
    """Of all video calls."""
    video_call_p95: float = 0.0
    video_call_p99: float = 0.0
    """Of frames that arrived whole: seconds from capture until the last bit has left the bottleneck."""
    video_call_lost_share: float = 0.0
    """Of frames."""
    video_call_frozen_share: float = 0.0
    """Of the time of the calls."""


@dataclass(frozen=True, slots=True)
class Result:
    """A run and the same business alone."""

    scenario: Scenario
    together: Metrics
    alone: Metrics

    @property
    def business_keeps(self) -> float:
        """Business bytes together ÷ alone; 1.0 when there is none."""
        return self.together.business_bytes / self.alone.business_bytes if self.alone.business_bytes else 1.0

    @property
    def voip_added_p95(self) -> float:
        """Seconds of one-way delay."""
        return self.together.voip_p95 - self.alone.voip_p95

    @property
    def voip_added_p99(self) -> float:
        """Seconds of one-way delay."""
        return self.together.voip_p99 - self.alone.voip_p99

    def page_growth(self, share: float) -> float:
        """Return by how much the ``share`` percentile of the page times has grown: 0.03 is 3 %; 0.0 without pages."""
        alone = percentile(list(self.alone.page_seconds), share)
        return percentile(list(self.together.page_seconds), share) / alone - 1 if alone else 0.0

    @property
    def spare_captured(self) -> float:
        """The scavenger's bytes while business may run ÷ what business alone leaves (it must leave some)."""
        spare = self.alone.line_bytes - self.alone.business_bytes
        return self.together.scavenger_bytes / spare if spare > 0 else 0.0


LawMaker = Callable[[Scenario], Law]


def shipped_law(scenario: Scenario) -> Law:
    """Return the shipped controller, configured as the scenario says."""
    capacity = BytesPerSecond(int(scenario.line_rate)) if scenario.capacity_configured else None
    return Controller(ControllerSettings(capacity=capacity), 0.0)


def run(scenario: Scenario, law: LawMaker = shipped_law) -> Result:
    """Run ``scenario`` and its business alone. ``law`` makes the controller of our own sender."""
    # without a scavenger these make no difference, so that one cached run serves all
    bare = replace(scenario, business_visible=True, capacity_configured=True, kernel_window=True, window=STEADY_WINDOW)
    alone = _alone(replace(bare, scavenger="none"))
    return Result(scenario, alone if scenario.scavenger == "none" else simulate(scenario, law), alone)


@lru_cache(maxsize=64)
def _alone(scenario: Scenario) -> Metrics:
    return simulate(scenario)


def simulate(scenario: Scenario, law: LawMaker = shipped_law, on_second: Callable[[], None] = lambda: None) -> Metrics:
    """Run once: a function of its arguments, bit for bit. ``on_second`` is called after each simulated second."""
    simulator = Simulator()
    # one generator for each part, so that business is the same with and without a scavenger
    line, queue, business_draw, scavenger_draw = (
        random.Random(f"{scenario.seed} {part}")  # noqa: S311
        for part in ("line", "queue", "business", "scavenger")
    )
    rate = scenario.rate(line)
    link = build_link(simulator, rate, scenario.queue, scenario.rtt_seconds, queue)
    link.lose(RandomLoss(scenario.seed, scenario.loss, scenario.loss_back))
    path = NetworkPath(simulator, link, scenario.rtt_seconds)
    business = build_business(path, scenario.business, business_draw, scenario.line_rate)
    business_meter = path.watch(business.delivered)
    sent_meter = got_meter = path.watch(int)
    ours: OurSender | None = None
    if scenario.scavenger == "ours":
        ours = OurSender(
            path,
            law(scenario),
            line_rate=BytesPerSecond(int(scenario.line_rate)) if scenario.capacity_configured else None,
            business=business.seen if scenario.business_visible else lambda: None,
            window=scenario.window if scenario.kernel_window else NO_WINDOW,
        )
    sender = ours or build_scavenger(path, scenario.scavenger, scenario.line_rate, scavenger_draw)
    path.keys_from(FIRST_LATER_KEY)
    if sender is not None:
        sent_meter = path.watch(lambda: sender.sent_bytes)
        got_meter = path.watch(lambda: sender.delivered_bytes)
        simulator.at(scenario.scavenger_from_seconds, sender.start)
    for flow in business.flows:
        # a few milliseconds apart: nothing on a real line starts in the same nanosecond
        simulator.at(scenario.business_from_seconds + business_draw.uniform(0, 0.02), flow.start)
        simulator.at(scenario.business_until_seconds, flow.stop)
    for second in range(1, int(scenario.duration_seconds) + 1):
        simulator.run(second)
        on_second()
    simulator.run(scenario.duration_seconds)
    return _measure(scenario, path, link, rate, business, (business_meter, sent_meter, got_meter), ours)


def _measure(
    scenario: Scenario,
    path: NetworkPath,
    link: Link,
    rate: LineRate,
    business: Business,
    meters: tuple[Meter, Meter, Meter],
    ours: OurSender | None,
) -> Metrics:
    business_meter, sent, got = meters
    start, stop, end = scenario.business_from_seconds, scenario.business_until_seconds, scenario.duration_seconds
    queues = path.queue.between(0.0, end)
    queue = path.queue.between(start, stop)
    calls = [delay for call in business.calls for at, delay in call.delays if start <= at < stop]
    spoken = sum(call.sent for call in business.calls)
    heard = sum(len(call.delays) for call in business.calls)
    chunks = [quality for video in business.videos for _, quality in video.chunks]
    frames = [delay for call in business.video_calls for _, delay in call.frames]
    frames_sent = sum(call.frames_sent for call in business.video_calls)
    call_seconds = sum(call.seconds for call in business.video_calls)
    frozen_seconds = sum(call.frozen_seconds for call in business.video_calls)
    window = _window_seconds(scenario)
    before = sent.rate(start - SETTLED_SECONDS, start)
    return Metrics(
        utilisation=(business_meter.between(2, end) + got.between(2, end)) / rate.bytes_between(2, end),
        idle_use=got.between(start - SETTLED_SECONDS, start) / rate.bytes_between(start - SETTLED_SECONDS, start),
        own_queue_p95=percentile(path.queue.between(min(3.0, start / 2), start), 0.95),
        line_bytes=rate.bytes_between(start, stop),
        business_bytes=business_meter.between(start, stop),
        scavenger_bytes=got.between(start, stop),
        scavenger_rate=tuple(got.rate(second, second + 1) for second in range(int(end))),
        business_rate=tuple(business_meter.rate(second, second + 1) for second in range(int(end))),
        queue_seconds=_each_second(path.queue.points, int(end)),
        queue_p50=percentile(queue, 0.50),
        queue_p95=percentile(queue, 0.95),
        queue_p99=percentile(queue, 0.99),
        voip_p50=percentile(calls, 0.50),
        voip_p95=percentile(calls, 0.95),
        voip_p99=percentile(calls, 0.99),
        voip_lost_share=1 - heard / spoken if spoken else 0.0,
        page_seconds=tuple(seconds for user in business.users for _, seconds in user.pages),
        page_starts=tuple(at for user in business.users for at, _ in user.pages),
        video_mbit=sum(chunks) / len(chunks) if chunks else 0.0,
        ramp_seconds=_first(got, 0.0, end, window, at_least=0.9 * rate.mean),
        yield_seconds=tuple(
            _or_never(_first(sent, onset, until, window, at_most=0.1 * before))
            for onset, until in business.periods(start, stop)
            if before > 0
        ),
        regain_seconds=tuple(
            _or_never(_first(sent, ended, following, window, at_least=0.9 * before))
            for ended, following in business.pauses(start, stop, end)
            if before > 0
        ),
        lost_packets=link.dropped_packets,
        long_queue_seconds=end * sum(value > LONG_QUEUE_SECONDS for value in queues) / max(1, len(queues)),
        decisions=tuple(ours.decisions) if ours else (),
        video_call_bytes=sum(call.delivered_bytes for call in business.video_calls),
        video_call_p95=percentile(frames, 0.95),
        video_call_p99=percentile(frames, 0.99),
        video_call_lost_share=1 - len(frames) / frames_sent if frames_sent else 0.0,
        video_call_frozen_share=frozen_seconds / call_seconds if call_seconds else 0.0,
    )


def _each_second(points: list[tuple[float, float]], seconds: int) -> tuple[float, ...]:
    values: list[list[float]] = [[] for _ in range(seconds)]
    for at, value in points:
        if at < seconds:
            values[int(at)].append(value)
    return tuple(percentile(each, 0.95) for each in values)


def _window_seconds(scenario: Scenario) -> float:
    """Return over how long a rate is measured: four packets must fit in at a tenth of the line's rate."""
    return max(0.1, 4 * 1500 / (0.1 * scenario.line_rate))


def _first(
    meter: Meter, start: float, stop: float, window: float, *, at_least: float = 0.0, at_most: float = float("inf")
) -> float | None:
    """Return after how many seconds a window begins whose rate is within the bounds; None: never."""
    steps = int((stop - start) / 0.05)
    for step in range(steps):
        at = start + step * 0.05
        if at_least <= meter.rate(at, at + window) <= at_most:
            return step * 0.05
    return None


def _or_never(seconds: float | None) -> float:
    return float("inf") if seconds is None else seconds
