"""Passes each message of the server to the part that acts on it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import trio

from p2pdist.daemon.audit_witness import AuditWitness
from p2pdist.daemon.disk_keeper import DiskKeeper
from p2pdist.daemon.inventory_news import InventoryNews
from p2pdist.daemon.presenter import Presenter
from p2pdist.daemon.state import DaemonState
from p2pdist.daemon.wakeups import WakeUps
from p2pdist.identity.copies import Copies
from p2pdist.identity.last_server import save_last_server
from p2pdist.neighbours.service import Neighbours
from p2pdist.origin.connection import Disconnected, OriginEvent, ServerConnection
from p2pdist.pc.diagnoser import Diagnoser
from p2pdist.pc.last_site import save_site
from p2pdist.shared.identifiers import SiteName
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.log_limit import LogLimit
from p2pdist.shared.server_address import ServerAddress
from p2pdist.shared.wire.custody import CustodyWanted
from p2pdist.shared.wire.features import (
    CODED_PIECES,
    CUSTODY,
    FINDINGS,
    HOLDINGS,
    NEIGHBOURS,
    PARCELS,
    SPARE_COPIES,
    TELLS_FACTS,
)
from p2pdist.shared.wire.inventory import InventoryWanted
from p2pdist.shared.wire.line_messages import LinkWatch, SiteLimit
from p2pdist.shared.wire.messages import (
    Holders,
    Pace,
    RepositoryChanged,
    SharedIdentity,
    SitePeers,
    Unavailable,
    Welcome,
)
from p2pdist.shared.wire.parcel import Parcels
from p2pdist.shared.wire.signed_files import SignedWanted, TrustWanted
from p2pdist.shared.wire.spare_copies import SpareCopies
from p2pdist.shared.wire.witness import Consistency
from p2pdist.status.reasons import LARGE_PACKETS_WORDS
from p2pdist.status.reports import Reports
from p2pdist.transfer.parcels import ParcelFetches

CONNECTED_LOG_SECONDS = 2.0  # attempts to connect are further apart

log = lazy_log()


class AsksOrigin(Protocol):
    """Something that asks the server for pieces: the transfers, and the news."""

    def origin_unavailable(self, torrent: str, reason: str) -> None:
        """Act on that the server cannot serve a torrent; it may be one of somebody else's."""
        ...

    def forget_wants(self, *, takes_holdings: bool, takes_bases: bool) -> None:
        """Say everything again: the server is a new one, or the same after a restart.

        ``takes_holdings``: it is told in one message of all that is complete. ``takes_bases``: it codes pieces.
        """
        ...


@dataclass(frozen=True)
class Asking:
    """Who asks the server for something that comes in its own time, or answers it."""

    pieces: Collection[AsksOrigin]
    parcels: ParcelFetches
    witness: AuditWitness
    presenter: Presenter
    disk: DiskKeeper
    inventory: InventoryNews


@dataclass(frozen=True)
class Remembers:
    """The files that keep for the next start what the server has said last: this PC's site, and where it has."""

    last_site: Path
    last_server: Path


