"""What the daemon does all the time: its state, and the tasks that connect its parts."""

import ipaddress
import random
import time
from pathlib import Path

import msgspec
import structlog
import trio

from bandwidth.core.states import State
from bandwidth.profiles.model import Profile
from p2pdist import __version__
from p2pdist.identity.enrolment import renew
from p2pdist.identity.store import Identity, control_ssl_context, renewal_due
from p2pdist.install.installer import Installer
from p2pdist.install.service import Patching
from p2pdist.limiter.lan_limiter import LanLimiter
from p2pdist.limiter.link_report import BusinessUsage, ReportGatherer
from p2pdist.local_api.socket import Answer
from p2pdist.neighbours.discovery import Discovery
from p2pdist.neighbours.peer_book import Announcement
from p2pdist.neighbours.service import Neighbours
from p2pdist.origin.client import OriginAddress, OriginClient
from p2pdist.pc import process_memory, system
from p2pdist.pc.facts import PcFacts, Placement
from p2pdist.pc.last_site import load_site, save_site
from p2pdist.pc.network import Medium
from p2pdist.settings import DaemonSettings, EndpointHome
from p2pdist.shared.backoff import Backoff
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import SiteName, opaque_tag
from p2pdist.shared.manifest.site_profile import SiteProfile
from p2pdist.shared.wire import messages
from p2pdist.shared.wire.messages import (
    PROTOCOL_VERSION,
    ControlHello,
    LinkWatch,
    RepositoryChanged,
    SiteLimit,
    SitePeers,
    Unavailable,
    Welcome,
)
from p2pdist.transfer.manager import SHORTEST_STEP_SECONDS, Transfers
from p2pdist.transfer.torrent_engine import PeerConnected, SwarmIdentity, TorrentDamaged, TorrentEngine
from p2pdist.trust.catalogue import Catalogue, RefusedPatch
from p2pdist.trust.store import TrustStore

MAX_REFUSED_SHOWN = 20  # `p2pdist status` is for people
RENEWAL_CHECK_SECONDS = 300.0
FIRST_RENEWAL_BACKOFF_SECONDS = 5.0
LONGEST_RENEWAL_BACKOFF_SECONDS = 60.0  # an expired certificate keeps this PC out: as eager as connecting
ADDRESS_CHECK_SECONDS = 30.0  # a new DHCP lease or a changed VPN is noticed within this
REFRESH_FIRST_BACKOFF_SECONDS = 1.0
REFRESH_JITTER = 0.5  # of the interval, either way, so that a fleet does not refresh in step

MEDIA = {"wired": Medium.WIRED, "wifi": Medium.WIFI, "vpn": Medium.VPN, "metered": Medium.METERED}

log = structlog.get_logger()


