"""Sums and maxima over the last moments; reading one costs the same for any span. Pure."""

from collections import deque


class RollingRate:
    """The rate of what was added in the last ``span_seconds``; times are of any clock and do not go back."""

    __slots__ = ("_entries", "_seconds", "amount", "span_seconds")

    def __init__(self, span_seconds: float) -> None:
        self.span_seconds = span_seconds
        """May be changed: a longer one has what was not forgotten before."""
        self._entries: deque[tuple[float, float, float]] = deque()  # (at, seconds, amount)
        self._seconds = 0.0
        self.amount = 0.0
        """The sum of what is in the window."""

    def add(self, at: float, seconds: float, amount: float) -> None:
        """Add what happened in the ``seconds`` up to ``at``."""
        self._entries.append((at, seconds, amount))
        self._seconds += seconds
        self.amount += amount

    def expire(self, now: float) -> None:
        """Remove what is as old as the span."""
        entries = self._entries
        oldest = now - self.span_seconds
        while entries and entries[0][0] <= oldest:
            _, seconds, amount = entries.popleft()
            self._seconds -= seconds
            self.amount -= amount
        if not entries:
            self.clear()  # removes what rounding has left over

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._seconds = self.amount = 0.0

    @property
    def rate(self) -> float:
        """Amount per second; 0 when nothing is in the window."""
        return self.amount / self._seconds if self._entries and self._seconds > 0.0 else 0.0


class RollingMax:
    """The largest of what was added in the last moments."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: deque[tuple[float, float]] = deque()  # falling, so that the first is the largest

    def add(self, at: float, value: float) -> None:
        """Add ``value``, seen at ``at``."""
        entries = self._entries
        while entries and entries[-1][1] <= value:
            entries.pop()
        entries.append((at, value))

    def expire(self, oldest: float) -> None:
        """Remove what was seen before ``oldest``."""
        entries = self._entries
        while entries and entries[0][0] < oldest:
            entries.popleft()

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()

    @property
    def largest(self) -> float:
        """0 when nothing is there."""
        return self._entries[0][1] if self._entries else 0.0
