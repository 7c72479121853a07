"""Whether full packets reach this PC on data connections, as it sees by itself, and how long that counts. Pure.

A TLS handshake that never ends may be a busy server. It is the packets where the kernel has what follows on them.
"""

from bandwidth.core.quantities import DAY_SECONDS
from bandwidth.core.units import LARGEST_PACKET_BYTES, SAFE_PACKET_BYTES

BELIEVED_SECONDS = DAY_SECONDS  # the network may have been put right; if not, a handshake stalls once more


class LargePackets:
    """What is known about full packets between here and the server; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._site: str | None = None
        self._lost_at: float | None = None
        self._try_small = False
        """The last handshake stalled with full packets: the next one shows whether smaller ones do better."""

    def welcomed(self, site: str) -> None:
        """Note which site we are at: what was found at another one says nothing here."""
        if site != self._site:
            self._site, self._lost_at, self._try_small = site, None, False

    def are_lost(self, now: float) -> bool:
        """Whether it was seen here, and lately, that full packets do not arrive."""
        return self._lost_at is not None and now - self._lost_at < BELIEVED_SECONDS

    def most_bytes(self, now: float) -> int:
        """Return the largest packets to ask for on the next data connection."""
        return SAFE_PACKET_BYTES if self._try_small or self.are_lost(now) else LARGEST_PACKET_BYTES

    def stalled(self, packet_bytes: int, now: float, *, missing: bool) -> None:
        """Note a handshake that did not end, with such packets; ``missing``: only the full ones did not come."""
        full = packet_bytes > SAFE_PACKET_BYTES
        self._try_small = full
        if full and missing:
            self._lost_at = now

    def opened(self) -> None:
        """Note a handshake that ended."""
        self._try_small = False
