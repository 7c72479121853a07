"""The seed server's state in SQLite: tokens, endpoints, patches, reports, WAN bytes. The only sqlite3 import.

Blocking: trio code calls every method through `trio.to_thread.run_sync`. One
connection behind a lock serves all threads of a process; several processes
(`serve`, `publish`, `token`, `status`) share the file, which WAL allows.
Times are seconds since 1970. Every method raises `UserError`: BUSY when another
process holds the database, STORAGE when the disk is full or the file damaged.
"""

import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.template import MAX_TEMPLATES
from p2pdist.shared.wire.messages import Diagnosis, PatchReport
from seed_server.store.database_errors import worded_error
from seed_server.store.rows import (
    ADD_PATCH,
    ADD_PAYLOAD,
    ALL_PAYLOADS,
    FORGET_PAYLOADS,
    SEEN,
    DiagnosisRow,
    EndpointRow,
    ReportRow,
    SeenRow,
    ServedPayload,
    SiteLimitRow,
    diagnosis_row,
    endpoint_row,
    payload_row,
    report_values,
    site_limit_row,
    site_limit_values,
)
from seed_server.store.schema import MIGRATIONS, SCHEMA, SCHEMA_VERSION
from seed_server.store.tokens import TokenTable

BUSY_SECONDS = 5.0  # another process's write takes milliseconds; longer means that it hangs

__all__ = ["Database", "EndpointRow", "ReportRow", "SeenRow", "ServedPayload", "SiteLimitRow"]