class OriginEvents:
    """Acts on the server's messages, and on the end of a connection."""

    def __init__(
        self,
        state: DaemonState,
        wakeups: WakeUps,
        asking: Asking,
        neighbours: Neighbours,
        reports: Reports,
        diagnoser: Diagnoser,
        remembers: Remembers,
        *,
        watched: Callable[[], None],
    ) -> None:
        """``remembers``: what is kept for the next start.

        ``watched`` is called when the server begins to want reports on this PC's network.
        """
        self._state = state
        self._wakeups = wakeups
        self._asking = asking
        self._neighbours = neighbours
        self._reports = reports
        self._diagnoser = diagnoser
        self._remembers = remembers
        self._saved_server: ServerAddress | None = None
        self._watched = watched
        self._log_limit = LogLimit(seconds=CONNECTED_LOG_SECONDS)

    async def run(self, origin: ServerConnection) -> None:
        """Act on each event, until cancelled."""
        async for event in origin.events:
            await self.handle(event)

    async def handle(self, event: OriginEvent) -> None:
        """Act on one event."""
        if isinstance(event, Welcome):
            await self._welcomed(event)
        elif isinstance(event, SitePeers):
            self._neighbours.server_list(event)
        elif isinstance(event, Holders):
            self._neighbours.holders(event)
        elif isinstance(event, RepositoryChanged):
            self._repository_changed(event)
        elif isinstance(event, Parcels):
            self._asking.parcels.told(event)
            self._wakeups.transfers.ring()
        elif isinstance(event, Unavailable):
            self._unavailable(event)
        elif isinstance(
            event, Consistency | CustodyWanted | TrustWanted | SignedWanted | SpareCopies | InventoryWanted
        ):
            self._of_what_is_kept(event)
        elif isinstance(event, SharedIdentity):
            self._share_identity(Copies(tuple(event.others)))
        elif isinstance(event, LinkWatch | SiteLimit | Pace):
            self._pace(event)
        else:
            self._disconnected(event)
            self._asking.witness.disconnected()
            self._asking.presenter.disconnected()
            self._asking.inventory.disconnected()
            self._state.newest = None
            self._state.site_limit = None
            self._state.link_watch = LinkWatch(interval_seconds=None)
            # the certificates may have expired while this PC slept, or its clock was corrected
            self._wakeups.renewal.ring()

    def _of_what_is_kept(
        self, event: Consistency | CustodyWanted | TrustWanted | SignedWanted | SpareCopies | InventoryWanted
    ) -> None:
        """Take a proof of the server's log, or what it says of what this PC keeps: logs, signed files, copies, all."""
        if isinstance(event, Consistency):
            self._asking.witness.heard(event)
        elif isinstance(event, SpareCopies):
            self._asking.disk.told(event)
        elif isinstance(event, TrustWanted | SignedWanted):
            self._asking.presenter.heard(event)
        elif isinstance(event, InventoryWanted):
            self._asking.inventory.heard(event)
        else:
            self._state.custody_wanted = event
            self._wakeups.transfers.ring()

    def _pace(self, event: LinkWatch | SiteLimit | Pace) -> None:
        """Take what the server says of the pace of this site's line, or of this PC's reports."""
        if isinstance(event, SiteLimit):
            self._state.site_limit = event
        elif isinstance(event, Pace):
            self._reports.pace.seconds = event.report_seconds
        else:
            begins = not self._state.reports_link
            self._state.link_watch = event
            if begins and self._state.reports_link:
                self._watched()

    def _repository_changed(self, changed: RepositoryChanged) -> None:
        self._state.newest = changed
        if changed.timestamp_version != self._state.accepted_timestamp:
            self._wakeups.trust.ring()

    def _unavailable(self, event: Unavailable) -> None:
        for each in self._asking.pieces:
            each.origin_unavailable(event.torrent, event.reason)

    def _disconnected(self, event: Disconnected) -> None:
        if self._state.welcomes and self._state.lost_at is None:  # later ones are of attempts that have failed
            self._state.lost_at = trio.current_time()
        if event.cause == "shared_identity":
            self._share_identity(Copies(event.others, refused=True))

    def _share_identity(self, copies: Copies) -> None:
        before, self._state.copies = self._state.copies, copies
        words = self._state.copies_words
        # the network part is not trusted to say this once
        if copies != before and words and (line := self._log_limit.line("copies", "", trio.current_time())):
            log.warning("other PCs show this PC's identity", reason=words, left_out=line.left_out)

    async def _welcomed(self, welcome: Welcome) -> None:
        now = trio.current_time()
        # the network part is not trusted to say this once a connection
        if line := self._log_limit.line("welcome", "", now):
            log.info("connected to the server", server=welcome.server_name, site=welcome.site, left_out=line.left_out)
        moved = welcome.site != self._state.site
        if moved:
            self._state.site = welcome.site
            await trio.to_thread.run_sync(save_site, self._remembers.last_site, SiteName(welcome.site))
            await self._neighbours.announce()
        if self._saved_server != (server := self._state.servers.origin.current):
            self._saved_server = server
            await trio.to_thread.run_sync(save_last_server, self._remembers.last_server, server)
        self._state.clock_trust.server_says(welcome.at)
        before, self._state.large_packets_lost = self._state.large_packets_lost, welcome.large_packets_lost
        if welcome.large_packets_lost and not before and (line := self._log_limit.line("packets", "", now)):
            log.warning("full packets are lost", reason=LARGE_PACKETS_WORDS, left_out=line.left_out)
        self._state.welcomes += 1
        self._state.lost_at = None
        self._state.takes_facts = TELLS_FACTS in welcome.features
        self._state.takes_findings = FINDINGS in welcome.features
        self._state.takes_neighbours = NEIGHBOURS in welcome.features
        self._state.takes_custody, self._state.custody_wanted = CUSTODY in welcome.features, None
        self._state.takes_spares = SPARE_COPIES in welcome.features
        self._state.copies = Copies()  # if there are any, the server says so now
        for each in self._asking.pieces:
            each.forget_wants(takes_holdings=HOLDINGS in welcome.features, takes_bases=CODED_PIECES in welcome.features)
        self._asking.parcels.welcomed(has_parcels=PARCELS in welcome.features)
        self._asking.witness.welcomed(welcome.features)
        self._asking.presenter.welcomed(welcome.features)
        self._asking.inventory.welcomed(welcome.features)
        self._reports.forget(welcome.recorded, welcome.connection)
        self._reports.pace.seconds = (welcome.pace or Pace()).report_seconds
        self._diagnoser.reconnected()
        if moved:  # the site may have a throttle profile
            self._wakeups.trust.ring()
        self._repository_changed(RepositoryChanged(timestamp_version=welcome.timestamp_version))
        self._wakeups.transfers.ring()
