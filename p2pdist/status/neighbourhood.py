"""What the neighbours that are known say of this PC's network; the daemon and the doctor judge alike. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from p2pdist.local_api.delivery_answers import Peer, PeerCallers
from p2pdist.transfer.torrent_engine.peer_reasons import PeerReason

NO_WAY = frozenset({PeerReason.TIMED_OUT.value, PeerReason.UNREACHABLE.value})
LEAST_REACHED = 8  # neighbours: of two that fetch the same, either may call first, so all eight by chance once in 256
LEAST_WATCHED_SECONDS = 600.0  # those that begin a little later call then


@dataclass(frozen=True, slots=True)
class NeighbourCounts:
    """How this PC and its neighbours find and reach each other."""

    known: int
    heard: int
    """By mDNS."""
    named: int
    """By the server."""
    connected: int
    cut_off: int
    """Heard, and without an answer."""

    @property
    def is_unheard(self) -> bool:
        """Whether neighbours are named, none is heard, and none connected."""
        return bool(self.named) and not self.heard and not self.connected

    @property
    def is_cut_off(self) -> bool:
        """Whether neighbours are heard, some do not answer, and none is connected."""
        return bool(self.cut_off) and not self.connected


def neighbourhood(peers: Sequence[Peer]) -> NeighbourCounts:
    """Return what `p2pdist peers` says, counted."""
    heard = [peer for peer in peers if "mdns" in peer.sources]
    return NeighbourCounts(
        known=len(peers),
        heard=len(heard),
        named=sum("server" in peer.sources for peer in peers),
        connected=sum(peer.connected for peer in peers),
        cut_off=sum(peer.reason in NO_WAY for peer in heard),
    )


def callers_come_in(callers: PeerCallers | None) -> bool | None:
    """Whether neighbours' connections come in; None: that cannot be told yet."""
    if callers is None:
        return None
    if callers.callers:
        return True
    many = callers.reached >= LEAST_REACHED and callers.watched_seconds >= LEAST_WATCHED_SECONDS
    return False if many else None
