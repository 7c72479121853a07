"""Everything live on the origin port: sites, their connected endpoints, and the patches that are served."""

from collections.abc import Mapping
from datetime import UTC, datetime

import structlog
import trio
from msgspec.structs import replace

from bandwidth.core.frontier import HEADROOM
from bandwidth.core.units import BytesPerSecond, line_share
from bandwidth.profiles.model import Profile
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import EndpointId, SiteName, TorrentHash
from p2pdist.shared.manifest.documents import Rollouts
from p2pdist.shared.wire.messages import ControlHello, Unavailable
from seed_server.line.control_budget import CONNECTING_BYTES
from seed_server.line.egress import share_egress
from seed_server.line.metadata_line import MetadataLine
from seed_server.line.other_traffic import OtherTraffic
from seed_server.line.site_map import Site, SiteMap, automatic_site_of
from seed_server.line.site_policy import site_policy
from seed_server.line.site_rate import METADATA_SHARE, SiteRate
from seed_server.origin.arrivals import Arrivals
from seed_server.origin.coded_forms import CodedForms
from seed_server.origin.connection import OriginConnection
from seed_server.origin.known_lines import KnownLines
from seed_server.origin.limits import OriginLimits
from seed_server.origin.message_budgets import MessageBudgets
from seed_server.origin.news_torrents import NewsTorrents
from seed_server.origin.outbox import Outbox
from seed_server.origin.outside_log import OutsideLog
from seed_server.origin.overdue import end_overdue, log_alarms
from seed_server.origin.parcel_torrents import ParcelTorrents
from seed_server.origin.pinging import Pinging
from seed_server.origin.records import OriginRecords
from seed_server.origin.seen_rounds import SeenRounds
from seed_server.origin.served import served_payloads
from seed_server.origin.session import Session
from seed_server.origin.site import FleetParts, LiveSite
from seed_server.origin.spare_copies import SpareAnswers
from seed_server.origin.steering import Steering
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.metadata import NewestTimestamp
from seed_server.store.database import Database
from seed_server.store.rows import ServedPayload

TICK_SECONDS = 0.25  # neighbour lists and expired leases; small against both
REPAIR_HINT = "publish the same file again under the same id and version to repair it"
DAMAGED = "damaged on the seed server's disk"
DENIED = "this PC has been denied by the operator"

log = structlog.get_logger()


