"""Figures that are computed from the logs of a run. Pure. Times are milliseconds of the monotonic clock."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from bandwidth.core.units import MBIT


@dataclass(frozen=True, slots=True)
class Page:
    """One load of a web page."""

    start_ms: float
    took_ms: float


@dataclass(frozen=True, slots=True)
class VoipPacket:
    """One packet of a call that arrived."""

    sent_ms: float
    number: int
    delay_ms: float


@dataclass(frozen=True, slots=True)
class Goodput:
    """A program's log of (nanoseconds, bytes so far)."""

    points: Sequence[tuple[int, int]]

    def bytes_at(self, at_ms: float) -> float:
        """Return how many bytes had come by then, by linear interpolation."""
        if not self.points:
            return 0.0
        at = at_ms * 1e6
        index = bisect_right(self.points, at, key=lambda point: point[0])
        if index == 0:
            return 0.0
        (before, low) = self.points[index - 1]
        if index == len(self.points):
            return float(low)
        (after, high) = self.points[index]
        return low + (high - low) * (at - before) / (after - before)

    def mbit_per_second(self, start_ms: float, end_ms: float) -> float:
        """Return the mean rate from start to end."""
        return (self.bytes_at(end_ms) - self.bytes_at(start_ms)) * 8 / ((end_ms - start_ms) * 1000)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least ``share`` of the values do not exceed; 0 of none."""
    if not values:
        return 0.0
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


@dataclass(frozen=True, slots=True)
class VoipFigures:
    """One way of a call."""

    packets: int
    lost: int
    p50_ms: float
    p95_ms: float
    p99_ms: float


def voip_figures(packets: Sequence[VoipPacket], start_ms: float, end_ms: float) -> VoipFigures:
    """Return the delays of the packets sent from start to end; numbers that never came are lost."""
    those = [packet for packet in packets if start_ms <= packet.sent_ms < end_ms]
    if not those:
        return VoipFigures(0, 0, 0.0, 0.0, 0.0)
    delays = [packet.delay_ms for packet in those]
    numbers = [packet.number for packet in those]
    lost = max(numbers) - min(numbers) + 1 - len(set(numbers))
    return VoipFigures(len(those), lost, median(delays), percentile(delays, 0.95), percentile(delays, 0.99))


@dataclass(frozen=True, slots=True)
class PageFigures:
    """Pages of one stretch."""

    pages: int
    median_ms: float
    p95_ms: float


def page_figures(pages: Sequence[Page], start_ms: float, end_ms: float) -> PageFigures:
    """Return the load times of the pages that began and finished between start and end."""
    took = [page.took_ms for page in pages if start_ms <= page.start_ms and page.start_ms + page.took_ms <= end_ms]
    return PageFigures(len(took), median(took) if took else 0.0, percentile(took, 0.95))


def regained_after_ms(rates: Sequence[float], step_ms: float, wanted: float, *, steps: int = 10) -> float | None:
    """Return after how long the mean of ``steps`` rates first reaches ``wanted``; None when it never does.

    The time is that of the first of those steps: the rate is reached from there on.
    """
    for first in range(len(rates) - steps + 1):
        if sum(rates[first : first + steps]) / steps >= wanted:
            return first * step_ms
    return None


def excess_seconds(seconds: float, file_bytes: int, rate_mbit: float, excused_seconds: float) -> float:
    """Return how much longer a file took than the line needs and than what was not the fault of its sender."""
    return seconds - line_limit_seconds(file_bytes, rate_mbit) - excused_seconds


def fairness_gap(shares: Sequence[float]) -> float:
    """Return by how much the largest share exceeds the mean, as a part of the mean."""
    mean = sum(shares) / len(shares)
    return max(abs(share - mean) for share in shares) / mean if mean else 0.0


def line_limit_seconds(file_bytes: int, rate_mbit: float) -> float:
    """Return how long a file takes on a line with nothing else on it and nothing but payload in it."""
    return file_bytes / (rate_mbit * MBIT)
