"""How much of the disk payloads may take, and whether another one may begin to be fetched. Pure."""

import math

ADMIT_ANYWAY_SECONDS = 15.0  # without anything under way that could make room: none is coming soon

QUOTA_WORDS = "what this PC keeps for others has to leave first"


class Quota:
    """The quota of one PC; ``now`` is any clock that only grows.

    A PC is never left without what it needs for the sake of its quota: what does not fit waits only while room may
    come, because something is being fetched, proven, installed or asked about.
    """

    def __init__(self) -> None:
        self._limit_bytes: int | None = None
        self._beside_bytes = 0
        self._moved_at = -math.inf
        self._committed = 0
        self._lacking_bytes = 0

    def set(self, limit_bytes: int, beside_bytes: int) -> None:
        """Use this limit from now on; ``beside_bytes`` are taken by what is no transfer's, such as kept files."""
        self._limit_bytes, self._beside_bytes = limit_bytes, beside_bytes

    def take_lacking_bytes(self) -> int:
        """Return the most that a payload has lacked since the last call; 0: all fit. Who waits asks again."""
        lacking, self._lacking_bytes = self._lacking_bytes, 0
        return lacking

    def moves(self, now: float) -> None:
        """Note that something is under way that may make room."""
        self._moved_at = now

    def admits(self, length_bytes: int, committed_bytes: int, now: float) -> bool:
        """Whether a payload may begin; ``committed_bytes``: the lengths of all that are here or have begun."""
        if self._limit_bytes is None:
            return True
        if committed_bytes != self._committed:
            self._committed = committed_bytes
            self._moved_at = now
        lacking = self._beside_bytes + committed_bytes + length_bytes - self._limit_bytes
        if lacking <= 0:
            return True
        if now - self._moved_at >= ADMIT_ANYWAY_SECONDS:
            return True
        self._lacking_bytes = max(self._lacking_bytes, lacking)
        return False


def quota_bytes(most_bytes: int, free_percent: float, used_bytes: int, free_bytes: int) -> int:
    """Return the quota: at most ``most_bytes``, and at most this share of what would be free without the payloads."""
    return min(most_bytes, int((used_bytes + free_bytes) * free_percent / 100))