class OriginState:
    """The origin port's state; its methods never wait for an endpoint."""

    def __init__(
        self,
        *,
        settings: ServerSettings,
        database: Database,
        records: OriginRecords,
        forms: CodedForms,
        sites: SiteMap,
        timestamp_version: int,
        clock: Clock,
        limits: OriginLimits,
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._egress = line_share(settings.egress_mbit, HEADROOM) if settings.egress_mbit else None
        """What may be sent to all sites together; None: no cap."""
        self._others = OtherTraffic()
        """What all sites are sent besides pieces."""
        metadata_egress = None if self._egress is None else BytesPerSecond(self._egress // METADATA_SHARE)
        self.metadata_line = MetadataLine(self, egress=metadata_egress, others=self._others)
        self._clock = clock
        self.outside_log = OutsideLog()
        """For what endpoints cause; all parts of the port log it here."""
        self._parts = FleetParts(has_former=lambda torrent: torrent in forms.former)
        self.pinging = Pinging(limits)
        self._database = database
        self._records = records
        self._forms, self._source = forms, forms.source
        self._arrivals = Arrivals(sites, records, clock)
        self.timestamp_version = timestamp_version
        self.patches: dict[TorrentHash, ServedPayload] = {}
        """What is served; changed in place."""
        self.rollouts: Rollouts | None = None
        """What is offered, from the next reload on; None: everything that is published."""
        self._live: dict[SiteName, LiveSite] = {}
        self._lines = KnownLines(clock)
        self._profiles: Mapping[SiteName, Profile] = {}
        self._explained: set[SiteName] = set()
        self.steering = Steering(limits.quiet_seconds)
        self._sessions: dict[EndpointId, tuple[Session, LiveSite]] = {}
        forms.sessions = self._sessions.values
        self._denied: set[EndpointId] = set()
        self.news_torrents = NewsTorrents(forms.source, self.serve, self._forget)
        self.parcels = ParcelTorrents(forms.source, self.serve, self._forget)
        self.spares = SpareAnswers(self.patches, self._parts.torrents, database.endpoints_at)
        self._reloaded_at = -limits.reload_seconds
        self._reloading = trio.Lock()
        self._seen_rounds = SeenRounds()

    async def repository_changed(self, timestamp_version: int, renewed: NewestTimestamp | None = None) -> None:
        """Serve what has been published, and tell every endpoint to refresh, within seconds.

        ``renewed``: the timestamp, where nothing else is new; of that they are told in a part of its life.
        Raises `UserError` where the database cannot be read; then nothing is changed, and nobody is told.
        """
        await self.reload_patches()
        self.timestamp_version = timestamp_version
        for live in self._live.values():
            live.repository_changed(timestamp_version, trio.current_time(), renewed)

    def replace_sites(self, sites: SiteMap) -> None:
        """Use a new site map: rates change at once, endpoints whose site or address there changes connect again."""
        self._arrivals.site_map = sites
        for session, live in list(self._sessions.values()):
            placement = sites.place(session.own_addresses, session.connection.address)
            site, moved = placement.site, placement.lan_address != session.peer.address
            if moved or (site.name, site.fetchers) != (live.site.name, live.site.fetchers):
                session.end("the site map has changed: connect again")
            elif site != live.site:
                live.replace(site)

    def replace_profiles(self, profiles: Mapping[SiteName, Profile]) -> None:
        """From now on use these sites' profiles, and none for all other sites."""
        self._profiles = profiles
        for live in self._live.values():
            self._set_policy(live, trio.current_time())

    def _set_policy(self, live: LiveSite, now: float) -> None:
        name, rate = live.site.name, live.rate
        policy = site_policy(
            self._profiles.get(name),
            name,
            datetime.fromtimestamp(self._clock.now(), UTC),
            capacity=rate.capacity(now),
            spare=rate.spare(now),
            remaining_bytes=live.ledger.remaining_bytes(now),
        )
        if policy.blackout != rate.policy.blackout:
            self._explained = self._explained | {name}  # it is said though nothing is sent
        rate.set_policy(policy)

    def drop_denied(self, denied: set[EndpointId]) -> None:
        """Refuse exactly these endpoints from now on, and end their connections."""
        self._denied = set(denied)
        for endpoint in denied & self._sessions.keys():
            log.warning("dropping a denied endpoint", endpoint=endpoint)
            self._sessions[endpoint][0].end(DENIED)

    # --- endpoints ----------------------------------------------------------------------

    @property
    def connected(self) -> set[EndpointId]:
        """The endpoints that are connected now."""
        return set(self._sessions)

    @property
    def sends(self) -> bool:
        """Whether anything is sent to any site now."""
        return any(live.steered for live in self._live.values())

    def session(self, endpoint: EndpointId) -> tuple[Session, LiveSite] | None:
        """Return a connected endpoint with its site."""
        return self._sessions.get(endpoint)

    def count_connecting(self, address: str) -> None:
        """Count what a handshake with whoever comes from ``address`` puts on its site's line."""
        if (rate := self.known_rate(address)) is not None:
            rate.control.count(CONNECTING_BYTES)

    def is_denied(self, endpoint: EndpointId) -> bool:
        """Whether `drop_denied` has named ``endpoint``."""
        return endpoint in self._denied

    def join(self, connection: OriginConnection, hello: ControlHello) -> tuple[Session, LiveSite]:
        """Add an endpoint to its site; an older connection of it ends. Raises `RefusedError`."""
        placement = self._arrivals.place(connection, hello)
        now = trio.current_time()
        older = self._sessions.get(connection.endpoint)
        self._arrivals.admit(connection, hello, now, older)
        if older is not None:
            older[0].connection.cause = "replaced"
            older[0].end("replaced by a newer control connection")
            self.leave(*older)
        live = self._live.get(placement.site.name)
        if live is None or live.site != placement.site:  # a site of a replaced map empties by itself
            live = LiveSite(
                placement.site,
                self._lines.rate(placement.site, now),
                fetchers=self._settings.fetchers_per_site,
                lease_seconds=self._settings.lease_seconds,
                fleet=self._parts,
                times=self._limits.ledger,
                on_active=self._site_active,
                look_at_policy=self._set_policy,
            )
            self._live[placement.site.name] = live
        budgets = MessageBudgets(self._limits.messages, now)
        session = self._arrivals.session(connection, hello, placement, Outbox(live.control), budgets)
        live.join(session, now)
        self.pinging.joined(session, live, now)
        self._sessions[connection.endpoint] = (session, live)
        self._arrivals.joined(session, live)
        self.outside_log.info("endpoint connected", session.endpoint, site=live.site.name, address=connection.address)
        return session, live

    def leave(self, session: Session, live: LiveSite) -> None:
        """Remove a session and its leases; calling it again does nothing."""
        if session.link is not None:
            session.link.ending.end(session.ending.reason)
            live.detach(session, session.link, trio.current_time())
        live.leave(session, trio.current_time())
        if not live.sessions and self._live.get(live.site.name) is live:
            del self._live[live.site.name]
        known = self._sessions.get(session.endpoint)
        if known is not None and known[0] is session:
            del self._sessions[session.endpoint]
            self._arrivals.left(session, live, trio.current_time())
            reason = session.ending.reason or "it closed the connection"
            self.outside_log.info("endpoint disconnected", session.endpoint, reason=reason)

    def rate_towards(self, address: str, endpoint: EndpointId) -> SiteRate:
        """Return what is known of the line to an endpoint that is seen at ``address``, connected or not."""
        if (connected := self._sessions.get(endpoint)) is not None:
            return connected[1].rate
        return self._lines.rate(self._site_seen_at(address), trio.current_time())

    def known_rate(self, address: str) -> SiteRate | None:
        """Return what is known of the line to ``address``; None: nothing, and nothing is to be kept of a stranger."""
        return self._lines.known(self._site_seen_at(address).name)

    def _site_seen_at(self, address: str) -> Site:
        return self._arrivals.site_map.seen(address) or automatic_site_of(address)

    def _site_active(self, live: LiveSite) -> None:
        now = trio.current_time()
        self.pinging.hurry(live, now)
        self._set_policy(live, now)
        self._share_egress()
        self.steering.start(live)

    def _share_egress(self) -> None:
        if self._egress is None:
            return
        active = [live.rate for live in self._live.values() if live.steered]
        left = BytesPerSecond(max(0, int(self._egress - self._others.rate(trio.current_time()))))
        for at, ceiling in share_egress(left, {at: rate.wanted for at, rate in enumerate(active)}).items():
            active[at].egress_ceiling = ceiling

    async def steer(self) -> None:
        """Decide how fast each site is sent to, while anything is sent there; until cancelled."""
        await self.steering.run()

    # --- patches ------------------------------------------------------------------------

    async def find_patch(self, torrent: TorrentHash) -> ServedPayload | None:
        """Return the patch of a torrent; for one that is not known, look into the database (again) first.

        May wait for `OriginLimits.reload_seconds`: a Want can overtake the news of a publication.
        """
        if torrent not in self.patches:
            await trio.sleep_until(self._reloaded_at + self._limits.reload_seconds)
            if trio.current_time() - self._reloaded_at >= self._limits.reload_seconds:  # nobody else has meanwhile
                await self._try_reload()
        return self.patches.get(torrent)

    async def _try_reload(self) -> None:
        try:
            await self.reload_patches()
        except UserError as error:
            # a Want for what is missing asks again
            log.error("the published patches cannot be read", reason=error.message)  # noqa: TRY400

    async def load(self) -> None:
        """Read what an earlier run has left. Call it before endpoints connect. Raises `UserError`."""
        self._lines.remember(await trio.to_thread.run_sync(self._database.site_limits))
        await self.reload_patches()

    async def reload_patches(self) -> None:
        """Serve what the database says is published. Raises `UserError`."""
        async with self._reloading:  # an older answer of the database must not overwrite a newer one
            await self._reload()

    async def _reload(self) -> None:
        self._reloaded_at, before = trio.current_time(), dict(self.patches)
        await self._records.flush()  # what is damaged must not come back from the database as good
        published = await trio.to_thread.run_sync(self._database.payloads)
        rows = served_payloads(published, self.rollouts)
        await self._forms.learn(published, rows.values())
        # of what was found damaged since it was asked, the answer of the database is too old
        late = {at: row for at, row in self.patches.items() if row.damaged and row is not before.get(at)}
        rows |= {at: row for at, row in late.items() if at in rows}
        self.parcels.replace(rows.values())
        rows |= self.news_torrents.rows | self.parcels.rows
        for torrent in self.patches.keys() - rows.keys():
            self._stop_serving(torrent)
        for torrent, patch in rows.items():
            known = self.patches.get(torrent)
            if known == patch:
                continue
            if known is not None and known.damaged and not patch.damaged:
                log.info("a damaged patch is repaired", patch=patch.patch_id, version=patch.version)
            self._source.forget(patch)
            for session, _ in self._sessions.values():
                session.told_unavailable -= {torrent}
            if patch.damaged:
                self._stop_serving(torrent)
            else:
                self.serve(patch)
        # in place: the sender looks at the same dictionary
        self.patches.clear()
        self.patches.update(rows)

    def serve(self, patch: ServedPayload) -> None:
        """Begin to serve ``patch`` to all sites, or serve it in another order."""
        self.patches[TorrentHash(patch.torrent_hash)] = patch
        self._parts.torrents.add(
            TorrentHash(patch.torrent_hash),
            sequence=patch.sequence,
            piece_count=patch.piece_count,
            piece_length_bytes=min(patch.piece_length_bytes, patch.length_bytes),  # a small file is no whole piece
            urgency=patch.urgency,
        )

    def _forget(self, torrent: TorrentHash) -> None:
        self.patches.pop(torrent, None)
        self._stop_serving(torrent, Unavailable(torrent=torrent, reason="not sent any more"))

    def _stop_serving(self, torrent: TorrentHash, said: Unavailable | None = None) -> None:
        self._parts.torrents.remove(torrent)
        for live in self._live.values():
            live.stop_serving(torrent, said)

    async def damaged(self, torrent: TorrentHash, reason: str) -> None:
        """Stop serving a patch, and tell every endpoint, which may be waiting for it."""
        patch = self.patches.get(torrent)
        if patch is None or patch.damaged:
            return
        text = f"{reason}; {REPAIR_HINT}"
        log.error("a payload is damaged", patch=patch.patch_id, version=patch.version, reason=text)
        self.patches[torrent] = replace(patch, damaged=text)
        self._records.damaged(torrent, text)
        unavailable = Unavailable(torrent=torrent, reason=DAMAGED)
        self._stop_serving(torrent)
        self.parcels.replace(self.patches.values())
        for session, _ in self._sessions.values():
            session.told_unavailable |= {torrent}
            session.outbox.put(torrent, unavailable)
        await self._records.flush()

    # --- regular work -------------------------------------------------------------------

    async def tick(self) -> None:
        """Do what is due, until cancelled. Sites at which nothing is due cost nothing, whatever their size."""
        told_at = trio.current_time()
        while True:
            await trio.sleep(TICK_SECONDS)
            now = trio.current_time()
            for live in self._live.values():
                if live.is_awake(now):
                    live.poll(now)
                    end_overdue(live, now, self.outside_log)
            log_alarms(self._parts.standings, self.outside_log)
            self._share_egress()
            self.news_torrents.expire(now)
            self.parcels.expire(
                now, lambda each: any(live.ledger.ledger(each) is not None for live in self._live.values())
            )
            if now - told_at >= self._limits.site_limit_seconds:
                told_at = now
                for live in self._live.values():
                    if live.steered:
                        self._set_policy(live, now)  # a window may begin or end
                self._explain(now)
                self._arrivals.tell_single(self._sessions, now)
            self._record_some()

    def _record_some(self) -> None:
        """Record of some endpoints that they are still there: of all within `SEEN_SECONDS`, and of few at a time."""
        for endpoint in self._seen_rounds.next(self._sessions, TICK_SECONDS):
            if (known := self._sessions.get(endpoint)) is not None:
                self._arrivals.record(known[0], known[1].site.name, connected=True, news=False)

    def _explain(self, now: float) -> None:
        """Tell and record how fast each site is sent to and why: while it is, or PCs wait in vain, and once after."""
        active = {live.site.name for live in self._live.values() if live.steered or live.is_stopped}
        told = active | self._explained
        for live in self._live.values():
            if live.site.name in told:
                live.tell_limit(now)
                self._records.site_limit(live.limit_row(now, self._clock.now()), live.rate.seen.take())
        self._explained = active