class Daemon:
    """The running daemon's state, and the tasks that connect its parts."""

    def __init__(
        self,
        home: EndpointHome,
        settings: DaemonSettings,
        identity: Identity,
        address: str | None,
    ) -> None:
        self.home = home
        self.settings = settings
        self.identity = identity
        self.fixed_address = address
        self.facts = system.UNKNOWN
        self.site = load_site(home.last_site)
        self.trust_problem = ""
        self.stale_problem = ""
        self.renewal_problem = ""
        self.refused: list[RefusedPatch] = []
        self.home_profile: Profile | None = None
        """The throttle profile in this PC's home."""
        self.site_profile: SiteProfile | None = None
        """The throttle profile of this PC's site, signed by the network admins."""
        self.site_limit: SiteLimit | None = None
        self.link_watch = LinkWatch(interval_seconds=None)
        """How often the server wants to hear of others' traffic."""
        self.parts = trio.CancelScope()
        """Around all parts; when it is cancelled, they start again."""
        self.at_work = trio.Lock()
        """Held while something is installed."""
        self._check_renewal = trio.Event()
        self._refresh_now = trio.Event()
        self._step_now = trio.Event()
        around = Placement(
            address=lambda: next(iter(self.addresses), None),
            site=lambda: self.site,
            tags=lambda: self.identity.tags,
            medium=MEDIA.get(settings.network),
        )
        root = Path(settings.install_root)
        self.installer = Installer(root, home.scratch)
        self.pc = PcFacts(
            home.root,
            root,
            around,
            changed=lambda: self._refresh_now.set(),  # noqa: PLW0108
            list_rpm=self.installer.list_packages,
        )

    async def restart_parts(self) -> None:
        """Start every part anew, when nothing is being installed."""
        async with self.at_work:
            self.parts.cancel()

    def facts_changed(self) -> None:
        """Look at this PC again, and at which patches are for it: something was installed. Tell the server soon."""
        self.pc.refresh_soon()
        self._step_now.set()

    @property
    def addresses(self) -> list[str]:
        """Own addresses that others may use, the best one first; empty without a network."""
        return [self.fixed_address] if self.fixed_address else list(self.facts.addresses)

    @property
    def listen_address(self) -> str:
        """Where neighbours can reach us: one address, or all of the family that leads to the server."""
        if self.fixed_address:
            return self.fixed_address
        best = ipaddress.ip_address(self.addresses[0]) if self.addresses else None
        return "::" if best and best.version == 6 else "0.0.0.0"  # noqa: S104 - they must reach it; TLS decides

    # --- what the origin client asks at each attempt --------------------------------

    def origin_address(self) -> OriginAddress:
        """Return where to connect, with the newest certificate."""
        return OriginAddress(
            host=self.identity.server_address,
            port=self.identity.origin_port,
            tls=control_ssl_context(self.identity),
            local_address=self.fixed_address,
        )

    def hello(self, lan_port: int) -> ControlHello:
        """Return the first message to the server."""
        return ControlHello(
            protocol=PROTOCOL_VERSION,
            software=f"p2pdist {__version__}",
            hostname=self.facts.hostname,
            addresses=self.addresses,
            lan_port=lan_port,
            on_mains=self.facts.on_mains,
            wired=self.facts.wired,
            uptime_seconds=self.facts.uptime_seconds,
        )

    def announcement(self, lan_port: int) -> Announcement:
        """Return what the neighbours are told by mDNS."""
        return Announcement(
            endpoint_id=self.identity.endpoint_id,
            address=next(iter(self.addresses), "0.0.0.0"),  # noqa: S104 - says that there is none
            port=lan_port,
            swarm_tag=opaque_tag(self.identity.swarm_ca),
            site_tag=opaque_tag(self.site) if self.site else "",
        )

    # --- tasks ----------------------------------------------------------------------

    async def follow_trust(self, store: TrustStore, transfers: Transfers, patching: Patching) -> None:
        """Refresh the trusted catalogue at start, on notice, and every few minutes with jitter."""
        backoff = Backoff(REFRESH_FIRST_BACKOFF_SECONDS, self.settings.refresh_seconds)
        anything_known = False
        while True:
            self._refresh_now = trio.Event()
            store.site = SiteName(self.site) if self.site else None
            store.choose, store.held = self.pc.chooser(), transfers.held()
            try:
                if not anything_known and (cached := await store.load_cached(time.time())) is not None:
                    await self._accept(cached, transfers, patching)
                    anything_known = True
                await self._accept(await store.refresh(time.time()), transfers, patching)
                anything_known = True
                self.trust_problem = ""
                backoff = backoff.succeeded()
                wait = self.settings.refresh_seconds * random.uniform(1 - REFRESH_JITTER, 1 + REFRESH_JITTER)  # noqa: S311
            except UserError as error:  # TrustError and its kinds
                self.trust_problem = error.message
                backoff = backoff.failed()
                wait = backoff.delay_seconds(random.random())  # noqa: S311 - jitter
                log.warning("trust refresh failed", reason=error.message, retry_seconds=round(wait, 1))
            with trio.move_on_after(wait):
                await self._refresh_now.wait()

    async def _accept(self, catalogue: Catalogue, transfers: Transfers, patching: Patching) -> None:
        self.stale_problem = catalogue.stale
        self.refused = list(catalogue.refused)
        if catalogue.profile != self.site_profile:
            self.site_profile = catalogue.profile
            log.info("throttle profile", site=self.site, profile=catalogue.profile and catalogue.profile.profile().name)
        await transfers.reconcile(catalogue)
        patching.follow_catalogue(catalogue)
        self._step_now.set()  # the pace of steps may change with what is new

    async def follow_origin(
        self, origin: OriginClient, transfers: Transfers, neighbours: Neighbours, patching: Patching
    ) -> None:
        """Act on what the server says."""
        async for event in origin.events:
            if isinstance(event, Welcome):
                log.info("connected to the server", server=event.server_name, site=event.site)
                if event.site != self.site:
                    self.site = event.site
                    await trio.to_thread.run_sync(save_site, self.home.last_site, SiteName(event.site))
                    await neighbours.announce()
                transfers.forget_reports()
                patching.forget_reports()
                self._refresh_now.set()
                self._step_now.set()
            elif isinstance(event, SitePeers):
                neighbours.server_list(event.peers)
            elif isinstance(event, RepositoryChanged):
                self._refresh_now.set()
            elif isinstance(event, Unavailable):
                transfers.origin_unavailable(event.torrent, event.reason)
            elif isinstance(event, SiteLimit):
                self.site_limit = event
            elif isinstance(event, LinkWatch):
                self.link_watch = event
            else:
                self.site_limit = None
                self.link_watch = LinkWatch(interval_seconds=None)
                self._check_renewal.set()  # expired meanwhile (this PC slept), or the clock was corrected

    @property
    def reports_link(self) -> bool:
        """Whether the server wants to hear of others' traffic now."""
        return self.link_watch.interval_seconds is not None

    @property
    def line_yields(self) -> bool:
        """Whether the site's line yields to business, as the server said last."""
        limit = self.site_limit if self.reports_link else None  # else nothing is sent, and the last word is old
        return limit is not None and limit.state == State.YIELD.value

    async def report_link(self, origin: OriginClient, reports: trio.MemoryReceiveChannel[BusinessUsage]) -> None:
        """Tell the server what others use of this PC's network, while it wants to hear of it."""
        gatherer = ReportGatherer()
        async for report in reports:
            gathered = gatherer.gather(report, self.link_watch.interval_seconds)
            if gathered is not None:
                await origin.send(
                    messages.LinkReport(
                        interval_seconds=min(gathered.interval_seconds, messages.MAX_REPORT_SECONDS),
                        business_bytes=gathered.business_bytes,
                        flows=gathered.flows,
                        harm_seconds=gathered.harm_seconds,
                    )
                )

    async def accept_pieces(self, origin: OriginClient, transfers: Transfers) -> None:
        """Store pieces from the origin; several of these run side by side."""
        while True:
            await transfers.accept_piece(await origin.pieces.receive())
            self._step_now.set()

    async def follow_engine(
        self, engine: TorrentEngine, transfers: Transfers, neighbours: Neighbours, limiter: LanLimiter
    ) -> None:
        """Act on what the torrent engine reports."""
        async for event in engine.events:
            if isinstance(event, TorrentDamaged):
                await transfers.damaged(event.torrent_hash)
            neighbours.engine_event(event)
            if isinstance(event, PeerConnected):
                limiter.wake()
            self._step_now.set()

    async def step_transfers(self, transfers: Transfers, patching: Patching, origin: OriginClient) -> None:
        """Step the transfers regularly, and at once when something happened."""
        was_busy = False
        while True:
            self._step_now = trio.Event()
            reports = patching.reports()
            await transfers.step()
            for report in reports:
                await origin.send(report)
            if was_busy and not transfers.busy:
                await trio.to_thread.run_sync(process_memory.give_back)
            was_busy = transfers.busy
            await trio.sleep(SHORTEST_STEP_SECONDS)  # whatever happens, not more often than this
            patching.refresh_files()
            with trio.move_on_after(transfers.step_seconds):
                await self._step_now.wait()

    async def renew_identity(self, engine: TorrentEngine, origin: OriginClient) -> None:
        """Renew the certificates at half of their life, and go on trying until the server agrees."""
        backoff = Backoff(FIRST_RENEWAL_BACKOFF_SECONDS, LONGEST_RENEWAL_BACKOFF_SECONDS)
        while True:
            self._check_renewal = trio.Event()
            if not renewal_due(self.identity, time.time()):
                with trio.move_on_after(RENEWAL_CHECK_SECONDS * random.uniform(0.8, 1.2)):  # noqa: S311 - jitter
                    await self._check_renewal.wait()
                continue
            before = self.identity
            if await self.renew_now():
                backoff = backoff.succeeded()
                engine.set_identity(SwarmIdentity.of(self.identity))
                origin.reconnect()
                if (before.control_ca, before.swarm_ca) != (self.identity.control_ca, self.identity.swarm_ca):
                    await self.restart_parts()  # every part knows an authority
            backoff = backoff.failed()
            await trio.sleep(backoff.delay_seconds(random.random()))  # noqa: S311 - jitter

    async def renew_now(self) -> bool:
        """Try once to renew the certificates; return whether they are new."""
        try:
            self.identity = await renew(self.identity, time.time(), local_address=self.fixed_address)
        except UserError as error:
            self.renewal_problem = f"The certificates cannot be renewed. {error.message}"
            log.warning("certificates could not be renewed", reason=error.message)
            return False
        self.renewal_problem = ""
        log.info("certificates renewed")
        return True

    async def watch_address(self, origin: OriginClient, neighbours: Neighbours) -> None:
        """Notice a changed own address: tell the server and the neighbours."""
        while True:
            await trio.sleep(ADDRESS_CHECK_SECONDS)
            try:
                # abandoned when the daemon stops: a name that does not resolve takes half a minute
                facts = await trio.to_thread.run_sync(self.look, abandon_on_cancel=True)
            except OSError as error:
                log.warning("own addresses cannot be read", reason=str(error))
                continue
            await self.took_facts(facts, origin, neighbours)

    async def took_facts(self, facts: system.LocalFacts, origin: OriginClient, neighbours: Neighbours) -> None:
        """Take in what this PC is now."""
        before, listened_on = self.addresses, self.listen_address
        self.facts = facts
        if self.addresses == before:
            return
        log.info("own addresses changed", addresses=self.addresses)
        origin.reconnect()
        await neighbours.announce()
        if self.listen_address != listened_on:
            await self.restart_parts()  # to listen there

    def look(self) -> system.LocalFacts:
        """Return fresh facts of this PC. Blocking. Raises `OSError`."""
        return system.read_local_facts(self.identity.server_address, self.identity.origin_port, self.fixed_address)

    @property
    def profile(self) -> Profile | None:
        """The throttle profile that holds here: the site's, else the home's."""
        return self.home_profile if self.site_profile is None else self.site_profile.profile()

    # --- what the commands ask --------------------------------------------------------

    def status(
        self, origin: OriginClient, transfers: Transfers, discovery: Discovery | None, limiter: LanLimiter
    ) -> Answer:
        """Return the answer to `p2pdist status`."""
        mdns_problem = discovery.problem if discovery else "mDNS is switched off"
        problems = [
            self.renewal_problem,
            self.trust_problem,
            self.stale_problem,
            transfers.memory.problem,
            mdns_problem,
            *limiter.problems,
            *(
                f"{refused.entry.patch_id} {refused.entry.version} cannot be taken: {refused.reason}. Publish it again."
                for refused in self.refused[:MAX_REFUSED_SHOWN]
            ),
        ]
        return {
            "endpoint_id": self.identity.endpoint_id,
            "site": self.site or None,
            "server": self.identity.server_name,
            "server_connection": origin.status,
            "version": __version__,
            "problems": [problem for problem in problems if problem],
            "patches": transfers.status(),
        }

    def limiter(self, origin: OriginClient) -> Answer:
        """Return the answer to `p2pdist limiter`: what the server said last of this site's line."""
        limit = self.site_limit
        return {
            "site": self.site or None,
            "server_connection": origin.status,
            "line": None if limit is None else msgspec.structs.asdict(limit),
            "profile": self.profile and self.profile.name,
        }
