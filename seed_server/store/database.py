"""The seed server's state: tokens, endpoints, patches, reports, WAN bytes, in SQLite or PostgreSQL.

Blocking: trio code calls every method through `trio.to_thread.run_sync`. Threads of a
process share one connection that writes and several that read; several processes
(`serve`, `publish`, `token`, `status`) share the database. Times are seconds since 1970.
Every method raises `UserError`: BUSY when another process holds the database, STORAGE
when it cannot be reached, its disk is full or its file damaged.
"""

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import false, select
from sqlalchemy.exc import ArgumentError

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.store.archived_months import ArchivedMonthTable
from seed_server.store.audit_rows import AuditTable
from seed_server.store.custody import CustodyTable
from seed_server.store.diagnoses import DiagnosisTable
from seed_server.store.endpoint_cards import EndpointCardTable
from seed_server.store.endpoint_pages import EndpointPageTable
from seed_server.store.endpoints import EndpointTable
from seed_server.store.engines import BUSY_SECONDS, Engines
from seed_server.store.facts import EndpointFactTable
from seed_server.store.fleet_counts import FleetCountTable
from seed_server.store.follow_up_rows import FollowUpTable
from seed_server.store.history import HistoryTable
from seed_server.store.idempotency import IdempotencyTable
from seed_server.store.idle_content import IdleContentTable
from seed_server.store.intelligence_rows import IntelligenceTable
from seed_server.store.inventory import InventoryTable
from seed_server.store.inventory_sets import InventorySetTable
from seed_server.store.known_servers import KnownServersTable
from seed_server.store.line_hours import LineHourTable
from seed_server.store.line_minutes import LineMinuteTable
from seed_server.store.metric_counts import MetricTable
from seed_server.store.missing_rows import MissingTable
from seed_server.store.neighbours import NeighbourTable
from seed_server.store.patches import PatchTable
from seed_server.store.people import PersonTable
from seed_server.store.reports import ReportTable
from seed_server.store.rollout_rows import RolloutTable
from seed_server.store.rows import EndpointRow, ReportRow, SeenRow, ServedPayload, SiteLimitRow
from seed_server.store.service_level_rows import ServiceLevelTable
from seed_server.store.session_rows import SessionTable
from seed_server.store.site_health import SiteHealthTable
from seed_server.store.site_records import SiteTable
from seed_server.store.standing_pages import StandingPageTable
from seed_server.store.tables import SERVERS, THIS_SERVER
from seed_server.store.tokens import TokenTable
from seed_server.store.transactions import user_errors
from seed_server.store.upgrading import lacks_revisions, prepare
from seed_server.store.webhook_rows import WebhookTable
from seed_server.store.witness_alarms import WitnessAlarmTable

PIN_CHARS = 12  # of a SHA-256, for people to compare

__all__ = ["Database", "EndpointRow", "ReportRow", "SeenRow", "ServedPayload", "SiteLimitRow"]


