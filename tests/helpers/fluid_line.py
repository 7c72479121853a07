"""A fluid model of a line: it closes the limiter's loop without packets, a virtual hour in a second."""

import itertools
import random
from collections import deque
from dataclasses import dataclass, field

from bandwidth.core.controller import Controller, ControllerSettings, Decision
from bandwidth.core.sensors import SEGMENT_BYTES
from bandwidth.core.signals import Sample
from bandwidth.core.states import State
from bandwidth.core.units import BytesPerSecond


@dataclass
class FluidLine:
    """One bottleneck with one queue, or (``fair``) with one queue for us and one for the others."""

    capacity: float
    rtt: float = 0.04
    buffer_seconds: float = 0.25
    fair: bool = False
    loss: float = 0.0
    """The share of our segments that the line itself loses."""
    step: float = 0.005
    far: bool = False
    """Answers say what the queues were a round trip ago: over a long way that makes a difference."""
    queues: list[float] = field(default_factory=lambda: [0.0, 0.0])
    """Queued bytes: ours, and those of the others."""
    randomness: random.Random = field(default_factory=lambda: random.Random(1))

    def carry(self, ours: float, others: float, seconds: float) -> tuple[float, float, float]:
        """Let bytes of ours and of others arrive; return (ours out, others' out, ours lost)."""
        lost = sum(self.randomness.random() < self.loss for _ in range(round(ours / SEGMENT_BYTES))) if self.loss else 0
        a, b = self.queues[0] + ours - lost * SEGMENT_BYTES, self.queues[1] + others
        room = self.capacity * seconds
        if self.fair:
            half = room / 2
            out_a, out_b = min(a, max(half, room - b)), min(b, max(half, room - a))
        else:
            served = min(1.0, room / (a + b)) if a + b > 0 else 0.0
            out_a, out_b = a * served, b * served
        a, b = a - out_a, b - out_b
        over = a + b - self.buffer_seconds * self.capacity
        dropped = 0.0
        if over > 0:
            dropped = over * a / (a + b)
            a, b = a - dropped, b - (over - dropped)
        self.queues = [a, b]
        return out_a, out_b, lost + dropped / SEGMENT_BYTES

    @property
    def queue_seconds(self) -> float:
        """What a small packet of somebody else waits: nothing under fair queueing."""
        return 0.0 if self.fair else sum(self.queues) / self.capacity

    @property
    def own_queue_seconds(self) -> float:
        """What a packet of ours waits."""
        return 2 * self.queues[0] / self.capacity if self.fair else self.queue_seconds


class Loop:
    """A controller and a line, in a closed loop."""

    def __init__(self, line: FluidLine, *, configured: bool = True, now: float = 1_000.0, every: float = 0.05) -> None:
        self.line, self.now, self.every = line, now, every
        capacity = BytesPerSecond(int(line.capacity)) if configured else None
        self.controller = Controller(ControllerSettings(capacity=capacity), now)
        self.decision: Decision = self.controller.update(self.blank(), now)
        self.history: list[tuple[float, Decision]] = [(now, self.decision)]
        self._acks: deque[tuple[float, float, float, float]] = deque()  # (from, seconds, bytes, lost)
        self._lost = 0.0
        self._queues: deque[tuple[float, float, float]] = deque()  # (seen from, everybody's, ours)

    def blank(self) -> Sample:
        """Return the sample of a line on which nothing moves."""
        return Sample(self.line.rtt, self.line.rtt, 0, 0, False, None, 0)

    def run(
        self,
        seconds: float,
        *,
        others: float = 0.0,
        seen: bool = True,
        bulk: bool = False,
        demand: float = float("inf"),
        pings: bool = True,
        window: float | None = None,
        data: bool = True,
        ceiling: int | None = None,
        late: float = 0.0,
    ) -> "Loop":
        """Run the loop while others offer ``others`` bytes per second; ``demand``: what we have to send.

        ``late``: so many seconds later are answers to pings, as those of a busy PC.
        """
        for _ in range(round(seconds / self.every)):
            allowed = min(float(self.decision.allowance), demand, window or float("inf"))
            delivered, losses, business = self._interval(allowed, others)
            line = self.line
            queue, own_queue = self._queues_seen()
            sample = Sample(
                rtt_seconds=line.rtt + queue + late if pings else None,
                data_rtt_seconds=line.rtt + own_queue if data and pings else None,
                delivered_bytes=int(delivered) if pings else 0,
                retransmits=losses if pings else 0,
                application_limited=demand < self.decision.allowance,
                window_rate=None if window is None else BytesPerSecond(int(window)),
                business_bytes=int(business) if seen else None,
                bulk_business=bulk,
            )
            limit = None if ceiling is None else BytesPerSecond(ceiling)
            self.decision = self.controller.update(sample, self.now, ceiling=limit)
            self.history.append((self.now, self.decision))
        return self

    def _queues_seen(self) -> tuple[float, float]:
        """Return what the answers say that come now of the queues, everybody's and ours."""
        line = self.line
        if not line.far:
            return line.queue_seconds, line.own_queue_seconds
        self._queues.append((self.now + line.rtt, line.queue_seconds, line.own_queue_seconds))
        while len(self._queues) > 1 and self._queues[1][0] <= self.now + 1e-9:
            self._queues.popleft()
        at, queue, own_queue = self._queues[0]
        return (queue, own_queue) if at <= self.now + 1e-9 else (0.0, 0.0)

    def _interval(self, allowed: float, others: float) -> tuple[float, int, float]:
        business, steps = 0.0, max(1, round(self.every / self.line.step))
        dt = self.every / steps
        for _ in range(steps):
            self.now += dt
            out, theirs, lost = self.line.carry(allowed * dt, others * dt, dt)
            business += theirs
            self._acks.append((self.now - dt + self.line.rtt, dt, out, lost))
        delivered = 0.0
        while self._acks and self._acks[0][0] < self.now - 1e-9:
            since, seconds, out, lost = self._acks.popleft()
            part = min(1.0, (self.now - since) / seconds)
            delivered += part * out
            self._lost += part * lost
            if part < 1.0:
                left = 1.0 - part
                self._acks.appendleft((self.now, left * seconds, left * out, left * lost))
                break
        losses, self._lost = int(self._lost), self._lost % 1.0
        return delivered, losses, business

    def since(self, at: float) -> list[Decision]:
        """Return the decisions from ``at`` on."""
        return [decision for when, decision in self.history if when >= at]

    def begun(self, state: State) -> list[tuple[float, Decision]]:
        """Return when and with which decision each stretch of ``state`` for one reason began."""
        return [
            (at, decision)
            for (_, before), (at, decision) in itertools.pairwise(self.history)
            if decision.state is state and (before.state, before.reason) != (state, decision.reason)
        ]

    def regained(self, since: float, share: float = 0.9) -> float | None:
        """Return after how many seconds the allowance is ``share`` of the line again; None: not yet."""
        least = share * self.line.capacity
        return next((when - since for when, d in self.history if when >= since and d.allowance >= least), None)
