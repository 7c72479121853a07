"""Feed the peer book with hints and engine events, and open the connections that it wants."""

from collections.abc import Callable, Iterable

import trio

from p2pdist.local_api.delivery_answers import Peer, PeersAnswer
from p2pdist.neighbours.callers import Callers
from p2pdist.neighbours.finder import Finder, PeerFound
from p2pdist.neighbours.known_peer import Announcement
from p2pdist.neighbours.peer_book import PeerBook
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.log_limit import LogLimit
from p2pdist.shared.wire.messages import Holders, SitePeers
from p2pdist.transfer.engine import Engine
from p2pdist.transfer.torrent_engine import (
    EngineEvent,
    PeerConnected,
    PeerGone,
    PeerRefused,
    TransferSnapshot,
)
from p2pdist.transfer.torrent_engine.peer_reasons import PeerReason

STEP_SECONDS = 1.0  # how often the book is asked for retries; after a hint, or for a new torrent, it is asked at once
LEAST_LOOK_SECONDS = 0.2  # … but no more often than this: many small torrents begin one after the other
IDLE_STEP_SECONDS = 10.0  # while nothing is fetched; what begins is told of: even to go through all patches costs time

# of two PCs with the same patches, one has begun with a torrent, or ended, before the other
_NO_FAULT = frozenset({PeerReason.NOT_SHARED, PeerReason.STILL_CHECKING, PeerReason.BOTH_COMPLETE})

log = lazy_log()


class Neighbours:
    """Joins the peer book with discovery, the server's list and the engine; runs in the daemon's trio thread."""

    def __init__(
        self,
        engine: Engine,
        discovery: Finder | None,
        announcement: Callable[[], Announcement],
    ) -> None:
        self._engine = engine
        self._discovery = discovery
        self._announcement = announcement
        own = announcement()
        self._book = PeerBook(own.endpoint_id, swarm_tag=own.swarm_tag, site_tag=own.site_tag)
        self._callers = Callers()
        self._torrents: Callable[[], list[TransferSnapshot]] = list
        """What `run` was given."""
        self._looked_for: set[TorrentHash] = set()
        """The torrents for which neighbours were looked for at the last look."""
        self._something_new = trio.Event()
        self._refusals = LogLimit()

    async def announce(self) -> None:
        """Tell the neighbours what has changed of this endpoint: its site, address or port."""
        own = self._announcement()
        self._book.set_site(own.site_tag)
        if self._discovery is not None:
            await self._discovery.announce(own)

    async def follow_discovery(self) -> None:
        """Record what mDNS finds and loses, until cancelled."""
        if self._discovery is None:
            return
        async for event in self._discovery.events:
            now = trio.current_time()
            if isinstance(event, PeerFound):
                self._book.observe(event.announcement, "mdns", now)
                self._something_new.set()
            else:
                self._book.lost(event.endpoint_id, "mdns", now)

    def server_list(self, change: SitePeers) -> None:
        """Record how the server's list of neighbours has changed."""
        self._book.change_server_list(change, trio.current_time())
        self._something_new.set()

    def holders(self, message: Holders) -> None:
        """Record who has all of a torrent, and ask them at once."""
        self._book.set_holders(message)
        self._something_new.set()

    def engine_event(self, event: EngineEvent) -> None:
        """Record what became of a connection."""
        now = trio.current_time()
        if isinstance(event, PeerConnected):
            self._book.connected(event.torrent_hash, event.address, now)
            self._callers.connected(event.address, now, opened_here=event.opened_here, lacks=event.lacks)
        elif isinstance(event, PeerGone):
            self._book.disconnected(event.torrent_hash, event.address, event.reason, now)
        elif isinstance(event, PeerRefused):
            if event.torrent_hash is None:
                self._log_stranger(event, now)
            else:
                self._book.refused(event.torrent_hash, event.address, event.port, event.reason, now)

    def _log_stranger(self, event: PeerRefused, now: float) -> None:
        if event.reason in _NO_FAULT:
            return
        if line := self._refusals.line(str(event.reason), event.address, now):
            log.warning("a caller was refused", address=line.source, reason=str(event.reason), left_out=line.left_out)

    async def run(self, torrents: Callable[[], list[TransferSnapshot]]) -> None:
        """Open the connections that the book wants, until cancelled."""
        self._torrents = torrents
        while True:
            new = self._something_new.is_set()
            self._something_new = trio.Event()
            pieces = {
                snapshot.torrent_hash: snapshot.piece_count if snapshot.phase == "downloading" else 0
                for snapshot in torrents()
            }
            self._looked_for = {torrent_hash for torrent_hash, missing in pieces.items() if missing}
            for wanted in self._book.connections_wanted(pieces, trio.current_time()):
                self._engine.connect_peer(wanted.torrent_hash, wanted.address, wanted.port)
            if new:
                await trio.sleep(LEAST_LOOK_SECONDS)
            with trio.move_on_after(STEP_SECONDS if self._looked_for else IDLE_STEP_SECONDS):
                await self._something_new.wait()

    def look_for(self, torrents: Iterable[TransferSnapshot]) -> None:
        """Look for neighbours at once if one of ``torrents`` is being fetched since the last look."""
        if any(each.phase == "downloading" and each.torrent_hash not in self._looked_for for each in torrents):
            self._something_new.set()

    def status(self) -> PeersAnswer:
        """Return the answer to `p2pdist peers`."""
        received: dict[str, int] = {}
        sent: dict[str, int] = {}
        for snapshot in self._torrents():
            for peer in snapshot.peers:
                received[peer.address] = received.get(peer.address, 0) + peer.bytes_down
                sent[peer.address] = sent.get(peer.address, 0) + peer.bytes_up
        return PeersAnswer(
            peers=[
                Peer(
                    endpoint_id=entry.endpoint_id,
                    address=entry.address,
                    port=entry.port,
                    sources=list(entry.sources),
                    connected=entry.status == "connected",
                    reason=None if entry.reason is None else str(entry.reason),
                    bytes_received=received.get(entry.address, 0),
                    bytes_sent=sent.get(entry.address, 0),
                )
                for entry in self._book.entries()
            ],
            callers=self._callers.status(trio.current_time()),
        )
