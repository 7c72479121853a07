"""A token bucket that is exact: integer arithmetic, so that no rounding adds up over days. Pure.

The level is kept in byte-nanoseconds: bytes × 10^9. Time is an integer number of
nanoseconds of any clock; a clock that stands still or goes back adds nothing.
"""

from bandwidth.core.units import BytesPerSecond

_NANOSECONDS = 1_000_000_000


class TokenBucket:
    """Lets through at most ``rate`` × time + ``burst_bytes``."""

    def __init__(self, rate: BytesPerSecond, *, burst_bytes: int, now_ns: int) -> None:
        if rate < 0 or burst_bytes < 1:
            raise ValueError(f"rate {rate} must not be negative, and the burst {burst_bytes} must be at least 1 byte")
        self._rate = rate
        self._burst = burst_bytes * _NANOSECONDS
        self._level = self._burst
        self._seen_ns = now_ns

    @property
    def rate(self) -> BytesPerSecond:
        """The rate now; 0 lets nothing through."""
        return self._rate

    @property
    def burst_bytes(self) -> int:
        """The most that may pass at once."""
        return self._burst // _NANOSECONDS

    def level_bytes(self, now_ns: int) -> int:
        """Return how many whole bytes may pass at ``now_ns``."""
        self._fill(now_ns)
        return self._level // _NANOSECONDS

    def consume(self, count: int, now_ns: int) -> bool:
        """Let ``count`` bytes pass if there are tokens for all of them, and return whether they did."""
        self._fill(now_ns)
        if count * _NANOSECONDS > self._level:
            return False
        self._level -= count * _NANOSECONDS
        return True

    def wait_ns(self, count: int, now_ns: int) -> int | None:
        """Return the nanoseconds until `consume` of ``count`` bytes succeeds, 0 for now, None for never."""
        self._fill(now_ns)
        missing = count * _NANOSECONDS - self._level
        if missing <= 0:
            return 0
        if self._rate == 0 or count * _NANOSECONDS > self._burst:
            return None
        return -(-missing // self._rate)

    def set_rate(self, rate: BytesPerSecond, now_ns: int) -> None:
        """Use ``rate`` from ``now_ns`` on; what was earned before stays."""
        if rate < 0:
            raise ValueError(f"rate {rate} is negative")
        self._fill(now_ns)
        self._rate = rate

    def _fill(self, now_ns: int) -> None:
        if now_ns <= self._seen_ns:
            # after a clock step back, time counts from there
            self._seen_ns = now_ns
            return
        self._level = min(self._burst, self._level + self._rate * (now_ns - self._seen_ns))
        self._seen_ns = now_ns
