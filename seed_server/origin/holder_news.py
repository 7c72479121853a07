"""Tells endpoints who of their site has all of a small torrent: those that have it connect to nobody."""

from collections.abc import Mapping
from typing import Protocol
from zlib import crc32

from p2pdist.shared.identifiers import EndpointId, TorrentHash
from p2pdist.shared.wire.fields import FEW_PIECES, MAX_HOLDERS
from p2pdist.shared.wire.messages import Holders
from seed_server.leasing.ledger import PieceLedger
from seed_server.leasing.site_ledger import SiteLedger
from seed_server.origin.outbox import Outbox
from seed_server.origin.peer_lists import PeerList

REACHED_SECONDS = 2.0  # within this time, what one has nearly always reaches the others: only the rest is told
TOLD_SECONDS = 5.0  # whoever was told so lately is connecting: it is told again later if that was of no use


class Told(Protocol):
    """A connected endpoint, as far as it is told of holders."""

    endpoint: EndpointId
    peer_list: PeerList
    outbox: Outbox


class HolderNews:
    """Who of one site has what; ``now`` is any clock in seconds that only grows."""

    def __init__(self, ledger: SiteLedger, sessions: Mapping[EndpointId, Told]) -> None:
        self._ledger = ledger
        self._sessions = sessions
        self._due: dict[TorrentHash, float] = {}
        self._told: dict[TorrentHash, dict[EndpointId, tuple[Outbox, list[str], float]]] = {}
        """Of the torrents that somebody lacks: who was told last of which holders, on which connection, and when."""

    @property
    def waiting(self) -> bool:
        """Whether `tell_due` will have something to do."""
        return bool(self._due)

    def heard(self, endpoint: EndpointId, torrent: TorrentHash, now: float) -> None:
        """Act on what ``endpoint`` has just said, which the ledger knows: it lacks the torrent, or has all of it."""
        ledger = self._ledger.ledger(torrent)
        if ledger is None or ledger.piece_count > FEW_PIECES:
            return
        if ledger.lacks(endpoint):
            self._tell(endpoint, torrent, ledger, now)
        else:
            self._due.setdefault(torrent, now + REACHED_SECONDS)

    def _knows(self, endpoint: EndpointId, torrent: TorrentHash, holders: list[EndpointId], now: float) -> bool:
        """Whether ``endpoint`` was lately told on this connection of some that still have it."""
        outbox, named, at = self._told.get(torrent, {}).get(endpoint, (None, [], now))
        lately = now - at < TOLD_SECONDS
        return lately and outbox is self._sessions[endpoint].outbox and set(named) <= set(holders)

    def tell_due(self, now: float) -> None:
        """Tell those that asked before anybody had it, and still see it nowhere."""
        for torrent in [torrent for torrent in self._told if self._ledger.ledger(torrent) is None]:
            del self._told[torrent]  # nobody lacks it any more
        for torrent in [torrent for torrent, due_at in self._due.items() if due_at <= now]:
            del self._due[torrent]
            if (ledger := self._ledger.ledger(torrent)) is not None:
                for endpoint in ledger.lacking:
                    self._tell(endpoint, torrent, ledger, now, again=False)

    def _tell(
        self, endpoint: EndpointId, torrent: TorrentHash, ledger: PieceLedger, now: float, *, again: bool = True
    ) -> None:
        session = self._sessions.get(endpoint)
        if session is None or session.outbox.full:
            return
        # who has just connected is told its neighbours in a moment, and has heard of some by mDNS
        listed = [EndpointId(peer.endpoint_id) for peer in session.peer_list.wanted] or list(ledger.everybody())
        holders = ledger.holders(endpoint, listed, now)
        if holders and (again or not self._knows(endpoint, torrent, holders, now)):
            first = crc32(f"{endpoint}{torrent}".encode()) % len(holders)  # spread over all that have it by now
            named = [str(holder) for holder in (*holders[first:], *holders[:first])[:MAX_HOLDERS]]
            self._told.setdefault(torrent, {})[endpoint] = (session.outbox, named, now)
            session.outbox.put(f"holders {torrent}", Holders(torrent=torrent, endpoints=named))
