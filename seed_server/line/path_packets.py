"""The largest packets that get through to a site, where full ones vanish (a path MTU black hole). Pure."""

from bandwidth.core.quantities import DAY_SECONDS
from bandwidth.core.units import LARGEST_PACKET_BYTES, SAFE_PACKET_BYTES, SMALLEST_PACKET_BYTES
from p2pdist.shared.identifiers import EndpointId

SIZES = (LARGEST_PACKET_BYTES, SAFE_PACKET_BYTES, SMALLEST_PACKET_BYTES)
AGAIN_WITHIN_SECONDS = 60.0  # a line that fails at a connection's first moment hardly does so again this soon
TRY_LARGER_SECONDS = DAY_SECONDS  # the network may have been put right; if not, the site waits for some seconds
MAX_SUSPECTS = 64  # endpoints of a site that fetch at a time, and more


class PathPackets:
    """Learns from data connections on which nothing full has ever arrived; ``now`` is any clock in seconds."""

    def __init__(self) -> None:
        self._most_bytes = LARGEST_PACKET_BYTES
        self._found_at = 0.0
        self._suspects: dict[EndpointId, float] = {}
        """Endpoints whose last connection was such a one, and when."""

    def most_bytes(self, now: float) -> int:
        """Return the largest packets to use on a new connection."""
        if now - self._found_at >= TRY_LARGER_SECONDS:
            self._most_bytes = LARGEST_PACKET_BYTES
        return self._most_bytes

    def large_are_lost(self, now: float) -> bool:
        """Whether full packets do not get through."""
        return self.most_bytes(now) < LARGEST_PACKET_BYTES

    def vanished(self, endpoint: EndpointId, packet_bytes: int, now: float) -> bool:
        """Note that no packet of ``packet_bytes`` has arrived on a connection, while its PC answered on another one.

        Return whether smaller ones are used from now on, because of this: when it has happened twice.
        """
        smaller = next((size for size in SIZES if size < packet_bytes), None)
        if smaller is None or smaller >= self.most_bytes(now):
            return False
        before = self._suspects.pop(endpoint, None)
        if before is None or now - before >= AGAIN_WITHIN_SECONDS:
            self._suspects[endpoint] = now
            if len(self._suspects) > MAX_SUSPECTS:
                del self._suspects[next(iter(self._suspects))]
            return False
        self._most_bytes, self._found_at = smaller, now
        return True

    def found_by_endpoint(self, now: float) -> bool:
        """Note that an endpoint says that full packets do not reach it; return whether that is new."""
        if self.most_bytes(now) <= SAFE_PACKET_BYTES:
            return False
        self._most_bytes, self._found_at = SAFE_PACKET_BYTES, now
        return True

    def arrived(self, endpoint: EndpointId) -> None:
        """Note that an endpoint has got a piece."""
        self._suspects.pop(endpoint, None)