class Database(
    EndpointTable, EndpointPageTable, TokenTable, PatchTable, ReportTable, DiagnosisTable, SiteTable, FleetCountTable,
    StandingPageTable, AuditTable, CustodyTable, EndpointFactTable, RolloutTable, PersonTable,
    WitnessAlarmTable, SiteHealthTable, HistoryTable, ArchivedMonthTable, InventoryTable, InventorySetTable,
    IdleContentTable, EndpointCardTable, KnownServersTable, NeighbourTable, IntelligenceTable, MetricTable,
    WebhookTable, ServiceLevelTable, MissingTable, FollowUpTable, LineHourTable, IdempotencyTable,
    SessionTable,
    LineMinuteTable,
):  # fmt: skip
    """One open state database; made by `create` or `open`, closed as a context manager."""

    @classmethod
    def create(cls, place: Path | str) -> Self:
        """Make the database at ``place``, a file or a URL of PostgreSQL, and open it.

        A file that is there is kept. Raises `UserError` also for tables on PostgreSQL that are in use (BAD_INPUT).
        """
        if isinstance(place, str):
            return cls._made(_on_postgresql(place, BUSY_SECONDS))
        try:
            # token hashes and the fleet's state are nobody else's business
            os.close(os.open(place, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise UserError(
                f"Cannot create the database {place}: {error.strerror}. Check the directory and the disk's free space.",
                FaultKind.STORAGE,
            ) from error
        return cls._opened(Engines.on_sqlite(place), create=True)

    @classmethod
    def open(cls, place: Path | str, *, lock_seconds: float = BUSY_SECONDS) -> Self:
        """Open the database at ``place``, a file or a URL of PostgreSQL.

        Raises `UserError` also for none (NOT_SET_UP) and for one that is too new or too old (BAD_INPUT).
        """
        if isinstance(place, str):
            return cls._opened(_on_postgresql(place, lock_seconds), create=False)
        return cls._opened(_on_file(place, lock_seconds), create=False)

    @classmethod
    def is_outdated(cls, place: Path | str) -> bool:
        """Whether `open` would migrate the tables at ``place``. Raises as that does; nothing is changed."""
        engines = cls.engines_of(place)
        try:
            return lacks_revisions(engines)
        finally:
            engines.close()

    @classmethod
    def as_it_is(cls, place: Path | str) -> Self:
        """Open the database for reading alone; its tables are not brought up to date, so a query may fail.

        Raises `UserError` (NOT_SET_UP) for no such file.
        """
        return cls(cls.engines_of(place))

    @staticmethod
    def engines_of(place: Path | str) -> Engines:
        """Return connections to the database at ``place``, whatever its tables are; the caller closes them.

        Raises `UserError` (NOT_SET_UP) for no such file, or no driver.
        """
        return _on_postgresql(place, BUSY_SECONDS) if isinstance(place, str) else _on_file(place, BUSY_SECONDS)

    @classmethod
    def _opened(cls, engines: Engines, *, create: bool) -> Self:
        try:
            prepare(engines, create=create)
        except BaseException:
            engines.close()
            raise
        return cls(engines)

    @classmethod
    def _made(cls, engines: Engines) -> Self:
        database = cls._opened(engines, create=True)
        if database.is_used():
            database.close()
            raise UserError(
                f"The database {engines.place} is in use by a seed server. Make one of its own for this server; "
                "if that other server is gone for good, drop its database and make it anew.",
                FaultKind.BAD_INPUT,
            )
        return database

    def belong_to(self, root_pin: str) -> None:
        """Make this the database of the home whose first TUF root has this SHA-256, in hex; then it is no other's.

        Raises `UserError` (BAD_INPUT) for that of another home: what is not published there would be forgotten here.
        """
        ours = SERVERS.c.number == THIS_SERVER
        query = select(SERVERS.c.root_pin).where(ours)
        with self.reading() as connection:
            found = connection.scalar(query)
        if not found:
            with self._writing() as connection:
                connection.execute(SERVERS.update().where(ours, SERVERS.c.root_pin == "").values(root_pin=root_pin))
                found = connection.scalar(query)
        if found != root_pin:
            raise self._of_another_home(found or "", root_pin)

    def _of_another_home(self, theirs: str, ours: str) -> UserError:
        theirs, ours = f"{theirs[:PIN_CHARS]}…", f"{ours[:PIN_CHARS]}…"
        text = (
            f"The database {self._engines.place} belongs to another seed server: the first TUF root of its home has "
            f"the SHA-256 {theirs}, and that of this home is {ours}. Restore this home's own from a backup."
            if self._engines.path is not None
            else f"The database {self._engines.place} belongs to another seed server: the first TUF root of its home "
            f"has the SHA-256 {theirs}, and that of this home is {ours}. Name this home's own in database_url in "
            "server.toml, or restore the home that this one belongs to."
        )
        return UserError(text, FaultKind.BAD_INPUT)

    def try_writing(self) -> None:
        """Raise `UserError` where this user, or anybody, cannot write now. Nothing is changed."""
        with self._writing() as connection:
            connection.execute(SERVERS.update().where(false()).values(name=""))

    def is_used(self) -> bool:
        """Whether it is of some home already, or knows PCs, tokens or patches."""
        with self.reading() as connection:
            pinned = connection.scalar(select(SERVERS.c.root_pin).where(SERVERS.c.number == THIS_SERVER))
        return bool(pinned or self.endpoints() or self.tokens() or self.payloads())

    def close(self) -> None:
        """Close all connections; calling it again does nothing."""
        with user_errors(self._engines):
            self._engines.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class LastingDatabase(Database):
    """A database that stays open for whoever comes next: a block does not close it, `close` alone does."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave it open."""


def _on_file(place: Path, lock_seconds: float) -> Engines:
    if not place.is_file():
        raise UserError(
            f"There is no database {place}. Run 'seed-server init' first, or name the right home with --home.",
            FaultKind.NOT_SET_UP,
        )
    return Engines.on_sqlite(place, lock_seconds=lock_seconds)


def _on_postgresql(url: str, lock_seconds: float) -> Engines:
    try:
        return Engines.on_postgresql(url, lock_seconds=lock_seconds)
    except ArgumentError as error:
        raise UserError(  # without the URL, which may carry a password
            "database_url in server.toml is no URL of a database. Write postgresql://USER@HOST/NAME.",
            FaultKind.BAD_INPUT,
        ) from error
    except ImportError as error:
        raise UserError(
            "database_url names PostgreSQL, whose driver is not installed here. "
            "Install it with its extra: pip install 'p2pdist[server,postgres]'.",
            FaultKind.NOT_SET_UP,
        ) from error
