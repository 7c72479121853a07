"""Lines with a token bucket before them, as some providers have."""

from typing import Any

from bandwidth.simulator.events import Simulator
from bandwidth.simulator.link import FifoLink, Link
from bandwidth.simulator.packets import Flow
from bandwidth.simulator.rates import LineRate


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
        return self._rate.finish(start, size_bytes)


class PolicedLink(Link):
    """A token bucket policer before another link: what does not conform is dropped at once (RFC 2697, one colour)."""

    __slots__ = (
        "_burst_bytes",
        "_link",
        "_policed_bytes",
        "_policed_packets",
        "_rate",
        "_tokens",
        "_tokens_at",
    )

    def __init__(self, simulator: Simulator, link: Link, *, policed_rate: float, burst_bytes: int) -> None:
        super().__init__(simulator)
        self._link = link
        self._rate = policed_rate
        self._burst_bytes = burst_bytes
        self._tokens = float(burst_bytes)
        self._tokens_at = 0.0
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
