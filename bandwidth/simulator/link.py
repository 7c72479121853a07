"""Links: a rate, a queue in front of it, and the delay of the way there and back.

A sender hands a packet to a link; when the acknowledgement is back at the
sender, the link calls `Flow.receive`. The way back is only a delay: the
acknowledgements of a download take a few per cent of the other direction. A
flow's packets never overtake each other, so a gap in the numbers is a loss: by the
queue, or by the line itself (`RandomLoss`).
"""

from abc import ABC, abstractmethod
from typing import Any

from bandwidth.simulator.events import Simulator, TimedCall
from bandwidth.simulator.loss import RandomLoss
from bandwidth.simulator.packets import Flow, Packet, PacketRow, WayBack
from bandwidth.simulator.queues import Discipline
from bandwidth.simulator.rates import LineRate


class Link(ABC):
    """What a sender needs to know of a link. For every link: arrived = departed + dropped + queued.

    ``lost_packets`` of those that have departed never arrive; `lose` says which.
    """

    __slots__ = ("_loss", "_simulator", "_ways_back", "arrived_bytes", "arrived_packets", "lost_packets")

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._ways_back: dict[float, WayBack] = {}
        self._loss: RandomLoss | None = None
        self.arrived_packets = self.arrived_bytes = self.lost_packets = 0

    def lose(self, loss: RandomLoss) -> None:
        """Lose packets at random from now on."""
        self._loss = loss

    def _return(self, packet: Packet) -> None:
        """Send the acknowledgement of a packet back to its sender, unless the line loses one of them."""
        if self._loss is not None and self._loss.takes(packet.flow):
            self.lost_packets += 1
            return
        delay = packet.flow.ack_delay_seconds
        way = self._ways_back.get(delay)
        if way is None:
            way = self._ways_back[delay] = WayBack(self._simulator, delay)
        way.carry(packet)

    @property
    @abstractmethod
    def dropped_packets(self) -> int:
        """So far."""

    @property
    @abstractmethod
    def dropped_bytes(self) -> int:
        """So far."""

    @abstractmethod
    def queued(self, now: float) -> tuple[int, int]:
        """Return the packets, and their bytes, that have not left completely."""

    @abstractmethod
    def backlog_seconds(self, now: float) -> float:
        """Return how long the present queue takes to leave: the true queue, in seconds."""

    @abstractmethod
    def send(self, flow: Flow, number: int, size_bytes: int, state: Any = None) -> None:
        """Accept or drop a packet; a drop is not reported."""


class FifoLink(Link):
    """Drop-tail with an exact limit in bytes. Departures are computed on arrival, so a packet costs one event.

    A packet counts against the limit until its last bit has left.
    """

    __slots__ = (
        "_backlog",
        "_dropped_bytes",
        "_dropped_packets",
        "_free_at",
        "_limit",
        "_queue",
        "_rate",
    )

    def __init__(self, simulator: Simulator, rate: LineRate, limit_bytes: int) -> None:
        super().__init__(simulator)
        self._rate = rate
        self._limit = limit_bytes
        self._queue = PacketRow()
        self._backlog = 0
        self._free_at = 0.0
        self._dropped_packets = self._dropped_bytes = 0

    @property
    def dropped_packets(self) -> int:
        """See `Link`."""
        return self._dropped_packets

    @property
    def dropped_bytes(self) -> int:
        """See `Link`."""
        return self._dropped_bytes

    def send(self, flow: Flow, number: int, size_bytes: int, state: Any = None) -> None:
        """See `Link`."""
        now = self._simulator.now
        queue = self._queue
        while queue.first is not None and queue.first.departed_at <= now:
            self._backlog -= queue.pop().size_bytes
        self.arrived_packets += 1
        self.arrived_bytes += size_bytes
        if self._backlog + size_bytes > self._limit:
            self._dropped_packets += 1
            self._dropped_bytes += size_bytes
            return
        packet = Packet(flow, number, size_bytes, now, state)
        packet.departed_at = self._free_at = self._departure(now, size_bytes)
        queue.append(packet)
        self._backlog += size_bytes
        self._return(packet)

    def _departure(self, now: float, size_bytes: int) -> float:
        return self._rate.finish(max(now, self._free_at), size_bytes)

    def queued(self, now: float) -> tuple[int, int]:
        """See `Link`."""
        packets, size = 0, 0
        packet = self._queue.first
        while packet is not None:
            if packet.departed_at > now:
                packets += 1
                size += packet.size_bytes
            packet = packet.behind
        return packets, size

    def backlog_seconds(self, now: float) -> float:
        """See `Link`."""
        return max(0.0, self._free_at - now)


class QueueLink(Link):
    """A line behind any queue discipline; a packet costs two events."""

    __slots__ = ("_busy_until", "_discipline", "_next", "_rate", "_sending_bytes")

    def __init__(self, simulator: Simulator, rate: LineRate, discipline: Discipline) -> None:
        super().__init__(simulator)
        self._rate = rate
        self._discipline = discipline
        self._busy_until = -1.0  # -1: idle
        self._sending_bytes = 0
        self._next = TimedCall(self._serve)

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
        self._discipline.enqueue(Packet(flow, number, size_bytes, now, state), now)
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
        departed = packet.departed_at = self._busy_until = self._rate.finish(now, packet.size_bytes)
        self._sending_bytes = packet.size_bytes
        simulator.add(departed, self._next)
        self._return(packet)

    def queued(self, now: float) -> tuple[int, int]:
        """See `Link`."""
        packets, size = self._discipline.backlog_packets, self._discipline.backlog_bytes
        return (packets + 1, size + self._sending_bytes) if self._busy_until > now else (packets, size)

    def backlog_seconds(self, now: float) -> float:
        """See `Link`."""
        start = max(now, self._busy_until)
        return self._rate.finish(start, self._discipline.backlog_bytes) - now
