"""The seed server's composition root: the two ports, and what keeps them up to date while they serve."""

import random
import signal
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import click
import structlog
import trio

from bandwidth.core.quantities import DAY_SECONDS
from bandwidth.core.units import SAFE_PACKET_BYTES
from p2pdist.shared.clock import Clock, SystemClock
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.logs import configure_log
from p2pdist.shared.packet_size import limit_packets
from p2pdist.shared.private_directory import keep_private
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.enrolment.decisions import EnrolmentDecisions
from seed_server.line.byte_budget import ByteBudgets
from seed_server.line.metadata_line import MetadataLine
from seed_server.line.site_map_file import load_sites
from seed_server.origin.server import OriginServer, PublishedMetadata
from seed_server.ports.called_address import why_not_here
from seed_server.ports.gate import allowed_connections, web_limits
from seed_server.ports.listening import listen_sockets
from seed_server.ports.server_tls import ServerTls
from seed_server.settings import ServerHome, ServerSettings, listen_addresses, load_settings
from seed_server.signing.key_files import unencrypted_keys
from seed_server.signing.metadata import NewestTimestamp
from seed_server.signing.profiles import parsed_profiles
from seed_server.signing.repository import Repository
from seed_server.signing.role_policy import expiring_offline
from seed_server.signing.templates import template_names
from seed_server.store.content_store import ContentStore
from seed_server.store.database import Database
from seed_server.store.serve_lock import serve_lock
from seed_server.store.trust_news import TrustNewsReader
from seed_server.web.app import WebPort, make_app
from seed_server.web.host import WebLimits, serve_web

POLL_SECONDS = 0.25  # how soon a denial or a new site map takes effect …
PUBLICATION_SECONDS = 0.05  # … and a publication, of which one look at a file tells
RETRY_SECONDS = 5.0  # after the disk or another process has been in the way
UPKEEP_SECONDS = 300.0  # TUF roles are renewed at half of their life, the shortest is hours
CERTIFICATE_SECONDS = 30.0 * DAY_SECONDS  # a third of the server certificate's life
LOCK_SECONDS = 1.0  # `status` holds the lock for a moment, to see whether a server runs

log = structlog.get_logger()


