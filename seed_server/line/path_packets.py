"""The largest packets that get through to a site's PCs, where full ones vanish (a path MTU black hole). Pure."""

from dataclasses import dataclass

from bandwidth.core.quantities import DAY_SECONDS
from bandwidth.core.units import LARGEST_PACKET_BYTES, SAFE_PACKET_BYTES, SMALLEST_PACKET_BYTES
from p2pdist.shared.identifiers import EndpointId

SIZES = (LARGEST_PACKET_BYTES, SAFE_PACKET_BYTES, SMALLEST_PACKET_BYTES)
AGAIN_WITHIN_SECONDS = 60.0  # a line that fails at a connection's first moment hardly does so again this soon
TRY_LARGER_SECONDS = DAY_SECONDS  # the network may have been put right; if not, the site waits for some seconds
ENDPOINTS_FOR_A_SITE = 2  # one alone may be broken, lie, or have a tunnel of its own
MAX_SUSPECTS = 64  # endpoints of a site that fetch at a time, and more
MAX_FOUND = 64  # two decide for a site, then the others have small packets before anything is found


@dataclass(frozen=True)
class _Found:
    """What passes to an endpoint, and when that was found out."""

    most_bytes: int
    at: float


class PathPackets:
    """Learns from data connections on which nothing full has ever arrived; ``now`` is any clock in seconds.

    What is found counts for its endpoint, for a day. What two endpoints have found counts for the site.
    """

    def __init__(self) -> None:
        self._found: dict[EndpointId, _Found] = {}
        self._suspects: dict[EndpointId, float] = {}
        """Endpoints whose last connection was such a one, and when."""

    def most_bytes(self, endpoint: EndpointId, now: float) -> int:
        """Return the largest packets to use on a new connection of ``endpoint``."""
        own = self._found.get(endpoint)
        known = LARGEST_PACKET_BYTES if own is None or _is_old(own, now) else own.most_bytes
        return min(known, self._found_by(ENDPOINTS_FOR_A_SITE, now))

    def large_are_lost(self, endpoint: EndpointId, now: float) -> bool:
        """Whether full packets do not get through to ``endpoint``."""
        return self.most_bytes(endpoint, now) < LARGEST_PACKET_BYTES

    def lost_at_site(self, endpoints: int, now: float) -> bool:
        """Whether full packets do not get through to the site, ``endpoints`` of whose PCs are connected.

        Where there is one PC, it is the site.
        """
        return self._found_by(ENDPOINTS_FOR_A_SITE if endpoints > 1 else 1, now) < LARGEST_PACKET_BYTES

    def vanished(self, endpoint: EndpointId, packet_bytes: int, now: float) -> bool:
        """Note that no packet of ``packet_bytes`` has arrived on a connection, while its PC answered on another one.

        Return whether it has smaller ones from now on, because of this: when it has happened twice.
        """
        smaller = next((size for size in SIZES if size < packet_bytes), None)
        if smaller is None or smaller >= self.most_bytes(endpoint, now):
            return False
        before = self._suspects.pop(endpoint, None)
        if before is None or now - before >= AGAIN_WITHIN_SECONDS:
            self._suspects[endpoint] = now
            if len(self._suspects) > MAX_SUSPECTS:
                del self._suspects[next(iter(self._suspects))]
            return False
        self._find(endpoint, smaller, now)
        return True

    def found_by_endpoint(self, endpoint: EndpointId, now: float) -> bool:
        """Note that an endpoint says that full packets do not reach it; return whether that is new."""
        if self.most_bytes(endpoint, now) <= SAFE_PACKET_BYTES:
            return False
        self._find(endpoint, SAFE_PACKET_BYTES, now)
        return True

    def arrived(self, endpoint: EndpointId) -> None:
        """Note that an endpoint has got a piece."""
        self._suspects.pop(endpoint, None)

    def _find(self, endpoint: EndpointId, most_bytes: int, now: float) -> None:
        self._found = {one: found for one, found in self._found.items() if one != endpoint and not _is_old(found, now)}
        if len(self._found) >= MAX_FOUND:
            del self._found[next(iter(self._found))]
        self._found[endpoint] = _Found(most_bytes, now)

    def _found_by(self, endpoints: int, now: float) -> int:
        """Return what passes, by what at least so many endpoints have found."""
        sizes = sorted(found.most_bytes for found in self._found.values() if not _is_old(found, now))
        return sizes[endpoints - 1] if len(sizes) >= endpoints else LARGEST_PACKET_BYTES


def _is_old(found: _Found, now: float) -> bool:
    return now - found.at >= TRY_LARGER_SECONDS
