"""Queue disciplines: FIFO, CoDel (RFC 8289), FQ-CoDel (RFC 8290), PIE (RFC 8033)."""

import random
from abc import ABC, abstractmethod
from collections import deque
from math import sqrt
from typing import ClassVar, Final

from bandwidth.simulator.packets import Packet, PacketRow

MTU_BYTES: Final = 1_500


class Discipline(ABC):
    """Decides which packet leaves next, and which is dropped."""

    __slots__ = ("backlog_bytes", "backlog_packets", "dropped_bytes", "dropped_packets")

    def __init__(self) -> None:
        self.backlog_bytes = self.backlog_packets = self.dropped_bytes = self.dropped_packets = 0

    @abstractmethod
    def enqueue(self, packet: Packet, now: float) -> None:
        """Queue a packet, or drop it (or another one)."""

    @abstractmethod
    def dequeue(self, now: float) -> Packet | None:
        """Return the packet to send now; None when the queue is empty."""

    def _count_drop(self, packet: Packet) -> None:
        self.dropped_packets += 1
        self.dropped_bytes += packet.size_bytes


class Fifo(Discipline):
    """Drop-tail with an exact limit in bytes (the packet on the wire does not count here)."""

    __slots__ = ("_limit", "_packets")

    def __init__(self, limit_bytes: int) -> None:
        super().__init__()
        self._limit = limit_bytes
        self._packets = PacketRow()

    def enqueue(self, packet: Packet, now: float) -> None:  # noqa: ARG002
        """See `Discipline`."""
        if self.backlog_bytes + packet.size_bytes > self._limit:
            self._count_drop(packet)
            return
        self._packets.append(packet)
        self.backlog_bytes += packet.size_bytes
        self.backlog_packets += 1

    def dequeue(self, now: float) -> Packet | None:  # noqa: ARG002
        """See `Discipline`."""
        if self._packets.first is None:
            return None
        packet = self._packets.pop()
        self.backlog_bytes -= packet.size_bytes
        self.backlog_packets -= 1
        return packet


class Codel(Fifo):
    """Controlled delay, RFC 8289 section 5 (its pseudo-code's structure and names)."""

    __slots__ = ("_count", "_drop_next", "_dropping", "_first_above_time", "_interval", "_last_count", "_target")

    def __init__(self, limit_bytes: int, target_seconds: float = 0.005, interval_seconds: float = 0.1) -> None:
        # the recommended target, and the interval for round trips of the open Internet
        super().__init__(limit_bytes)
        self._target = target_seconds
        self._interval = interval_seconds
        self._first_above_time = 0.0
        self._drop_next = 0.0
        self._count = self._last_count = 0
        self._dropping = False

    def _do_dequeue(self, now: float) -> tuple[Packet | None, bool]:
        """Section 5.6: the next packet, and whether the sojourn time has been above target for an interval."""
        packet = super().dequeue(now)
        if packet is None:
            self._first_above_time = 0.0
            return None, False
        if now - packet.sent_at < self._target or self.backlog_bytes <= MTU_BYTES:
            self._first_above_time = 0.0
            return packet, False
        if self._first_above_time == 0.0:
            self._first_above_time = now + self._interval
            return packet, False
        return packet, now >= self._first_above_time

    def dequeue(self, now: float) -> Packet | None:
        """Section 5.5 (drops happen here, at the head)."""
        packet, ok_to_drop = self._do_dequeue(now)
        if packet is None:
            self._dropping = False
            return None
        if self._dropping:
            if not ok_to_drop:
                self._dropping = False
            while self._dropping and now >= self._drop_next:
                self._count_drop(packet)
                self._count += 1
                packet, ok_to_drop = self._do_dequeue(now)
                if packet is None or not ok_to_drop:
                    self._dropping = False
                    return packet
                self._drop_next += self._interval / sqrt(self._count)
        elif ok_to_drop:
            self._count_drop(packet)
            packet, _ = self._do_dequeue(now)
            self._dropping = True
            # resume close to the last drop rate when the previous episode is recent
            delta = self._count - self._last_count
            recent = now - self._drop_next < 16 * self._interval
            self._count = delta if recent and delta > 1 else 1
            self._drop_next = now + self._interval / sqrt(self._count)
            self._last_count = self._count
        return packet


class FairQueue(Codel):
    """One of FQ-CoDel's queues."""

    __slots__ = ("deficit", "listed")

    def __init__(self) -> None:
        super().__init__(1 << 62)  # the limit is on all queues together
        self.deficit = 0
        self.listed = False
        """Whether it is among the new or the old queues."""


