"""The origin port: mutual TLS 1.3, a control and a data connection for each endpoint.

One task for each connection, all in the nursery of `OriginServer.run`. Whatever
a connection does, only that connection ends.
"""

import secrets
import socket
import ssl
from collections.abc import Coroutine, Mapping
from collections.abc import Set as AbstractSet
from functools import partial

import structlog
import trio

from bandwidth.core.units import LARGEST_PACKET_BYTES
from bandwidth.profiles.model import Profile
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import EndpointId, SiteName
from p2pdist.shared.manifest.documents import Rollouts
from p2pdist.shared.packet_size import allow_fragments, limit_packets
from p2pdist.shared.wire.channels import Hello
from p2pdist.shared.wire.data_messages import DataHello
from p2pdist.shared.wire.features import COUNTED_REPORTS, PACE
from p2pdist.shared.wire.fields import MAX_SERIAL
from p2pdist.shared.wire.messages import ControlHello, Pace, Welcome
from seed_server.line.metadata_line import MetadataLine
from seed_server.line.site_map import SiteMap
from seed_server.line.tcp_info import has_sent
from seed_server.origin.admissions import Admissions
from seed_server.origin.coded_forms import CodedForms
from seed_server.origin.coding_ahead import CodingAhead
from seed_server.origin.connection import LostConnectionError, OriginConnection, RefusedError
from seed_server.origin.control import ControlConversation
from seed_server.origin.data_link import DataLink
from seed_server.origin.guarded import guarded
from seed_server.origin.handshaking import Handshaking
from seed_server.origin.hello import hello_of, told_features
from seed_server.origin.limits import DEFAULT_LIMITS, OriginLimits
from seed_server.origin.log_proofs import LogProofs
from seed_server.origin.outside_log import OutsideLog
from seed_server.origin.paced_news import PacedNews
from seed_server.origin.port_parts import PortParts
from seed_server.origin.published import PublishedMetadata
from seed_server.origin.records import OriginRecords
from seed_server.origin.report_pace import pace_for
from seed_server.origin.resting import believe_lost
from seed_server.origin.sender import PieceSender
from seed_server.origin.session import Session
from seed_server.origin.site import LiveSite
from seed_server.origin.state import DENIED, OriginState
from seed_server.ports.gate import MORE_FILES, Gate, GateLimits, allowed_connections
from seed_server.ports.known_addresses import KnownAddresses
from seed_server.ports.listening import listen_sockets
from seed_server.ports.tls_stream import TlsStream, in_a_task_of_its_own
from seed_server.settings.server_toml import ServerSettings, listen_addresses
from seed_server.signing.metadata import NewestTimestamp
from seed_server.store.content_store import ContentStore
from seed_server.store.database import Database
from seed_server.store.piece_source import PieceSource
from seed_server.store.rows import Admission

__all__ = ["OriginServer", "PublishedMetadata"]

ORIGIN_PORT = "origin port"
STOPPING = "the seed server is stopping"
NOT_ENROLLED = "this PC is not enrolled here: enrol it with a new token"
OUR_FAULT = "the seed server has a problem of its own: try again later"

log = structlog.get_logger()


