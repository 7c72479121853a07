"""What SQLite and PostgreSQL say, as errors that a person can act on. Blocking: it may look at the free space."""

import shutil
from pathlib import Path

from sqlalchemy.exc import DBAPIError, OperationalError

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.store.engines import POOL_WAIT_SECONDS, Engines, lacks_connections
from seed_server.store.rows import FULL_DISK_BYTES

# https://www.sqlite.org/rescode.html, primary codes
SQLITE_BUSY = 5
SQLITE_LOCKED = 6
SQLITE_IO_ERROR = 10
SQLITE_CORRUPT = 11
SQLITE_FULL = 13
SQLITE_CANNOT_OPEN = 14
SQLITE_NOT_A_DATABASE = 26
PRIMARY_CODE_MASK = 0xFF

# https://www.postgresql.org/docs/current/errcodes-appendix.html
LOCK_NOT_AVAILABLE = "55P03"
DISK_FULL = "53100"
NO_PRIVILEGE = "42501"
READ_ONLY = "25006"
SILENT_IN_TRANSACTION = "25P03"
GAVE_WAY = ("40001", "40P01", "57014")  # serialisation, deadlock, canceled
SHUT_DOWN = ("57P01", "57P02", "57P05")  # by an administrator, by a crash of another connection, while idle
CORRUPTED = ("XX001", "XX002")  # a table, an index
OUTSIDE_CLASSES = ("08", "28", "3D", "53", "57", "58", "XX")  # connection, login, name, resources, operator, system


def worded_error(error: DBAPIError, engines: Engines) -> UserError | None:
    """Return the error for what the database said; None for a fault of our own."""
    if engines.path is not None:
        code = getattr(error.orig, "sqlite_errorcode", 0)
        # the disk, permissions, memory: no bug of ours
        outside = str(error.orig) if isinstance(error, OperationalError) else ""
        return sqlite_error(engines.path, code, outside, waited_seconds=engines.lock_seconds)
    return _of_postgresql(engines, getattr(error.orig, "sqlstate", None), error)


def no_free_connection(engines: Engines) -> UserError:
    """Return the error for a process whose own threads hold all connections."""
    return UserError(
        f"No connection to the database {engines.place} came free for {POOL_WAIT_SECONDS:.0f} s. Try again; if it "
        "stays so, the disk or the database server is too slow for what is asked of it.",
        FaultKind.BUSY,
    )


def sqlite_error(path: Path, code: int, outside: str, *, waited_seconds: float) -> UserError | None:
    """Return the error for SQLite's result ``code`` at the database ``path``; None for a fault of our own.

    ``outside`` is SQLite's own text where the fault is not ours, else empty.
    """
    primary = code & PRIMARY_CODE_MASK
    if primary in {SQLITE_BUSY, SQLITE_LOCKED}:
        return _held(str(path), waited_seconds)
    # where the log or its index cannot grow, SQLite calls that an I/O error, or a file that cannot be opened
    hidden = primary in {SQLITE_IO_ERROR, SQLITE_CANNOT_OPEN} and _is_full(path)
    if primary == SQLITE_FULL or hidden:
        return UserError(f"The disk that holds {path} is full. Free some space and try again.", FaultKind.STORAGE)
    if primary in {SQLITE_CORRUPT, SQLITE_NOT_A_DATABASE}:
        return UserError(f"The database {path} is damaged. Restore it from a backup.", FaultKind.STORAGE)
    if outside:
        return UserError(
            f"Cannot read or write the database {path} ({outside}). Check its permissions and the disk.",
            FaultKind.STORAGE,
        )
    return None


def _of_postgresql(engines: Engines, state: str | None, error: DBAPIError) -> UserError | None:
    said = str(error.orig).strip().partition("\n")[0]
    if state == LOCK_NOT_AVAILABLE:
        return _held(engines.place, engines.lock_seconds)
    if state == DISK_FULL:
        return UserError(
            f"The disk of the database {engines.place} is full ({said}). Free some space there and try again.",
            FaultKind.STORAGE,
        )
    if state in {NO_PRIVILEGE, READ_ONLY}:
        return UserError(
            f"The database {engines.place} does not let this user do that ({said}). Make the user of database_url the "
            "owner of that database, and give the address of a server that takes writes.",
            FaultKind.STORAGE,
        )
    return _of_one_transaction(engines, state, said) or _of_the_server(engines, state, error, said)


def _of_one_transaction(engines: Engines, state: str | None, said: str) -> UserError | None:
    """Return the error for what has ended one transaction, of which nothing is left; the next one may succeed."""
    if state == SILENT_IN_TRANSACTION:
        return UserError(
            f"The database {engines.place} heard nothing from this seed-server in the middle of a transaction, which "
            "was stopped, suspended or too busy; nothing was written. Try again.",
            FaultKind.BUSY,
        )
    if state in GAVE_WAY:
        return UserError(
            f"The database {engines.place} has ended a transaction for another's sake ({said}); nothing was written. "
            "Try again; if it stays so, find what else works on that database.",
            FaultKind.BUSY,
        )
    return None


def _of_the_server(engines: Engines, state: str | None, error: DBAPIError, said: str) -> UserError | None:
    if lacks_connections(error):
        return UserError(
            f"PostgreSQL has no connection left for the database {engines.place} ({said}). End what else uses it, or "
            "raise max_connections in postgresql.conf: one seed server takes up to 12.",
            FaultKind.BUSY,
        )
    if state in SHUT_DOWN:
        return UserError(
            f"PostgreSQL was shut down, or an administrator has ended its connections to the database {engines.place} "
            f"({said}). Start it if it does not run, and try again.",
            FaultKind.STORAGE,
        )
    if state in CORRUPTED:
        return UserError(
            f"The database {engines.place} is damaged ({said}). Restore it from a backup.", FaultKind.STORAGE
        )
    if state is None or error.connection_invalidated or state.startswith(OUTSIDE_CLASSES):
        if state is None and not isinstance(error, OperationalError):
            return None
        return UserError(
            f"Cannot reach the database {engines.place} ({said}). Check that PostgreSQL runs there, and database_url "
            "in server.toml.",
            FaultKind.STORAGE,
        )
    return None


def _held(place: str, waited_seconds: float) -> UserError:
    return UserError(
        f"Another process has held the database {place} for {waited_seconds:.0f} s. "
        "Find it (another seed-server command, a backup, a database tool), end it, and try again.",
        FaultKind.BUSY,
    )


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < FULL_DISK_BYTES
    except OSError:
        return False