@dataclass
class _Service:
    """The parts of one running server."""

    home: ServerHome
    settings: ServerSettings
    database: Database
    authority: CertificateAuthority
    repository: Repository
    tls: ServerTls
    clock: Clock
    budgets: ByteBudgets = field(default_factory=ByteBudgets)
    """What each endpoint may fetch, at both ports."""
    profile_targets: dict[str, bytes] = field(default_factory=dict)
    """The profiles in force, by target path."""

    def web_port(self, line: MetadataLine, news: TrustNewsReader) -> WebPort:
        decisions = EnrolmentDecisions(
            server_name=self.settings.name,
            origin_port=self.settings.origin_port,
            authority=self.authority,
            database=self.database,
            trusted_root=self.repository.trusted_root,
        )
        return WebPort(
            decisions=decisions,
            metadata_directory=self.home.tuf_metadata,
            targets_directory=self.home.tuf_targets,
            line=line,
            news=news,
            budgets=self.budgets,
        )

    async def watch_repository(self, origin: OriginServer, version: int) -> None:
        """Tell the origin port at once when another process has published; what cannot be read is tried again."""
        seen: tuple[int, ...] | None = None
        before: NewestTimestamp | None = None
        while True:
            await trio.sleep(PUBLICATION_SECONDS)
            stamp = await trio.to_thread.run_sync(_stamp, self.home.tuf_metadata / "timestamp.json")
            if stamp == seen:
                continue
            try:
                current = await trio.to_thread.run_sync(self.repository.newest_timestamp)
                if current.version != version:
                    await self.load_profiles(origin)
                    await self.load_templates(origin)  # before PCs hear of a new one, and answer it
                    await self.load_rollouts(origin)
                    renewed = current if before is not None and current.renews(before) else None
                    await origin.repository_changed(current.version, renewed)
            except UserError as error:
                log.error("what was published is not in force yet", reason=error.message)  # noqa: TRY400
                await trio.sleep(RETRY_SECONDS)
                continue
            seen, version, before = stamp, current.version, current

    async def load_rollouts(self, origin: OriginServer) -> None:
        """Send only what is offered now. Raises `UserError` (STORAGE); then the origin port goes on as before."""
        origin.replace_rollouts(await trio.to_thread.run_sync(self.repository.current_rollouts))

    async def load_profiles(self, origin: OriginServer) -> None:
        """Use the throttle profiles that are signed now; when they cannot be read, those before stay in force."""
        try:
            targets = await trio.to_thread.run_sync(self.repository.profiles)
            if targets == self.profile_targets:
                return
            profiles = await trio.to_thread.run_sync(parsed_profiles, targets)
        except UserError as error:
            log.error("the throttle profiles cannot be read", reason=error.message)  # noqa: TRY400
            return
        self.profile_targets = targets
        origin.replace_profiles(profiles)
        log.info("throttle profiles are in force", sites=len(profiles))

    async def load_templates(self, origin: OriginServer) -> None:
        """Accept answers to the templates that are signed now; if they cannot be read, the earlier ones stay."""
        try:
            names = await trio.to_thread.run_sync(template_names, self.repository)
        except UserError as error:
            log.error("the diagnosis templates cannot be read", reason=error.message)  # noqa: TRY400
            return
        origin.replace_templates(names)

    async def watch_denied(self, origin: OriginServer) -> None:
        """Drop endpoints that the operator has just denied or forgotten."""
        seen = -1
        while True:
            try:
                version = await trio.to_thread.run_sync(self.database.admissions_version)
                if version != seen:
                    connected = origin.connected  # before the look: who enrols meanwhile is not meant
                    endpoints = await trio.to_thread.run_sync(self.database.endpoints)
                    origin.drop_forgotten(connected - {EndpointId(row.endpoint_id) for row in endpoints})
                    origin.drop_denied({EndpointId(row.endpoint_id) for row in endpoints if row.denied})
                    seen = version
            except UserError as error:
                log.error("the denied endpoints cannot be read", reason=error.message)  # noqa: TRY400
                await trio.sleep(RETRY_SECONDS)
            await trio.sleep(POLL_SECONDS)

    async def watch_sites(self, origin: OriginServer) -> None:
        """Use a changed site map at once; a broken one leaves the old one in force."""
        seen = await trio.to_thread.run_sync(_stamp, self.home.sites)
        while True:
            await trio.sleep(POLL_SECONDS)
            stamp = await trio.to_thread.run_sync(_stamp, self.home.sites)
            if stamp == seen:
                continue
            seen = stamp
            try:
                origin.replace_sites(await trio.to_thread.run_sync(load_sites, self.home))
                log.info("site map is in force", path=str(self.home.sites))
            except UserError as error:
                log.error("the new site map is not usable, the old one stays in force", reason=error.message)  # noqa: TRY400

    async def keep_fresh(self) -> None:
        """Sign the online roles anew before they expire, and warn before the offline ones do."""
        while True:
            try:
                if await trio.to_thread.run_sync(self.repository.refresh_timestamp, self.clock.now()):
                    log.info("online metadata signed anew")
                expiries, now = await trio.to_thread.run_sync(self.repository.expiries), self.clock.now()
                for expiry in expiring_offline(expiries, now):
                    days = max(0, int((expiry.expires_at - now) / DAY_SECONDS))
                    log.warning("offline metadata expires soon: run 'seed-server renew'", role=expiry.role, days=days)
            except UserError as error:
                log.error("metadata cannot be signed", reason=error.message)  # noqa: TRY400
            await trio.sleep(UPKEEP_SECONDS * random.uniform(0.8, 1.0))  # noqa: S311 - jitter

    async def watch_address(self) -> None:
        """Warn while the address that PCs have enrolled with leads to other machines."""
        while not self.settings.listen_address:  # it says that the address is another's, such as a router's
            address = self.settings.address
            reason = await trio.to_thread.run_sync(
                why_not_here, address, self.settings.web_port, abandon_on_cancel=True
            )
            if reason:
                log.warning(
                    "PCs do not find this server under the address that they enrolled with: give that back to this "
                    "machine, or correct the name's entry; else each PC has to enrol again, with --force",
                    address=address,
                    reason=reason,
                )
            await trio.sleep(UPKEEP_SECONDS)

    async def keep_certificate(self) -> None:
        """Replace the server's certificate long before it expires."""
        wait = CERTIFICATE_SECONDS
        while True:
            await trio.sleep(wait)
            certificate = self.authority.issue_server_certificate([self.settings.address], self.clock.now())
            try:
                # not in a thread: a handshake must not meet a half-replaced context
                self.tls.replace_certificate(certificate)
            except UserError as error:
                log.error("the server certificate cannot be replaced", reason=error.message)  # noqa: TRY400
                wait = UPKEEP_SECONDS
            else:
                log.info("server certificate replaced")
                wait = CERTIFICATE_SECONDS


