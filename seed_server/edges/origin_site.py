"""The live state of one site: who is connected, its ledger, its share of the line."""

import structlog
import trio

from bandwidth.units import BytesPerSecond
from p2pdist.identifiers import EndpointId, TorrentHash
from p2pdist.wire.messages import MAX_SITE_PEERS, SitePeer, SitePeers
from seed_server.core.ledger import FetcherRank
from seed_server.core.site_ledger import LeasedPiece, SiteLedger
from seed_server.core.site_map import Site
from seed_server.edges.database import PatchRow
from seed_server.edges.origin_connection import OriginConnection
from seed_server.edges.origin_outbox import Outbox
from seed_server.edges.pacing import pace

SMALL_SITE_ENDPOINTS = 50
SMALL_SITE_PEERS_SECONDS = 0.25  # neighbours hear of a newcomer at once
LARGE_SITE_PEERS_SECONDS = 5.0  # a thousand lists of 200 peers are 20 MB: not at every single arrival

log = structlog.get_logger()


class Ending:
    """How a connection is told to end; the first reason counts."""

    def __init__(self) -> None:
        self.scope = trio.CancelScope()
        self.reason: str | None = None
        """For the `Goodbye`; None: the other side is gone."""
        self._ended = False

    def end(self, reason: str | None) -> None:
        """End it. Returns at once."""
        if not self._ended:
            self._ended = True
            self.reason = reason
            self.scope.cancel()


class DataLink:
    """The data connection of a session."""

    def __init__(self, connection: OriginConnection) -> None:
        self.connection = connection
        self.ending = Ending()
        self.writing: LeasedPiece | None = None
        """The piece that is being sent."""
        self._wake = trio.Event()

    def wake(self) -> None:
        """Make its sender look for a piece now."""
        self._wake.set()
        self._wake = trio.Event()

    async def sleep(self, seconds: float) -> None:
        """Wait for `wake`, at most ``seconds``."""
        with trio.move_on_after(seconds):
            await self._wake.wait()


class Session:
    """A connected endpoint; lives as long as its control connection."""

    def __init__(
        self, connection: OriginConnection, rank: FetcherRank, peer: SitePeer, own_addresses: list[str], software: str
    ) -> None:
        self.connection = connection
        self.endpoint = connection.endpoint
        self.rank = rank
        self.peer = peer
        self.own_addresses = own_addresses
        self.software = software
        self.ending = Ending()
        self.outbox = Outbox()
        self.link: DataLink | None = None
        self.told_unavailable: set[TorrentHash] = set()
        self.told_peers: SitePeers | None = None

    def end(self, reason: str | None) -> None:
        """End both connections."""
        if self.link is not None:
            self.link.ending.end(reason)
        self.ending.end(reason)


class LiveSite:
    """A site with at least one connected endpoint."""

    def __init__(self, site: Site, *, fetchers: int, lease_seconds: float) -> None:
        self.site = site
        self.ledger = SiteLedger(fetchers=site.fetchers or fetchers, lease_seconds=lease_seconds)
        self.sessions: dict[EndpointId, Session] = {}
        self._rate: BytesPerSecond | None = site.rate
        self._sending: set[DataLink] = set()
        self._peers_changed_at: float | None = None
        self._complained = False

    def add_patch(self, patch: PatchRow) -> None:
        """Begin to serve ``patch``."""
        self.ledger.add_torrent(
            TorrentHash(patch.torrent_hash),
            sequence=patch.sequence,
            piece_count=patch.piece_count,
            piece_length_bytes=patch.piece_length_bytes,
        )

    # --- who is there -------------------------------------------------------------------

    def join(self, session: Session, now: float) -> None:
        """Add a connected endpoint."""
        self.sessions[session.endpoint] = session
        self._peers_changed(now)

    def leave(self, session: Session, now: float) -> None:
        """Remove an endpoint; its leases are void, its pieces no longer count."""
        if self.sessions.get(session.endpoint) is session:
            del self.sessions[session.endpoint]
            self.ledger.left(session.endpoint)
            self._peers_changed(now)
            self.wake_all()

    def attach(self, session: Session, link: DataLink) -> None:
        """Make ``link`` the data connection of ``session``; an older one ends."""
        if session.link is not None:
            session.link.ending.end("replaced by a newer data connection")
            self.detach(session, session.link)
        session.link = link
        self.ledger.data_connected(session.rank)

    def detach(self, session: Session, link: DataLink) -> None:
        """Take the data connection away; its leases are void."""
        self.stopped_sending(link)
        if session.link is link:
            session.link = None
            self.ledger.data_lost(session.endpoint)
            self.wake_all()

    def wake_all(self) -> None:
        """Make every sender of the site look for a piece: something has become free."""
        for session in self.sessions.values():
            if session.link is not None:
                session.link.wake()

    # --- neighbours ---------------------------------------------------------------------

    def _peers_changed(self, now: float) -> None:
        if self._peers_changed_at is None:
            self._peers_changed_at = now

    def tell_peers(self, now: float) -> None:
        """Send each endpoint its neighbours, when they have changed and the changes have been collected for a while."""
        small = len(self.sessions) <= SMALL_SITE_ENDPOINTS
        wait = SMALL_SITE_PEERS_SECONDS if small else LARGE_SITE_PEERS_SECONDS
        if self._peers_changed_at is None or now - self._peers_changed_at < wait:
            return
        self._peers_changed_at = None
        around = sorted(self.sessions)
        for at, endpoint in enumerate(around):
            session = self.sessions[endpoint]
            # the next ones on the ring of ids: however many there are, all stay connected with each other
            others = (around[at + 1 :] + around[:at])[:MAX_SITE_PEERS]
            peers = SitePeers(peers=[self.sessions[other].peer for other in others])
            if peers != session.told_peers:
                session.told_peers = peers
                session.outbox.put("peers", peers)

    # --- the line -----------------------------------------------------------------------

    def replace(self, site: Site) -> None:
        """Use a changed rate from now on."""
        self.site = site
        self._rate = site.rate
        self._divide()

    def started_sending(self, link: DataLink) -> None:
        """Give ``link`` its share of the line; idle connections need none."""
        if link not in self._sending:
            self._sending.add(link)
            self._divide()

    def stopped_sending(self, link: DataLink) -> None:
        """Give the share of ``link`` to the others."""
        if link in self._sending:
            self._sending.remove(link)
            self._divide()

    def _divide(self) -> None:
        share = None if self._rate is None else BytesPerSecond(max(1, self._rate // max(1, len(self._sending))))
        for link in self._sending:
            result = pace(link.connection.socket, share)
            if not result.taken and self._rate is not None and not self._complained:
                self._complained = True
                log.warning("the site's line cannot be paced", site=self.site.name, reason=result.reason)