class FqCodel(Discipline):
    """Fair queueing over CoDel queues, RFC 8290.

    A flow's queue is its key modulo the number of queues (section 4.1 hashes
    the 5-tuple; here keys are small and collisions would be noise).
    """

    __slots__ = ("_limit", "_new", "_old", "_quantum", "_queues")

    QUEUES: ClassVar[int] = 1024
    MOST_DROPPED: ClassVar[int] = 64

    def __init__(self, limit_packets: int = 10_240, quantum_bytes: int = 1_514) -> None:
        # the defaults of Linux and of the RFC
        super().__init__()
        self._limit = limit_packets
        self._quantum = quantum_bytes
        self._queues: dict[int, FairQueue] = {}
        self._new: deque[FairQueue] = deque()
        self._old: deque[FairQueue] = deque()

    def enqueue(self, packet: Packet, now: float) -> None:
        """Section 4.1: classify, append, and halve the longest queue when there are too many packets."""
        key = packet.flow.key % self.QUEUES
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = FairQueue()
        queue.enqueue(packet, now)
        self.backlog_bytes += packet.size_bytes
        self.backlog_packets += 1
        if not queue.listed:
            queue.listed = True
            queue.deficit = self._quantum
            self._new.append(queue)
        if self.backlog_packets > self._limit:
            longest = max(self._queues.values(), key=lambda queue: queue.backlog_bytes)
            for _ in range(min(self.MOST_DROPPED, max(1, longest.backlog_packets // 2))):
                self._drop_from(longest, now)

    def _drop_from(self, longest: Codel, now: float) -> None:
        packet = Fifo.dequeue(longest, now)
        assert packet is not None, "the longest queue of a full discipline has a packet"
        self.backlog_bytes -= packet.size_bytes
        self.backlog_packets -= 1
        self._count_drop(packet)

    def dequeue(self, now: float) -> Packet | None:
        """Section 4.2: new queues first, then the old ones, by deficit round robin."""
        while self._new or self._old:
            from_new = bool(self._new)
            queues = self._new if from_new else self._old
            queue = queues[0]
            if queue.deficit <= 0:
                queue.deficit += self._quantum
                self._old.append(queues.popleft())
                continue
            packets, size = queue.dropped_packets, queue.dropped_bytes
            packet = queue.dequeue(now)
            dropped, dropped_bytes = queue.dropped_packets - packets, queue.dropped_bytes - size
            self.dropped_packets += dropped
            self.dropped_bytes += dropped_bytes
            self.backlog_packets -= dropped
            self.backlog_bytes -= dropped_bytes
            if packet is None:
                queues.popleft()
                if from_new:
                    self._old.append(queue)  # "to prevent starvation"
                else:
                    queue.listed = False
                continue
            self.backlog_packets -= 1
            self.backlog_bytes -= packet.size_bytes
            queue.deficit -= packet.size_bytes
            return packet
        return None


class Pie(Fifo):
    """Proportional integral controller enhanced, RFC 8033, with delays from timestamps (which it allows).

    The probability is updated at the first packet after each period rather
    than by a timer; an idle queue's periods are caught up.
    """

    __slots__ = ("_burst_allowance", "_delay", "_delay_old", "_probability", "_randomness", "_updated_at")

    TARGET_SECONDS: Final = 0.015  # section 4.2, QDELAY_REF
    PERIOD_SECONDS: Final = 0.015  # T_UPDATE
    ALPHA: Final = 0.125  # 1/s
    BETA: Final = 1.25  # 1/s
    MAX_BURST_SECONDS: Final = 0.15
    TUNING: Final = ((1e-6, 2048), (1e-5, 512), (1e-4, 128), (1e-3, 32), (0.01, 8), (0.1, 2))  # section 4.2: divisors

    def __init__(self, limit_bytes: int, randomness: random.Random) -> None:
        super().__init__(limit_bytes)
        self._randomness = randomness
        self._probability = 0.0
        self._delay = self._delay_old = 0.0
        self._burst_allowance = self.MAX_BURST_SECONDS
        self._updated_at = 0.0

    def enqueue(self, packet: Packet, now: float) -> None:
        """Section 4.1: drop at random, with its three exceptions."""
        self._catch_up(now)
        safe = (
            self._burst_allowance > 0
            or (self._delay_old < 0.5 * self.TARGET_SECONDS and self._probability < 0.2)
            or self.backlog_bytes <= 2 * MTU_BYTES
        )
        if not safe and self._randomness.random() < self._probability:
            self._count_drop(packet)
            return
        super().enqueue(packet, now)

    def dequeue(self, now: float) -> Packet | None:
        """See `Discipline`; the delay of the packet that leaves is the measurement."""
        packet = super().dequeue(now)
        self._delay = 0.0 if packet is None else now - packet.sent_at
        self._catch_up(now)
        return packet

    def _catch_up(self, now: float) -> None:
        while now - self._updated_at >= self.PERIOD_SECONDS:
            self._updated_at += self.PERIOD_SECONDS
            self._update()
            if self._probability == 0.0 and self._delay == 0.0 and self._burst_allowance == self.MAX_BURST_SECONDS:
                periods = int((now - self._updated_at) / self.PERIOD_SECONDS)
                self._updated_at += periods * self.PERIOD_SECONDS

    def _update(self) -> None:
        """Section 4.2, and 4.4 for bursts."""
        change = self.ALPHA * (self._delay - self.TARGET_SECONDS) + self.BETA * (self._delay - self._delay_old)
        for below, divisor in self.TUNING:
            if self._probability < below:
                change /= divisor
                break
        if self._probability >= 0.1:  # section 5.5
            change = min(change, 0.02)
        probability = self._probability + change
        if self._delay == 0.0 and self._delay_old == 0.0:
            probability *= 0.98
        self._probability = min(1.0, probability) if probability > 1e-12 else 0.0
        idle = self._delay < 0.5 * self.TARGET_SECONDS and self._delay_old < 0.5 * self.TARGET_SECONDS
        self._delay_old = self._delay
        self._burst_allowance = max(0.0, self._burst_allowance - self.PERIOD_SECONDS)
        if self._probability == 0.0 and idle:
            self._burst_allowance = self.MAX_BURST_SECONDS
