"""Small transfers, for which a site's PCs do not report what others use of the line. Pure.

While a site is sent to, each of its PCs reports several times a second. For a patch of some kilobytes that is many
times what the patch weighs. The controller sends it by its other senses, pings and the data's own round trips. What
may be sent so is bounded, of each minute and at once: many small patches are watched as a large one is.
"""

from bandwidth.core.token_bucket import TokenBucket
from bandwidth.core.units import BytesPerSecond

UNWATCHED_BYTES = 96_000  # at once: less than a page of the web, within a second of a line of 1 Mbit/s
UNWATCHED_RATE = BytesPerSecond(512)  # again and again: with what goes at once under 128 kB in any minute


class UnwatchedBytes:
    """What a site may still be sent without its PCs' reports; ``now`` is any clock in seconds."""

    def __init__(self, now: float) -> None:
        self._bucket = TokenBucket(UNWATCHED_RATE, burst_bytes=UNWATCHED_BYTES, now_ns=_ns(now))

    def suffice(self, needed_bytes: int, now: float) -> bool:
        """Return whether so much may be sent besides what is on its way."""
        return 0 < self._bucket.level_bytes(_ns(now)) >= needed_bytes

    def sent(self, count: int, now: float) -> None:
        """Count what was sent without reports."""
        self._bucket.consume(min(count, self._bucket.level_bytes(_ns(now))), _ns(now))


def _ns(seconds: float) -> int:
    return int(seconds * 1e9)
