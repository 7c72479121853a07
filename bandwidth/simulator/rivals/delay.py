"""What delay-based senders share: the minimum delay of the last minutes."""

from collections import deque

MINUTE_SECONDS = 60.0
INFINITE = float("inf")


class LeastDelay:
    """The minimum of each of the last ten minutes (RFC 6817 section 2.4.2, BASE_HISTORY)."""

    __slots__ = ("_minute_at", "_minutes", "seconds")

    def __init__(self, history: int = 10) -> None:
        self._minutes: deque[float] = deque([INFINITE], maxlen=history)
        self._minute_at = 0.0
        self.seconds = INFINITE

    def add(self, delay_seconds: float, now: float) -> None:
        """Record a sample."""
        if now - self._minute_at >= MINUTE_SECONDS:
            self._minute_at = now
            self._minutes.append(delay_seconds)
            self.seconds = min(self._minutes)
        elif delay_seconds < self._minutes[-1]:
            self._minutes[-1] = delay_seconds
            self.seconds = min(self.seconds, delay_seconds)
