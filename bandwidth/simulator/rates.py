"""How fast a line sends: constant, or changing like a radio link."""

import random
from abc import ABC, abstractmethod
from bisect import bisect_right


class LineRate(ABC):
    """A rate over time."""

    __slots__ = ("mean",)

    mean: float
    """Bytes per second, in the long run."""

    @abstractmethod
    def finish(self, start: float, size_bytes: int) -> float:
        """Return when the last bit of ``size_bytes`` leaves, if the first one leaves at ``start``."""

    @abstractmethod
    def bytes_between(self, start: float, stop: float) -> float:
        """Return what the line can carry from ``start`` to ``stop``."""


class ConstantRate(LineRate):
    """The same rate always."""

    __slots__ = ()

    def __init__(self, bytes_per_second: float) -> None:
        if bytes_per_second <= 0:
            raise ValueError(f"line rate {bytes_per_second} is not above 0")
        self.mean = bytes_per_second

    def finish(self, start: float, size_bytes: int) -> float:
        """See `LineRate`."""
        return start + size_bytes / self.mean

    def bytes_between(self, start: float, stop: float) -> float:
        """See `LineRate`."""
        return (stop - start) * self.mean


class PiecewiseRate(LineRate):
    """A constant rate in each of a list of intervals, the last of which never ends.

    ``steps`` are (start in seconds, bytes per second), the first of them at 0.
    """

    __slots__ = ("_rates", "_starts")

    def __init__(self, steps: list[tuple[float, float]]) -> None:
        if not steps or steps[0][0] != 0 or any(rate <= 0 for _, rate in steps):
            raise ValueError("the steps of a rate begin at 0 and are above 0")
        self._starts = [start for start, _ in steps]
        self._rates = [rate for _, rate in steps]
        last = self._starts[-1]
        self.mean = self.bytes_between(0.0, last) / last if last > 0 else self._rates[0]

    def finish(self, start: float, size_bytes: int) -> float:
        """See `LineRate`."""
        index = bisect_right(self._starts, start) - 1
        left = float(size_bytes)
        while index + 1 < len(self._starts):
            room = (self._starts[index + 1] - start) * self._rates[index]
            if left <= room:
                break
            left -= room
            index += 1
            start = self._starts[index]
        return start + left / self._rates[index]

    def bytes_between(self, start: float, stop: float) -> float:
        """See `LineRate`."""
        total = 0.0
        for index, rate in enumerate(self._rates):
            begin = max(start, self._starts[index])
            end = min(stop, self._starts[index + 1]) if index + 1 < len(self._starts) else stop
            total += max(0.0, end - begin) * rate
        return total


def radio_rate(
    bytes_per_second: float,
    duration_seconds: float,
    randomness: random.Random,
    *,
    step_seconds: float = 0.25,
    least_share: float = 0.4,
) -> PiecewiseRate:
    """Return a rate that wanders, like a wireless link's, between ``least_share`` of the given rate and all of it.

    A bounded random walk in steps of ±15 %: rate adaptation moves by one or two
    neighbouring modulation schemes at a time, and 802.11's are 10–30 % apart.
    """
    share = 0.5 * (1 + least_share)
    steps = []
    for index in range(int(duration_seconds / step_seconds) + 1):
        steps.append((index * step_seconds, bytes_per_second * share))
        share = min(1.0, max(least_share, share * randomness.uniform(0.85, 1 / 0.85)))
    return PiecewiseRate(steps)
