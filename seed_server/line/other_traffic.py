"""What the server sends besides pieces, to all sites together. Pure."""

import math

AVERAGE_SECONDS = 1.0  # over which the rate is averaged: a refresh of one PC is a peak of less than that


class OtherTraffic:
    """Counts bytes; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self.total_bytes = 0
        self._level_bytes = 0.0
        self._at = 0.0

    def sent(self, line_bytes: int, now: float) -> None:
        """Count bytes that are being sent."""
        self.total_bytes += line_bytes
        self._level_bytes = self._decayed(now) + line_bytes
        self._at = now

    def rate(self, now: float) -> float:
        """Return bytes per second of late."""
        return self._decayed(now) / AVERAGE_SECONDS

    def _decayed(self, now: float) -> float:
        return self._level_bytes * math.exp(-max(0.0, now - self._at) / AVERAGE_SECONDS)