async def serve(home: ServerHome) -> None:
    """Serve ``home`` until SIGTERM or SIGINT.

    Prints one line on standard output once both ports answer. Raises
    `UserError`: not initialised, address in use, already serving, damaged files.
    """
    settings = load_settings(home)
    clock = SystemClock()
    configure_log(settings.log_level, clock)
    keep_private(home.root)
    with (
        serve_lock(home, timeout_seconds=LOCK_SECONDS).held(),
        Database.open(settings.database_place(home)) as database,
    ):
        authority = CertificateAuthority.open(home.ca)
        repository = Repository.open(home, settings)
        certificate = authority.issue_server_certificate([settings.address], clock.now())
        tls = ServerTls(authority.control_ca_pem, certificate)
        service = _Service(home, settings, database, authority, repository, tls, clock)
        database.disconnect_all(clock.now())
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_run, service)
                async for signal_number in signals:
                    log.info("stopping", signal=signal.Signals(signal_number).name)
                    nursery.cancel_scope.cancel()
                    break
        try:
            database.disconnect_all(clock.now())
        except UserError as error:
            # the next start does it again; until then `status` sees that no server runs
            log.error("the database cannot be written", reason=error.message)  # noqa: TRY400


async def _clear_up(service: _Service) -> None:
    """Remove what killed processes left, and say what the operator should look at."""
    try:
        if removed := await trio.to_thread.run_sync(service.repository.remove_leftovers):
            log.info("files that killed writers left are removed", files=removed)
        exposed = await trio.to_thread.run_sync(unencrypted_keys, service.home.offline_keys)
    except UserError as error:
        log.warning("the home was not looked through", reason=error.message)
        return
    if exposed:
        log.warning(
            "offline keys lie here, not encrypted: whoever takes over this server can sign patches. Move them to "
            "another machine, and sign there with 'seed-server sign'",
            keys=[path.stem for path in exposed],
            folder=str(service.home.offline_keys),
        )


async def _run(service: _Service) -> None:
    settings, home = service.settings, service.home
    await _clear_up(service)
    # before anything is announced: expired metadata would be refused by every endpoint
    await trio.to_thread.run_sync(service.repository.refresh_timestamp, service.clock.now())
    version = await trio.to_thread.run_sync(service.repository.timestamp_version)
    sites = await trio.to_thread.run_sync(load_sites, home)
    web_sockets = listen_sockets(listen_addresses(settings), settings.web_port, purpose="web port")
    for sock in web_sockets:  # what is small is to get through everywhere, also to PCs that cannot ask for it
        limit_packets(sock, SAFE_PACKET_BYTES)
    news = TrustNewsReader(home.tuf_metadata, home.tuf_targets)
    origin = OriginServer(
        settings=settings,
        database=service.database,
        content=ContentStore(home.content),
        tls=service.tls.origin,
        sites=sites,
        published=PublishedMetadata(version, news.answer, service.budgets),
        clock=service.clock,
    )
    # also in the first minutes after a start, strangers must not keep enrolled PCs out
    for address in await trio.to_thread.run_sync(_known_addresses, service.database):
        origin.known_addresses.note(address)
    web = partial(
        serve_web,
        make_app(service.web_port(origin.metadata_line, news), service.clock),
        web_sockets,
        service.tls.web,
        service.clock,
        known=origin.known_addresses,
        connecting=origin.count_connecting,
        limits=WebLimits(connections=web_limits(allowed_connections().web)),
    )
    async with trio.open_nursery() as nursery:
        await service.load_profiles(origin)
        await service.load_templates(origin)
        await service.load_rollouts(origin)  # without these, it would send what is withdrawn
        await nursery.start(origin.run)
        await nursery.start(web)
        nursery.start_soon(service.watch_repository, origin, version)
        nursery.start_soon(service.watch_denied, origin)
        nursery.start_soon(service.watch_sites, origin)
        nursery.start_soon(service.keep_fresh)
        nursery.start_soon(service.keep_certificate)
        nursery.start_soon(service.watch_address)
        host = f"[{settings.address}]" if ":" in settings.address else settings.address
        click.echo(
            f"serving {settings.name}: web https://{host}:{settings.web_port}, origin {host}:{settings.origin_port}"
        )


def _known_addresses(database: Database) -> list[str]:
    return [row.address for row in database.endpoints() if row.address and not row.denied]


def _stamp(path: Path) -> tuple[int, ...]:
    """Return what changes whenever the file does."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return (status.st_ino, status.st_mtime_ns, status.st_size)
