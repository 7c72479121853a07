"""The origin part: a process for the origin port and the controllers, which nothing else may delay.

It reads no key of the home: its certificate comes from the web part, and so it starts after that.
"""

from functools import partial

import structlog
import trio

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.errors import UserError
from seed_server.deltas.piece_coding import piece_coding
from seed_server.enrolment.certificate_authority import ServerCertificate
from seed_server.line.byte_budget import ByteBudgets
from seed_server.line.site_map_file import load_sites
from seed_server.origin.aligner import Aligner
from seed_server.origin.inventories import Inventories
from seed_server.origin.lost_files import LostFiles
from seed_server.origin.outside_log import OutsideLog
from seed_server.origin.server import OriginServer, PublishedMetadata
from seed_server.ports.server_tls import ServerTls
from seed_server.service.garbage import collect_when_quiet, only_young_garbage
from seed_server.service.link import PartLink
from seed_server.service.messages import (
    BudgetSpent,
    FromWebPart,
    HandedInFiles,
    KnownAddress,
    TrustHeard,
    UseCertificate,
    decode_from_web_part,
)
from seed_server.service.part import PartSetting
from seed_server.service.switching import quick_switches
from seed_server.service.unknown_pcs import UnknownPcs
from seed_server.service.watches import Watches, stamp_of
from seed_server.service.web_requests import WebRequests
from seed_server.signing.handing_in import HandedIn
from seed_server.signing.repository import Repository
from seed_server.store.content_store import ContentStore
from seed_server.store.database import Database
from seed_server.store.opening import open_database
from seed_server.store.trust_news import TrustNewsReader

log = structlog.get_logger()


async def serve_origin_port(setting: PartSetting) -> None:
    """Serve endpoints until cancelled. Raises `UserError`: damaged files, a database that cannot be opened."""
    part = _OriginPart(setting)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(part.link.run, setting.connections, part.heard)
        await part.certified.wait()  # by then the web part has brought database and metadata up to date
        with open_database(setting.home, setting.settings) as database:
            database.disconnect_all(part.clock.now())
            try:
                with only_young_garbage(), quick_switches():
                    await part.serve(database)
            finally:
                _disconnect_all(database, part.clock.now())


def _disconnect_all(database: Database, now: float) -> None:
    try:
        database.disconnect_all(now)
    except UserError as error:
        # the next start does it again; until then `status` sees that no server runs
        log.error("the database cannot be written", reason=error.message)  # noqa: TRY400


class _OriginPart:
    def __init__(self, setting: PartSetting) -> None:
        self._setting = setting
        self.clock = SystemClock()
        self.link = PartLink[FromWebPart](decode_from_web_part, at_each_end=self._web_part_gone)
        self.certified = trio.Event()
        self._tls: ServerTls | None = None
        self._requests: WebRequests | None = None
        self._serving = trio.Event()

    async def heard(self, message: FromWebPart) -> None:
        """Act on what the web part says."""
        if isinstance(message, UseCertificate):
            self._use(message)
            return
        await self._serving.wait()
        assert self._requests is not None
        self._requests.carry_out(message)

    def _use(self, told: UseCertificate) -> None:
        certificate = ServerCertificate(told.key.encode(), told.certificate.encode(), told.expires_at)
        if self._tls is None:
            self._tls = ServerTls(told.control_ca, certificate)
            self.certified.set()
            return
        try:
            self._tls.replace_certificate(certificate)
        except UserError as error:
            log.error("the server certificate cannot be replaced", reason=error.message)  # noqa: TRY400

    def _web_part_gone(self) -> None:
        if self._requests is not None:
            self._requests.end_turns()

    def _inventories(self, database: Database) -> Inventories | None:
        pace_seconds = 60 * self._setting.settings.inventory_minutes
        return Inventories(database, self.clock, OutsideLog(), pace_seconds=pace_seconds) if pace_seconds else None

    async def serve(self, database: Database) -> None:
        """Serve until cancelled."""
        setting, link = self._setting, self.link
        home, tls = setting.home, self._tls
        assert tls is not None
        repository = Repository.open(home, setting.settings)
        version = await trio.to_thread.run_sync(repository.timestamp_version)
        sites_stamp = await trio.to_thread.run_sync(stamp_of, home.sites)
        sites = await trio.to_thread.run_sync(load_sites, home)
        news = TrustNewsReader(home.tuf_metadata, home.tuf_targets)
        budgets = ByteBudgets(on_spent=lambda endpoint, count: link.tell(BudgetSpent(endpoint, count)))
        lost_files = LostFiles(
            HandedIn(home, self.clock),
            OutsideLog(),
            whole=lambda: link.tell(HandedInFiles()),
            progress=lambda said: link.tell(TrustHeard(said.told, said.newer)),
        )
        unknown = UnknownPcs(home, link.tell)
        inventories = self._inventories(database)
        origin = OriginServer(
            settings=setting.settings,
            database=database,
            content=ContentStore(home.content),
            tls=tls.origin,
            sites=sites,
            published=PublishedMetadata(
                version,
                news.answer,
                budgets,
                lost_files,
                inventories,
                unknown.why_later,
                piece_coding(home, Aligner(home.content, home.coded)),
            ),
            clock=self.clock,
        )
        # also in the first minutes after a start, strangers must not keep enrolled PCs out
        for address in await trio.to_thread.run_sync(database.enrolled_addresses):
            origin.known_addresses.note(address)
        origin.known_addresses.on_new = lambda address: link.tell(KnownAddress(address))
        watches = Watches(home, database, repository, on_change=lost_files.look)
        async with trio.open_nursery() as nursery:
            await watches.load_profiles(origin)
            await watches.load_templates(origin)
            await watches.load_rollouts(origin)  # without these, it would send what is withdrawn
            await lost_files.look()
            nursery.start_soon(lost_files.run)
            if inventories is not None:
                nursery.start_soon(inventories.run)
            await nursery.start(partial(origin.run, setting.listening))
            self._requests = WebRequests(origin, budgets, link, nursery)
            self._serving.set()
            nursery.start_soon(watches.watch_repository, origin, version)
            nursery.start_soon(watches.watch_denied, origin)
            nursery.start_soon(watches.watch_sites, origin, sites_stamp)
            nursery.start_soon(collect_when_quiet, lambda: origin.sends)
            setting.serves()
            await trio.sleep_forever()
