"""Whether neighbours' connections come in, as far as this PC's own connections show. Pure.

One caller proves it. That none comes in is shown by neighbours that lacked pieces as this PC did, and were reached by
it: each would have called this PC as readily, so of many some would have.
"""

from p2pdist.local_api.delivery_answers import PeerCallers

MAX_REMEMBERED = 256  # addresses: a LAN segment is smaller


class Callers:
    """Who has called, and who was called; ``now`` is any clock in seconds that does not go back."""

    def __init__(self) -> None:
        self._called_at: dict[str, float] = {}
        self._reached: dict[str, float] = {}

    def connected(self, address: str, now: float, *, opened_here: bool, lacks: bool) -> None:
        """Record a connection that has passed mutual TLS; ``lacks``: the neighbour lacks pieces of its torrent."""
        if not opened_here:
            self._called_at.pop(address, None)
            self._called_at[address] = now
            while len(self._called_at) > MAX_REMEMBERED:
                del self._called_at[next(iter(self._called_at))]
        elif lacks and len(self._reached) < MAX_REMEMBERED:
            self._reached.setdefault(address, now)

    def status(self, now: float) -> PeerCallers:
        """Return what `p2pdist peers` says of it."""
        latest, first = max(self._called_at.values(), default=None), min(self._reached.values(), default=now)
        return PeerCallers(
            callers=len(self._called_at),
            last_seconds=None if latest is None else now - latest,
            reached=len(self._reached),
            watched_seconds=now - first,
        )
