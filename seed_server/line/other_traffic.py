"""What a line carries of ours besides pieces: metadata and control messages. Pure."""

import math

AVERAGE_SECONDS = 1.0  # over which the rate is averaged: a refresh of one PC is a peak of less than that


class OtherTraffic:
    """Counts bytes; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self.total_bytes = 0
        self._untold_bytes = 0
        self._level = 0.0
        self._at = 0.0

    def sent(self, count: int, now: float) -> None:
        """Count bytes that are being sent."""
        self.total_bytes += count
        self._untold_bytes += count
        self._level = self._decayed(now) + count
        self._at = now

    def rate(self, now: float) -> float:
        """Return bytes per second of late."""
        return self._decayed(now) / AVERAGE_SECONDS

    def take_new(self) -> int:
        """Return the bytes since the last call."""
        new, self._untold_bytes = self._untold_bytes, 0
        return new

    def _decayed(self, now: float) -> float:
        return self._level * math.exp(-max(0.0, now - self._at) / AVERAGE_SECONDS)
