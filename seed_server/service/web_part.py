"""The web part: a process for the web port, and for whatever is signed while the server runs."""

import socket

import trio

from bandwidth.core.units import SAFE_PACKET_BYTES
from p2pdist.shared.clock import Clock, SystemClock
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.packet_size import limit_packets
from p2pdist.shared.said_once import SaidOnce
from seed_server.automation.webhook_dispatcher import WebhookDispatcher, webhook_sender
from seed_server.enrolment.certificate_authority import CertificateAuthority, ServerCertificate
from seed_server.enrolment.decisions import EnrolmentDecisions
from seed_server.fleet.archiving import Archivist
from seed_server.fleet.context import Context
from seed_server.fleet.enrolment_entries import recorded_enrolments
from seed_server.fleet.rollout_engine import RolloutEngine
from seed_server.line.byte_budget import ByteBudgets
from seed_server.ports.gate import allowed_connections, web_limits
from seed_server.ports.known_addresses import KnownAddresses
from seed_server.ports.server_tls import ServerTls
from seed_server.service.answers_line import LineOfOriginPart
from seed_server.service.catching_up import CatchingUp
from seed_server.service.disk_upkeep import DiskUpkeep
from seed_server.service.harm_upkeep import enter_harm
from seed_server.service.history_upkeep import keep_history
from seed_server.service.line_upkeep import keep_lines
from seed_server.service.link import PartLink
from seed_server.service.messages import (
    BudgetSpent,
    FromOriginPart,
    HandedInFiles,
    Handshake,
    KnownAddress,
    TrustHeard,
    Turn,
    UnknownPc,
    UseCertificate,
    decode_from_origin_part,
)
from seed_server.service.part import PartSetting
from seed_server.service.plan_upkeep import PlanUpkeep
from seed_server.service.upkeep import Upkeep
from seed_server.store.opening import open_database
from seed_server.store.trust_news import TrustNewsReader
from seed_server.web.app import WebPort, make_app
from seed_server.web.host import WebLimits, serve_web
from seed_server.web.http11 import AsgiApp


async def serve_web_port(setting: PartSetting) -> None:
    """Serve until cancelled. Raises `UserError`: not initialised, damaged files, a database that cannot be opened."""
    home, settings, clock = setting.home, setting.settings, SystemClock()
    with open_database(home, settings) as database:
        authority = CertificateAuthority.open(home.ca)
        context = Context(home, clock)
        # whoever was killed while it signed has left an entry of which nobody knows whether it was carried out
        repository = context.repository(context.settling())
        await trio.to_thread.run_sync(context.settle, repository)
        upkeep = Upkeep(home, settings, authority, repository, clock)
        await upkeep.clear_up()
        catching_up = CatchingUp(context, repository, database)
        await trio.to_thread.run_sync(catching_up.begin)
        # before anything is announced: expired metadata would be refused by every endpoint
        await trio.to_thread.run_sync(repository.refresh_timestamp, clock.now())
        part = _WebPart(authority, upkeep.new_certificate(), catching_up)
        for address in await trio.to_thread.run_sync(database.enrolled_addresses):
            part.known.note(address)
        part.known.on_new = lambda address: part.link.tell(KnownAddress(address))
        for sock in setting.listening:  # what is small is to get through everywhere, also to PCs that cannot ask for it
            limit_packets(sock, SAFE_PACKET_BYTES)
        port = WebPort(
            decisions=EnrolmentDecisions(
                server_name=settings.name,
                origin_port=settings.origin_port,
                authority=authority,
                database=database,
                trusted_root=repository.trusted_root,
                recording=recorded_enrolments(context),
                lifetime_seconds=lambda: catching_up.certificates_last,
            ),
            metadata_directory=home.tuf_metadata,
            targets_directory=home.tuf_targets,
            line=LineOfOriginPart(part.link, settings.egress_mbit),
            news=TrustNewsReader(home.tuf_metadata, home.tuf_targets),
            budgets=part.budgets,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(part.link.run, setting.connections, part.heard)
            await nursery.start(part.serve, make_app(port, clock), setting.listening, clock)
            nursery.start_soon(upkeep.keep_fresh)
            nursery.start_soon(upkeep.keep_certificate, part.use)
            nursery.start_soon(upkeep.watch_address)
            nursery.start_soon(upkeep.follow_addresses, part.use)
            nursery.start_soon(upkeep.warn_of_uninformed, context, database)
            said = SaidOnce()
            nursery.start_soon(keep_history, Archivist(context, database, settings.retention, said=said), clock)
            nursery.start_soon(DiskUpkeep(context, repository, database, said=said).run)
            nursery.start_soon(PlanUpkeep(context, database).run)
            nursery.start_soon(keep_lines, database, clock)
            nursery.start_soon(enter_harm, context, database, lambda: catching_up.held)
            nursery.start_soon(catching_up.run)
            nursery.start_soon(RolloutEngine(context, repository, database).run, lambda: catching_up.held)
            sender = webhook_sender(home, settings.webhooks)
            nursery.start_soon(WebhookDispatcher(context, database, sender, settings.name).run)
            setting.serves()
            await trio.sleep_forever()


class _WebPart:
    """The web port, and what it shares with the origin part."""

    def __init__(
        self, authority: CertificateAuthority, certificate: ServerCertificate, catching_up: CatchingUp
    ) -> None:
        self._catching_up = catching_up
        self._control_ca = authority.control_ca_pem
        self._certificate = certificate
        self._tls = ServerTls(self._control_ca, certificate)
        self.link = PartLink[FromOriginPart](decode_from_origin_part, at_each_start=self._hand_over)
        self.known = KnownAddresses()
        self.budgets = ByteBudgets(on_spent=lambda endpoint, count: self.link.tell(BudgetSpent(endpoint, count)))

    async def serve(
        self,
        app: AsgiApp,
        sockets: list[socket.socket],
        clock: Clock,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve ``app`` until cancelled."""
        await serve_web(
            app,
            sockets,
            self._tls.web,
            clock,
            known=self.known,
            connecting=lambda address: self.link.tell(Handshake(address)),
            limits=WebLimits(connections=web_limits(allowed_connections().web)),
            task_status=task_status,
        )

    def use(self, certificate: ServerCertificate) -> None:
        """Show another certificate from now on, at both ports. Raises `UserError` (STORAGE)."""
        self._tls.replace_certificate(certificate)
        self._certificate = certificate
        self._hand_over()

    def _hand_over(self) -> None:
        certificate = self._certificate
        self.link.tell(
            UseCertificate(
                control_ca=self._control_ca,
                certificate=certificate.certificate_pem.decode(),
                key=certificate.key_pem.decode(),
                expires_at=certificate.expires_at,
            )
        )

    async def heard(self, message: FromOriginPart) -> None:
        """Act on what the origin part says."""
        if isinstance(message, Turn):
            self.link.answered(message.call, message)
        elif isinstance(message, KnownAddress):
            self.known.note(message.address)
        elif isinstance(message, TrustHeard | HandedInFiles | UnknownPc):
            self._catching_up.heard(message)
        else:
            self.budgets.charge(EndpointId(message.endpoint), message.count, trio.current_time())
