"""What is recorded during a run, in bounded memory."""

from collections.abc import Callable

SLOTS_PER_SECOND = 20


class Meter:
    """A growing count of bytes, sampled every 50 ms; `sample` is for its owner, `NetworkPath`."""

    __slots__ = ("_read", "_totals")

    def __init__(self, read: Callable[[], int]) -> None:
        self._read = read
        self._totals = [read()]

    def sample(self) -> None:
        """Record the count at this moment."""
        self._totals.append(self._read())

    def between(self, start: float, stop: float) -> int:
        """Return the bytes from ``start`` to ``stop`` (seconds, to 50 ms); those after the last sample count as 0."""
        last = len(self._totals) - 1
        first = min(last, max(0, round(start * SLOTS_PER_SECOND)))
        return self._totals[min(last, max(first, round(stop * SLOTS_PER_SECOND)))] - self._totals[first]

    def rate(self, start: float, stop: float) -> float:
        """Return bytes per second from ``start`` to ``stop``."""
        return self.between(start, stop) / (stop - start) if stop > start else 0.0


class Series:
    """Samples over time in at most ``capacity`` points: when it is full, neighbours merge and keep their maximum."""

    __slots__ = ("_capacity", "_pending", "_stride", "points")

    def __init__(self, capacity: int = 16_384) -> None:
        self._capacity = capacity
        self._stride = 1
        self._pending: list[float] = []
        self.points: list[tuple[float, float]] = []

    def add(self, at: float, value: float) -> None:
        """Add a sample."""
        self._pending.append(value)
        if len(self._pending) < self._stride:
            return
        self.points.append((at, max(self._pending)))
        self._pending.clear()
        if len(self.points) >= self._capacity:
            pairs = zip(self.points[::2], self.points[1::2], strict=False)
            self.points = [(later, max(first, second)) for (_, first), (later, second) in pairs]
            self._stride *= 2

    def between(self, start: float, stop: float) -> list[float]:
        """Return the values from ``start`` to ``stop``."""
        return [value for at, value in self.points if start <= at < stop]


def percentile(values: list[float], share: float) -> float:
    """Return the value below which ``share`` (0 to 1) of ``values`` lie (nearest rank); 0 when there are none."""
    if not values:
        return 0.0
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, int(share * len(ranked) + 0.999999) - 1))]
