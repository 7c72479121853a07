"""Links: a rate, a queue in front of it, and the delay of the way there and back.

A sender hands a link one packet; when its acknowledgement is back at the
sender, the link calls `Flow.receive`. The way back is a delay only: the
acknowledgements of a download take a few per cent of the other direction. A
flow's packets never overtake each other, so a gap in the numbers is a loss.
"""

from collections import deque
from typing import Any, NamedTuple, Protocol

from bandwidth.simulator.events import Simulator
from bandwidth.simulator.queues import Discipline
from bandwidth.simulator.rates import LineRate


class Ack(NamedTuple):
    """What a sender learns of one packet (links make plain tuples of this shape: they are faster)."""

    number: int
    size_bytes: int
    sent_at: float
    departed_at: float
    """When its last bit left the bottleneck."""
    state: Any
    """What the sender gave along."""


class Flow(Protocol):
    """What a link needs to know of a sender."""

    key: int
    """Of its queue under fair queueing."""
    ack_delay_seconds: float
    """From leaving the bottleneck until the acknowledgement is at the sender: the round trip without any queue."""

    def receive(self, ack: Any) -> None:
        """Take an `Ack`."""


class Link(Protocol):
    """What a sender needs to know of a link. In every link: arrived = departed + dropped + queued."""

    arrived_packets: int
    arrived_bytes: int

    @property
    def dropped_packets(self) -> int:
        """So far."""

    @property
    def dropped_bytes(self) -> int:
        """So far."""

    def queued(self, now: float) -> tuple[int, int]:
        """Return packets and bytes of which not every bit has left."""

    def backlog_seconds(self, now: float) -> float:
        """Return how long what is queued now takes to leave: the true queue."""

    def send(self, flow: Flow, number: int, size_bytes: int, state: Any = None) -> None:
        """Take a packet; whether it is dropped, nobody is told."""


class FifoLink:
    """Drop-tail with an exact limit in bytes; departures are computed on arrival: one event for a packet.

    A packet counts against the limit until its last bit has left.
    """

    __slots__ = (
        "_backlog",
        "_free_at",
        "_limit",
        "_queue",
        "_rate",
        "_simulator",
        "arrived_bytes",
        "arrived_packets",
        "dropped_bytes",
        "dropped_packets",
    )

    def __init__(self, simulator: Simulator, rate: LineRate, limit_bytes: int) -> None:
        self._simulator = simulator
        self._rate = rate
        self._limit = limit_bytes
        self._queue: deque[tuple[float, int]] = deque()
        self._backlog = 0
        self._free_at = 0.0
        self.arrived_packets = self.arrived_bytes = 0
        self.dropped_packets = self.dropped_bytes = 0

    def send(self, flow: Flow, number: int, size_bytes: int, state: Any = None) -> None:
        """See `Link`."""
        simulator = self._simulator
        now = simulator.now
        queue = self._queue
        while queue and queue[0][0] <= now:
            self._backlog -= queue.popleft()[1]
        self.arrived_packets += 1
        self.arrived_bytes += size_bytes
        if self._backlog + size_bytes > self._limit:
            self.dropped_packets += 1
            self.dropped_bytes += size_bytes
            return
        departed = self._departure(now, size_bytes)
        queue.append((departed, size_bytes))
        self._backlog += size_bytes
        simulator.at(departed + flow.ack_delay_seconds, flow.receive, (number, size_bytes, now, departed, state))

    def _departure(self, now: float, size_bytes: int) -> float:
        self._free_at = self._rate.finish(max(now, self._free_at), size_bytes)
        return self._free_at

    def queued(self, now: float) -> tuple[int, int]:
        """See `Link`."""
        waiting = [size for departed, size in self._queue if departed > now]
        return len(waiting), sum(waiting)

    def backlog_seconds(self, now: float) -> float:
        """See `Link`."""
        return max(0.0, self._free_at - now)


class ShapedLink(FifoLink):
    """A token bucket shaper before a faster line: a burst passes at line rate, the rest at the bucket's rate."""

    __slots__ = ("_burst_bytes", "_shaped_rate", "_tokens", "_tokens_at")

    def __init__(
        self, simulator: Simulator, rate: LineRate, limit_bytes: int, *, shaped_rate: float, burst_bytes: int
    ) -> None:
        super().__init__(simulator, rate, limit_bytes)
        self._shaped_rate = shaped_rate
        self._burst_bytes = burst_bytes
        self._tokens = float(burst_bytes)
        self._tokens_at = 0.0

    def _departure(self, now: float, size_bytes: int) -> float:
        start = max(now, self._free_at, self._tokens_at)
        tokens = min(float(self._burst_bytes), self._tokens + (start - self._tokens_at) * self._shaped_rate)
        if tokens < size_bytes:
            start += (size_bytes - tokens) / self._shaped_rate
            tokens = float(size_bytes)
        self._tokens = tokens - size_bytes
        self._tokens_at = start
        self._free_at = self._rate.finish(start, size_bytes)
        return self._free_at