class OriginServer:
    """Serves endpoints; made and run once."""

    def __init__(
        self,
        *,
        settings: ServerSettings,
        database: Database,
        content: ContentStore,
        tls: ssl.SSLContext,
        sites: SiteMap,
        published: PublishedMetadata,
        clock: Clock,
        limits: OriginLimits = DEFAULT_LIMITS,
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._admissions = Admissions(database.admissions)
        self._unknown = published.unknown
        self._tls = tls
        self._clock = clock
        self._records = OriginRecords(database, clock)
        self._forms = CodedForms(published.coding, PieceSource(content), OutsideLog())
        self._fleet = OriginState(
            settings=settings,
            database=database,
            records=self._records,
            forms=self._forms,
            sites=sites,
            timestamp_version=published.timestamp_version,
            clock=clock,
            limits=limits,
        )
        self._log = self._fleet.outside_log
        self._sender = PieceSender(
            self._forms,
            self._fleet.patches,
            self._records,
            on_damaged=self._fleet.damaged,
            shares=self._fleet.parcels.shares,
            lease_seconds=settings.lease_seconds,
            limits=limits,
            outside_log=self._log,
        )
        fleet = self._fleet
        self._ahead = CodingAhead(
            self._forms, clock, is_busy=lambda: fleet.sends, late_seconds=lambda: fleet.steering.late_seconds
        )
        self._parts = PortParts(
            find_patch=fleet.find_patch,
            news=PacedNews(
                published.find_news, fleet.news_torrents.offer, fleet.metadata_line, published.budgets, self._log
            ),
            parcels=fleet.parcels,
            records=self._records,
            limits=limits,
            outside_log=self._log,
            pace=self._pace,
            proofs=LogProofs(database.audit_consistency),
            spares=fleet.spares,
            forms=self._forms,
            lost_files=published.lost_files,
            inventories=published.inventories,
        )
        self.known_addresses = KnownAddresses()
        """From which enrolled endpoints come; those that connect are added."""
        self._gate = Gate(known=self.known_addresses)
        self._control_connections = 0
        self.addresses: list[tuple[str, int]] = []
        """Where it listens, once it has started."""

    def count_connecting(self, address: str) -> None:
        """Count a handshake at any port, with whoever comes from ``address``, on its site's line."""
        self._fleet.count_connecting(address)

    @property
    def metadata_line(self) -> MetadataLine:
        """What paces the web port's answers to the sites that are served here."""
        return self._fleet.metadata_line

    # --- for the composition root -------------------------------------------------------

    async def run(
        self,
        sockets: list[socket.socket] | None = None,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve until cancelled; then every endpoint is told.

        ``sockets``: those of the port, which listen already; None: opened here. Raises `UserError` (BUSY) for an
        address in use.
        """
        allowed = GateLimits(allowed_connections().origin, self._limits.max_per_address)
        self._gate = Gate(allowed, known=self.known_addresses)
        await self._fleet.load()
        if sockets is None:
            sockets = listen_sockets(listen_addresses(self._settings), self._settings.origin_port, purpose=ORIGIN_PORT)
        for sock in sockets:
            # a sender cannot pace in smaller steps than a packet, and one of loopback's or a jumbo frame's size takes
            # a second on a slow line
            limit_packets(sock, LARGEST_PACKET_BYTES)
            allow_fragments(sock, allowed=True)  # handshakes and control messages are to get through everywhere
        self.addresses = [sock.getsockname()[:2] for sock in sockets]
        listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in sockets]
        # shielded: the records end after the connections, whose last news is written too
        keeping_records = trio.CancelScope(shield=True)
        async with trio.open_nursery() as outer:
            outer.start_soon(self._keep_records, keeping_records)
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._forms.run)
                    nursery.start_soon(self._ahead.run)
                    nursery.start_soon(self._fleet.tick)
                    nursery.start_soon(self._fleet.pinging.run)
                    nursery.start_soon(self._fleet.steer)
                    serve = partial(in_a_task_of_its_own, nursery, self._serve)
                    nursery.start_soon(trio.serve_listeners, serve, listeners)
                    task_status.started()
            finally:
                keeping_records.cancel()

    async def repository_changed(self, timestamp_version: int, renewed: NewestTimestamp | None = None) -> None:
        """Serve what has been published, and tell every endpoint to refresh. Raises `UserError`: nothing is changed.

        ``renewed``: the timestamp, where nothing else is new.
        """
        await self._fleet.repository_changed(timestamp_version, renewed)

    def replace_rollouts(self, rollouts: Rollouts) -> None:
        """Send only what these offer, from the next `repository_changed` or `run` on."""
        self._fleet.rollouts = rollouts

    def replace_sites(self, sites: SiteMap) -> None:
        """Use a new site map: rates change at once, endpoints whose site changes connect again."""
        self._fleet.replace_sites(sites)

    def replace_profiles(self, profiles: Mapping[SiteName, Profile]) -> None:
        """Use these throttle profiles from now on."""
        self._fleet.replace_profiles(profiles)

    def replace_templates(self, names: AbstractSet[str]) -> None:
        """Accept answers to these diagnosis templates from now on, and to no others."""
        self._records.replace_templates(names)

    def drop_denied(self, denied: set[EndpointId]) -> None:
        """Refuse exactly these endpoints from now on, and end their connections."""
        self._fleet.drop_denied(denied)

    @property
    def sends(self) -> bool:
        """Whether anything is sent to any site now."""
        return self._fleet.sends

    @property
    def connected(self) -> set[EndpointId]:
        """The endpoints that have a control connection now, or will if they are enrolled."""
        return self._fleet.connected | self._admissions.asked

    def drop_forgotten(self, forgotten: AbstractSet[EndpointId]) -> None:
        """End the connections of endpoints that are not enrolled any more, and admit none of them that waits."""
        self._admissions.forget(forgotten)
        for endpoint in forgotten:
            if (known := self._fleet.session(endpoint)) is not None:
                log.warning("dropping an endpoint that was forgotten", endpoint=endpoint)
                known[0].end(NOT_ENROLLED)

    async def _keep_records(self, scope: trio.CancelScope) -> None:
        with scope:
            await self._records.run()

    # --- connections --------------------------------------------------------------------

    async def _serve(self, tcp: socket.socket) -> None:
        try:
            address = str(tcp.getpeername()[0])
        except OSError:  # gone already
            tcp.close()
            return
        if (why := self._gate.full(address)) and not self._gate.made_room(address):
            log.debug("connection turned away", address=address, reason=why)
            if self._gate.at_the_cap:
                cap = self._gate.most_connections
                self._log.warning("PCs are turned away: no more connections", "all", connections=cap, cure=MORE_FILES)
            tcp.close()
            return
        with self._gate.entered(address):
            try:
                await self._serve_proven(tcp, address)
            except LostConnectionError as error:
                log.debug("no origin connection", address=address, reason=str(error))
            except Exception:
                # a bug in serving one connection must not end those of all others
                if (told := self._log.fields("serving a connection failed", address)) is not None:
                    log.exception("serving a connection failed", **told)

    async def _serve_proven(self, tcp: socket.socket, address: str) -> None:
        try:
            stream = TlsStream(tcp, self._tls)
        except OSError:  # gone already
            return
        with self._gate.unproven(address, Handshaking(stream)):
            connection = await self._shake_hands(stream, address)
            reason: str | None = STOPPING  # if we are cancelled
            hello: Hello | None = None
            try:
                hello = hello_of(await connection.receive_first(self._limits.first_frame_seconds))
            except RefusedError as error:
                reason = str(error)
            except LostConnectionError:
                reason = None
                raise
            finally:
                if hello is None:
                    await self._finish(connection, reason)
        if hello is None:
            return
        reason, serving = STOPPING, self._serve_endpoint(connection, hello)
        del hello  # from memory, for all the time that it is served
        try:
            reason = await serving
        except RefusedError as error:
            reason = str(error)
        except UserError as error:
            log.error("an endpoint cannot be served", reason=error.message)  # noqa: TRY400
            reason = OUR_FAULT
        except Exception:
            reason = OUR_FAULT
            raise
        finally:
            await self._finish(connection, reason)

    async def _finish(self, connection: OriginConnection, reason: str | None) -> None:
        if reason not in (None, STOPPING):
            self._log.info("connection ended", connection.endpoint, address=connection.address, reason=reason)
        await connection.finish(reason)

    async def _shake_hands(self, stream: TlsStream, address: str) -> OriginConnection:
        """Return the connection of a proven endpoint; else close ``stream``. Raises `LostConnectionError`."""
        try:
            connection = await OriginConnection.accept(
                stream, address, self._clock, within_seconds=self._limits.handshake_seconds
            )
        except BaseException:
            # a stranger that says something is answered before its certificate is looked at
            if has_sent(stream.socket):
                self._fleet.count_connecting(address)
            stream.close()
            raise
        self._fleet.count_connecting(address)
        return connection

    def _serve_endpoint(self, connection: OriginConnection, hello: Hello) -> Coroutine[None, None, str | None]:
        """Return what serves a connection to its end, and returns the reason; None when the endpoint is gone."""
        return self._control(connection, hello) if isinstance(hello, ControlHello) else self._data(connection, hello)

    async def _control(self, connection: OriginConnection, hello: ControlHello) -> str | None:
        admission = await self._admissions.of(connection.endpoint)
        if admission is None:
            raise RefusedError(self._unknown(connection, hello.hostname) or NOT_ENROLLED)
        if admission.denied or self._fleet.is_denied(connection.endpoint):
            raise RefusedError(DENIED)
        self.known_addresses.note(connection.address)
        session, live = self._fleet.join(connection, hello)
        session.packet_bytes = live.rate.packet_bytes(session.endpoint, trio.current_time())
        conversation = ControlConversation(session, live, self._parts)
        conversing = conversation.run(self._welcome(session, live, hello, admission))
        del conversation, hello, admission  # from memory, for all the time that it lasts
        self._control_connections += 1
        try:
            await conversing
        finally:
            self._control_connections -= 1
            self._fleet.leave(session, live)
            self._parts.left(session)
        return session.ending.reason

    def _welcome(self, session: Session, live: LiveSite, hello: ControlHello, admission: Admission) -> Welcome:
        return Welcome(
            server_name=self._settings.name,
            site=live.site.name,
            timestamp_version=self._fleet.timestamp_version,
            packet_bytes=session.packet_bytes,
            large_packets_lost=live.rate.path.large_are_lost(session.endpoint, trio.current_time()),
            at=self._clock.now(),
            connection=1 + secrets.randbelow(MAX_SERIAL) if COUNTED_REPORTS in session.features else 0,
            recorded=admission.recorded if admission.recorded_of == hello.instance else 0,
            pace=self._pace() if PACE in session.features else None,
            features=told_features(hello.protocol, live.site.name, self._settings, self._parts.features),
        )

    def _pace(self) -> Pace:
        return pace_for(self._control_connections, self._limits.reports_per_second)

    async def _data(self, connection: OriginConnection, hello: DataHello) -> str | None:
        known = self._fleet.session(connection.endpoint)
        if known is None or known[0].instance != hello.instance:
            raise RefusedError("there is no control connection: open that first")
        session, live = known
        if hello.large_packets_lost:
            believe_lost(live, session, trio.current_time())
        lost = live.rate.path.large_are_lost(session.endpoint, trio.current_time())
        allow_fragments(connection.socket, allowed=lost)
        link = DataLink(connection)
        live.attach(session, link, trio.current_time())
        try:
            async with trio.open_nursery() as nursery:
                link.ending.cancels(nursery.cancel_scope)
                nursery.start_soon(guarded, connection.receive_nothing, link.ending)
                nursery.start_soon(guarded, lambda: self._sender.run(live, session, link), link.ending)
        finally:
            live.detach(session, link, trio.current_time())
        return link.ending.reason