class Database(TokenTable):
    """One open state database; made by `create` or `open`, closed as a context manager."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path
        self._lock = threading.RLock()  # `batch` calls the other methods while it holds it

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make the database at ``path`` and open it; one that is already there is opened as it is."""
        try:
            # token hashes and the fleet's state are nobody else's business
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise UserError(
                f"Cannot create the database {path}: {error.strerror}. Check the directory and the disk's free space.",
                FaultKind.STORAGE,
            ) from error
        return cls._opened(path, create=True)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the database at ``path``. Raises `UserError` also for none (NOT_SET_UP) and for a newer schema."""
        if not path.is_file():
            raise UserError(
                f"There is no database {path}. Run 'seed-server init' first, or name the right home with --home.",
                FaultKind.NOT_SET_UP,
            )
        return cls._opened(path, create=False)

    @classmethod
    def _opened(cls, path: Path, *, create: bool) -> Self:
        with _user_errors(path):
            connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        database = cls(connection, path)
        try:
            with _user_errors(path):
                connection.row_factory = sqlite3.Row
                connection.execute("PRAGMA journal_mode = WAL")
                # a token that was spent must stay spent after a power cut
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = OFF")  # while a migration makes a table anew
                database._check_schema(create=create)
                connection.execute("PRAGMA foreign_keys = ON")
        except BaseException:
            connection.close()
            raise
        return database

    def _check_schema(self, *, create: bool) -> None:
        version = self._schema_version()
        if version == 0 and create:
            with self._transaction() as connection:
                # again under the lock: two processes may create at the same time
                if self._schema_version() == 0:
                    for statement in SCHEMA.split(";\n"):
                        connection.execute(statement)
                    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        elif version > SCHEMA_VERSION:
            raise UserError(
                f"{self._path} was written by a newer seed-server (schema {version}, this one knows "
                f"{SCHEMA_VERSION}). Install that version again.",
                FaultKind.BAD_INPUT,
            )
        elif version in MIGRATIONS:
            self._migrate()
        elif version != SCHEMA_VERSION:
            raise UserError(
                f"{self._path} is not a seed server's database. Restore it from a backup, or run 'seed-server init' "
                "in a new home.",
                FaultKind.STORAGE,
            )

    def _migrate(self) -> None:
        with self._transaction() as connection:
            # again under the lock: two processes may open an old file at the same time
            while (version := self._schema_version()) in MIGRATIONS:
                for statement in MIGRATIONS[version].split(";\n"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")

    def _schema_version(self) -> int:
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def close(self) -> None:
        """Close the file; calling it again does nothing."""
        with self._lock, _user_errors(self._path):
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Make all changes within the block one transaction: all or none, and one fsync."""
        with self._transaction():
            yield

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _user_errors(self._path):
            within_batch = self._connection.in_transaction  # ours, for we hold the lock
            if within_batch:
                yield self._connection
                return
            # IMMEDIATE: a read that turns into a write could not wait for its lock
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def _rows(self, query: str, arguments: Sequence[object] = ()) -> list[dict[str, Any]]:
        with self._lock, _user_errors(self._path):
            return [dict(row) for row in self._connection.execute(query, arguments)]

    def data_version(self) -> int:
        """Return a number that changes when another process has written; this one's writes do not count."""
        return int(self._rows("PRAGMA data_version")[0]["data_version"])

    # --- endpoints ------------------------------------------------------------------------

    def add_endpoint(self, endpoint_id: str, hostname: str, now: float, tags: Sequence[str] = ()) -> None:
        """Record an enrolment; a key that enrols again keeps its row, and stays denied if it was."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO endpoints (endpoint_id, hostname, enrolled_at, tags) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (endpoint_id) DO UPDATE SET hostname = excluded.hostname, "
                "enrolled_at = excluded.enrolled_at, tags = excluded.tags",
                (endpoint_id, hostname, now, " ".join(tags)),
            )

    def endpoints(self) -> list[EndpointRow]:
        """Return all endpoints, by hostname."""
        return [endpoint_row(row) for row in self._rows("SELECT * FROM endpoints ORDER BY hostname, endpoint_id")]

    def endpoint(self, endpoint_id: str) -> EndpointRow | None:
        """Return one endpoint, or None when it is not enrolled."""
        rows = self._rows("SELECT * FROM endpoints WHERE endpoint_id = ?", (endpoint_id,))
        return endpoint_row(rows[0]) if rows else None

    def denied_named(self, hostname: str, but: str) -> list[str]:
        """Return the ids of denied endpoints that call themselves ``hostname``, in any case, without ``but``."""
        query = "SELECT endpoint_id FROM endpoints WHERE hostname = ? COLLATE NOCASE AND denied AND endpoint_id <> ?"
        return [row["endpoint_id"] for row in self._rows(query, (hostname, but))]

    def set_denied(self, endpoint_id: str, denied: bool, *, pending: bool = False) -> None:
        """Deny an endpoint, or allow it; ``pending``: deny it until an operator has looked at it."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE endpoints SET denied = ?, pending = ? WHERE endpoint_id = ?",
                (int(denied), int(pending), endpoint_id),
            )

    def forget_endpoint(self, endpoint_id: str) -> None:
        """Remove an endpoint with its reports, answers and enrolments."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM endpoints WHERE endpoint_id = ?", (endpoint_id,))

    def seen(self, endpoint_id: str, seen: SeenRow) -> None:
        """Record where an endpoint is, and whether it is connected."""
        with self._transaction() as connection:
            connection.execute(SEEN, msgspec.structs.asdict(seen) | {"endpoint_id": endpoint_id})

    def disconnect_all(self, now: float) -> None:
        """Record that no endpoint is connected and nothing is sent: `serve` has just started, or ends."""
        with self._transaction() as connection:
            connection.execute("UPDATE endpoints SET connected = 0, last_seen_at = ? WHERE connected", (now,))
            connection.execute("UPDATE endpoints SET shared_with = '' WHERE shared_with <> ''")  # to be seen anew
            connection.execute("UPDATE site_limits SET active = 0 WHERE active")

    # --- patches --------------------------------------------------------------------------

    def add_patch(self, *payloads: ServedPayload) -> None:
        """Record a published patch with all its payloads; the same id and version again replaces it."""
        rows = [msgspec.structs.asdict(row) for row in payloads]
        with self._transaction() as connection:
            connection.execute(ADD_PATCH, rows[0])
            connection.execute(FORGET_PAYLOADS, rows[0])
            connection.executemany(ADD_PAYLOAD, rows)

    def payloads(self) -> list[ServedPayload]:
        """Return every payload of every patch, in the order of the patches' sequence."""
        return [payload_row(row) for row in self._rows(ALL_PAYLOADS)]

    def patches(self) -> list[ServedPayload]:
        """Return the first payload of every patch, in the order of their sequence."""
        return [row for row in self.payloads() if row.number == 0]

    def remove_patch(self, patch_id: str, version: str) -> None:
        """Forget a patch that was never announced, and the reports on it; an unknown one is ignored."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM patches WHERE patch_id = ? AND version = ?", (patch_id, version))

    def mark_damaged(self, torrent_hash: str, reason: str) -> None:
        """Record why a payload can no longer be served; an empty ``reason`` says that it can again."""
        with self._transaction() as connection:
            connection.execute("UPDATE payloads SET damaged = ? WHERE torrent_hash = ?", (reason, torrent_hash))

    # --- reports --------------------------------------------------------------------------

    def save_reports(self, endpoint_id: str, reports: Iterable[PatchReport], now: float) -> None:
        """Record an endpoint's newest report on each patch; unpublished patches and unknown endpoints are skipped."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO reports SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14 "
                "WHERE EXISTS (SELECT 1 FROM patches WHERE patch_id = ?2 AND version = ?3) "
                "AND EXISTS (SELECT 1 FROM endpoints WHERE endpoint_id = ?1) "
                "ON CONFLICT (endpoint_id, patch_id, version) DO UPDATE SET state = excluded.state, "
                "progress = excluded.progress, bytes_from_origin = excluded.bytes_from_origin, "
                "bytes_from_peers = excluded.bytes_from_peers, bytes_wasted = excluded.bytes_wasted, "
                "seconds = excluded.seconds, error = excluded.error, reported_at = excluded.reported_at, "
                "install = excluded.install, install_reason = excluded.install_reason, "
                "install_output = excluded.install_output",
                [report_values(endpoint_id, report, now) for report in reports],
            )

    def reports(self) -> list[ReportRow]:
        """Return the newest report of every endpoint on every patch."""
        return [ReportRow(**row) for row in self._rows("SELECT * FROM reports ORDER BY patch_id, version, endpoint_id")]

    def save_refusal(self, endpoint_id: str, refuses: str) -> None:
        """Record why an endpoint accepts nothing new that was signed here; empty: it does."""
        with self._transaction() as connection:
            connection.execute("UPDATE endpoints SET refuses = ? WHERE endpoint_id = ?", (refuses, endpoint_id))

    # --- diagnoses ------------------------------------------------------------------------

    def save_diagnosis(self, endpoint_id: str, diagnosis: Diagnosis, now: float) -> None:
        """Record an endpoint's answers to a template in place of its earlier ones; unknown endpoints are skipped.

        An endpoint that answers to made-up templates fills only its own quota, `MAX_TEMPLATES`.
        """
        with self._transaction() as connection:
            connection.execute(
                "DELETE FROM diagnoses WHERE endpoint_id = ? AND template = ?", (endpoint_id, diagnosis.template)
            )
            (others,) = connection.execute(
                "SELECT count(DISTINCT template) FROM diagnoses WHERE endpoint_id = ?", (endpoint_id,)
            ).fetchone()
            if others < MAX_TEMPLATES:
                connection.executemany(
                    "INSERT OR REPLACE INTO diagnoses SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7 "
                    "WHERE EXISTS (SELECT 1 FROM endpoints WHERE endpoint_id = ?1)",
                    [
                        (endpoint_id, diagnosis.template, a.label, a.applies, a.needed, a.reason, now)
                        for a in diagnosis.answers
                    ],
                )

    def diagnoses(self, template: str) -> list[DiagnosisRow]:
        """Return the newest answers of every endpoint to a template."""
        rows = self._rows("SELECT * FROM diagnoses WHERE template = ? ORDER BY endpoint_id, label", (template,))
        return [diagnosis_row(row) for row in rows]

    def forget_diagnoses(self, template: str) -> None:
        """Forget all answers to a template that has changed or is gone."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM diagnoses WHERE template = ?", (template,))

    def forget_other_diagnoses(self, templates: Iterable[str]) -> None:
        """Forget all answers but those to ``templates``."""
        with self._transaction() as connection:
            known = msgspec.json.encode(sorted(templates)).decode()
            connection.execute("DELETE FROM diagnoses WHERE template NOT IN (SELECT value FROM json_each(?))", (known,))

    # --- sites ------------------------------------------------------------------------------

    def save_site_limits(self, rows: Iterable[SiteLimitRow]) -> None:
        """Record the newest limit of each site."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO site_limits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [site_limit_values(row) for row in rows],
            )

    def site_limits(self) -> list[SiteLimitRow]:
        """Return the newest limit of each site, by name."""
        return [site_limit_row(row) for row in self._rows("SELECT * FROM site_limits ORDER BY site")]

    # --- WAN bytes ------------------------------------------------------------------------

    def add_wan_bytes(self, site: str, torrent_hash: str, count: int) -> None:
        """Add ``count`` payload bytes that the origin sent to ``site``."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT INTO wan_bytes (site, torrent_hash, bytes) VALUES (?, ?, ?) "
                "ON CONFLICT (site, torrent_hash) DO UPDATE SET bytes = bytes + excluded.bytes",
                (site, torrent_hash, count),
            )

    def wan_bytes(self) -> dict[tuple[str, str], int]:
        """Return payload bytes sent by the origin, by (site, torrent hash)."""
        return {(row["site"], row["torrent_hash"]): row["bytes"] for row in self._rows("SELECT * FROM wan_bytes")}


@contextmanager
def _user_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        outside = isinstance(error, sqlite3.OperationalError)  # the disk, permissions, memory: no bug of ours
        code = getattr(error, "sqlite_errorcode", 0)
        worded = worded_error(path, code, str(error) if outside else "", waited_seconds=BUSY_SECONDS)
        if worded is None:
            raise
        raise worded from error
