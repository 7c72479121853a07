"""Adaptive video: chunks of four seconds over one CUBIC connection, in the quality that the throughput allows."""

from typing import Any

from bandwidth.core.units import MBIT
from bandwidth.simulator.flows.cubic import CubicSender
from bandwidth.simulator.flows.tcp import TcpSender
from bandwidth.simulator.flows.web import in_packets
from bandwidth.simulator.path import NetworkPath

CHUNK_SECONDS = 4.0
BUFFER_SECONDS = 20.0
LADDER_MBIT = (0.4, 0.8, 1.5, 2.5, 4.5, 8.0)
SAFETY = 0.8  # of the throughput: rate-based adaptation leaves a margin for its variation
SMOOTHING = 0.3


class VideoStream:
    """Fetches chunks until ``BUFFER_SECONDS`` are ahead. ``chunks`` are (fetched at, Mbit/s); ``stalled_seconds``."""

    __slots__ = (
        "_buffered",
        "_buffered_at",
        "_connection",
        "_quality",
        "_requested_at",
        "_simulator",
        "_throughput",
        "chunks",
        "key",
        "running",
        "stalled_seconds",
    )

    def __init__(self, path: NetworkPath) -> None:
        self._simulator = path.simulator
        self._connection = CubicSender(path, packets=0, on_done=self._fetched)
        self.key = self._connection.key
        self._throughput = 0.0
        self._quality = LADDER_MBIT[0]
        self._buffered = 0.0
        self._buffered_at = 0.0
        self._requested_at = 0.0
        self.chunks: list[tuple[float, float]] = []
        self.stalled_seconds = 0.0
        self.running = False

    @property
    def delivered_bytes(self) -> int:
        """So far."""
        return self._connection.delivered_bytes

    def connections(self) -> dict[int, int]:
        """See `BusinessFlow`."""
        return {self.key: self.delivered_bytes}

    def start(self, _: Any = None) -> None:
        """Begin to play."""
        self.running = True
        self._buffered_at = self._simulator.now
        self._request(None)

    def stop(self, _: Any = None) -> None:
        """Request no more."""
        self.running = False

    def _request(self, _: Any) -> None:
        if not self.running:
            return
        affordable = [rate for rate in LADDER_MBIT if rate <= SAFETY * self._throughput]
        self._quality = affordable[-1] if affordable else LADDER_MBIT[0]
        self._requested_at = self._simulator.now
        self._connection.give(in_packets(self._quality * MBIT * CHUNK_SECONDS))
        self._connection.start()

    def _fetched(self, _: TcpSender) -> None:
        now = self._simulator.now
        size_mbit = self._quality * CHUNK_SECONDS
        seen = size_mbit / max(1e-6, now - self._requested_at)
        self._throughput += (SMOOTHING if self._throughput else 1.0) * (seen - self._throughput)
        self.chunks.append((now, self._quality))
        played = now - self._buffered_at
        if len(self.chunks) > 1:
            self.stalled_seconds += max(0.0, played - self._buffered)
        self._buffered = max(0.0, self._buffered - played) + CHUNK_SECONDS
        self._buffered_at = now
        self._simulator.after(max(0.0, self._buffered - BUFFER_SECONDS), self._request)