class PolicedLink:
    """A token bucket policer before another link: what does not conform is dropped at once (RFC 2697, one colour)."""

    __slots__ = (
        "_burst_bytes",
        "_link",
        "_policed_bytes",
        "_policed_packets",
        "_rate",
        "_simulator",
        "_tokens",
        "_tokens_at",
        "arrived_bytes",
        "arrived_packets",
    )

    def __init__(self, simulator: Simulator, link: Link, *, policed_rate: float, burst_bytes: int) -> None:
        self._simulator = simulator
        self._link = link
        self._rate = policed_rate
        self._burst_bytes = burst_bytes
        self._tokens = float(burst_bytes)
        self._tokens_at = 0.0
        self.arrived_packets = self.arrived_bytes = 0
        self._policed_packets = self._policed_bytes = 0

    @property
    def dropped_packets(self) -> int:
        """See `Link`."""
        return self._policed_packets + self._link.dropped_packets

    @property
    def dropped_bytes(self) -> int:
        """See `Link`."""
        return self._policed_bytes + self._link.dropped_bytes

    def send(self, flow: Flow, number: int, size_bytes: int, state: Any = None) -> None:
        """See `Link`."""
        now = self._simulator.now
        self.arrived_packets += 1
        self.arrived_bytes += size_bytes
        self._tokens = min(float(self._burst_bytes), self._tokens + (now - self._tokens_at) * self._rate)
        self._tokens_at = now
        if self._tokens < size_bytes:
            self._policed_packets += 1
            self._policed_bytes += size_bytes
            return
        self._tokens -= size_bytes
        self._link.send(flow, number, size_bytes, state)

    def queued(self, now: float) -> tuple[int, int]:
        """See `Link`."""
        return self._link.queued(now)

    def backlog_seconds(self, now: float) -> float:
        """See `Link`."""
        return self._link.backlog_seconds(now)


class QueueLink:
    """A line behind any queue discipline: two events for a packet."""

    __slots__ = (
        "_busy_until",
        "_discipline",
        "_rate",
        "_sending_bytes",
        "_simulator",
        "arrived_bytes",
        "arrived_packets",
    )

    def __init__(self, simulator: Simulator, rate: LineRate, discipline: Discipline) -> None:
        self._simulator = simulator
        self._rate = rate
        self._discipline = discipline
        self._busy_until = -1.0  # -1: idle
        self._sending_bytes = 0
        self.arrived_packets = self.arrived_bytes = 0

    @property
    def dropped_packets(self) -> int:
        """See `Link`."""
        return self._discipline.dropped_packets

    @property
    def dropped_bytes(self) -> int:
        """See `Link`."""
        return self._discipline.dropped_bytes

    def send(self, flow: Flow, number: int, size_bytes: int, state: Any = None) -> None:
        """See `Link`."""
        now = self._simulator.now
        self.arrived_packets += 1
        self.arrived_bytes += size_bytes
        self._discipline.enqueue((flow, number, size_bytes, now, state), now)
        if self._busy_until < 0:
            self._serve(None)

    def _serve(self, _: None) -> None:
        simulator = self._simulator
        now = simulator.now
        packet = self._discipline.dequeue(now)
        if packet is None:
            self._busy_until = -1.0
            self._sending_bytes = 0
            return
        flow, number, size_bytes, sent_at, state = packet
        departed = self._busy_until = self._rate.finish(now, size_bytes)
        self._sending_bytes = size_bytes
        simulator.at(departed, self._serve)
        simulator.at(departed + flow.ack_delay_seconds, flow.receive, (number, size_bytes, sent_at, departed, state))

    def queued(self, now: float) -> tuple[int, int]:
        """See `Link`."""
        packets, size = self._discipline.backlog_packets, self._discipline.backlog_bytes
        return (packets + 1, size + self._sending_bytes) if self._busy_until > now else (packets, size)

    def backlog_seconds(self, now: float) -> float:
        """See `Link`."""
        start = max(now, self._busy_until)
        return self._rate.finish(start, self._discipline.backlog_bytes) - now
