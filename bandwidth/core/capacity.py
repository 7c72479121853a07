"""What the line can carry, learned where that shows: at congestion, and from what got through. Pure.

Kept apart from the rate in use: a rate that was measured beside business must not
become the belief about the line (cake-autorate issue 18 learns at congestion too).
"""

from collections import deque

from bandwidth.core.line_memory import LineMemory
from bandwidth.core.units import BytesPerSecond

EVENTS_KEPT = 128  # bounds the memory: one every few seconds for ten minutes
MAX_FILTER_SECONDS = 600.0  # the best of ten minutes: a single bad moment does not count
MEMORY_SECONDS = 1_800.0  # after that only the last event counts
PERCENTILE = 0.9  # of what is older than the filter
DECAY_PER_SECOND = 0.01 / 60.0  # 1 % a minute without news, so that a line that became slower is noticed
LARGEST_DECAY = 0.5  # a line that was idle for days is not unknown


class CapacityEstimate:
    """Tracks the capacity in bytes per second; ``now`` is any clock in seconds."""

    def __init__(self, configured: BytesPerSecond | None) -> None:
        self._configured = configured
        self._events: deque[tuple[float, float]] = deque(maxlen=EVENTS_KEPT)
        # each decision asks several times, and the answer changes only with time and events
        self._answer: tuple[float, float | None] | None = None

    def at_congestion(self, carried: float, now: float) -> None:
        """Record what the line carried, ours and others', when a queue had just formed."""
        if carried > 0:
            self._add(carried, now)

    def forget_since(self, at: float) -> None:
        """Forget what was recorded from then on: it was taken at a queue that was none of the line's."""
        while self._events and self._events[-1][0] >= at:
            self._events.pop()
        self._answer = None

    def carried(self, rate: float, now: float) -> None:
        """Record a rate that got through without a queue: the capacity is no less."""
        known = self.bytes_per_second(now)
        if self._configured is None and known is not None and rate > known:
            self._add(rate, now)

    def bytes_per_second(self, now: float) -> float | None:
        """Return the capacity: as configured, else as learned; None when nothing is known.

        What is learned beside hidden business is too low, so it never overrules the
        admin; where the line really is slower than configured, the queue says so.
        """
        if self._configured is not None:
            return float(self._configured)
        if self._answer is None or self._answer[0] != now:
            self._answer = (now, self._learned(now))
        return self._answer[1]

    def memory(self, now: float) -> LineMemory | None:
        """Return what a later run may begin with; None: nothing is learned, or the line is configured."""
        if self._configured is not None or not self._events:
            return None
        age = now - max(at for at, _ in self._events)
        return LineMemory(self._best(now) or self._events[-1][1], max(0.0, age))

    def remember(self, memory: LineMemory, now: float) -> None:
        """Begin with what an earlier run learned: it counts as one event of that time."""
        self._add(memory.capacity, now - memory.age_seconds)

    @property
    def configured(self) -> bool:
        """Whether the admin has configured what the line carries."""
        return self._configured is not None

    def _add(self, rate: float, now: float) -> None:
        self._events.append((now, rate))
        self._answer = None

    def _learned(self, now: float) -> float | None:
        best = self._best(now)
        if best is None:
            # every event is too old: the last one, at its full decay, is better than nothing
            return self._events[-1][1] * (1 - LARGEST_DECAY) if self._events else None
        newest_age = min(max(0.0, now - at) for at, _ in self._events)
        return best * (1 - min(LARGEST_DECAY, newest_age * DECAY_PER_SECOND))

    def _best(self, now: float) -> float | None:
        """Return what the events say of the line, without decay; None when all are too old."""
        # after a clock step back, events that now lie in the future count as new
        recent = [(max(0.0, now - at), rate) for at, rate in self._events if now - at < MEMORY_SECONDS]
        if not recent:
            return None
        in_filter = [rate for age, rate in recent if age < MAX_FILTER_SECONDS]
        rates = sorted(rate for _, rate in recent)
        return max(in_filter) if in_filter else rates[int(PERCENTILE * (len(rates) - 1))]
