"""Brings a state database to the tables that this release knows: new ones are made, older ones migrate. Blocking.

A migration is one transaction. SQLite's file from before it lies beside the database until it is through; a start that
was cut off leaves the old tables as they were, and the next one begins anew.
"""

import os
from pathlib import Path

from sqlalchemy import Connection, inspect, select

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.store.engines import Engines, copy_sqlite
from seed_server.store.tables import ALEMBIC_VERSION, METADATA, REVISION, SERVERS, SQLITE_MARK, THIS_SERVER
from seed_server.store.transactions import user_errors

RELEASE_0_2_0 = 9
"""SQLite's ``user_version`` of that release's database; from it on every release's is understood."""

_EMPTY, _OLD = "", "0.2.0"


def prepare(engines: Engines, *, create: bool) -> None:
    """Make or migrate the tables. Raises `UserError`: NOT_SET_UP; BAD_INPUT for those that are too new or too old."""
    with user_errors(engines):
        with engines.reading() as connection:
            _check_encoding(connection, engines)
            if _revision(connection, engines) == REVISION:
                return
        copy: Path | None = None
        with engines.writing() as connection:
            # again under the lock: two processes may open an old database at the same time
            found = _revision(connection, engines)
            if found == REVISION:
                return
            if found == _EMPTY and not create:
                raise _no_tables(engines)
            if found == _EMPTY:
                _make(connection)
            else:
                copy = _copied(engines, found)
                _migrate(connection, found)
            _mark(connection)
        if copy is not None:
            copy.unlink()


def lacks_revisions(engines: Engines) -> bool:
    """Whether `prepare` would migrate; nothing is changed. Raises `UserError` as that does where it could not."""
    with user_errors(engines), engines.reading() as connection:
        _check_encoding(connection, engines)
        found = _revision(connection, engines)
    if found == _EMPTY:
        raise _no_tables(engines)
    return found != REVISION


def _check_encoding(connection: Connection, engines: Engines) -> None:
    if engines.path is not None:
        return  # SQLite knows no other
    encoding = str(connection.exec_driver_sql("SHOW server_encoding").scalar_one())
    if encoding != "UTF8":
        raise UserError(
            f"The database {engines.place} keeps texts as {encoding}, which has no room for those of all languages. "
            "Make one with 'createdb --template=template0 --encoding=UTF8 --locale=C NAME', and name that in "
            "database_url.",
            FaultKind.BAD_INPUT,
        )


def _make(connection: Connection) -> None:
    METADATA.create_all(connection)
    connection.execute(SERVERS.insert().values(number=THIS_SERVER, name=""))
    connection.execute(ALEMBIC_VERSION.insert().values(version_num=REVISION))


def _migrate(connection: Connection, found: str) -> None:
    # here, for only a migration needs them, and they are slow to load
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    from seed_server.store.migrations import REVISIONS

    with Operations.context(MigrationContext.configure(connection)):
        for step in REVISIONS:
            if found == _OLD or found < step.REVISION_NUMBER:
                step.upgrade()
    connection.execute(ALEMBIC_VERSION.delete())
    connection.execute(ALEMBIC_VERSION.insert().values(version_num=REVISION))


def _mark(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA user_version = {SQLITE_MARK}")


def _revision(connection: Connection, engines: Engines) -> str:
    """Return the revision of the tables that are there, or `_EMPTY` or `_OLD`. Raises `UserError`."""
    if engines.path is not None:
        mark = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
        if mark == RELEASE_0_2_0:
            return _OLD
        if 0 < mark < RELEASE_0_2_0:
            raise UserError(
                f"{engines.place} is from a seed-server before 0.2.0 (schema {mark}). Upgrade to 0.2.0 first, run "
                "'seed-server status' with it once, and then install this version.",
                FaultKind.BAD_INPUT,
            )
        if mark > SQLITE_MARK:
            raise _newer(engines, f"schema {mark}")
    tables = inspect(connection).get_table_names()
    if ALEMBIC_VERSION.name not in tables:
        if tables:
            raise _not_ours(engines)
        return _EMPTY
    found = connection.scalar(select(ALEMBIC_VERSION.c.version_num)) or _EMPTY
    if found > REVISION:
        raise _newer(engines, f"tables {found}")
    return found


def _copied(engines: Engines, found: str) -> Path | None:
    """Copy SQLite's file as it was before this transaction; return the copy. PostgreSQL has backups of its own."""
    if engines.path is None:
        return None
    copy = engines.path.with_name(f"{engines.path.stem}-before-{REVISION}-from-{found}.db")
    copy.unlink(missing_ok=True)
    os.close(os.open(copy, os.O_RDWR | os.O_CREAT, 0o600))  # as the database itself
    copy_sqlite(engines.path, copy)
    return copy


def _newer(engines: Engines, what: str) -> UserError:
    return UserError(
        f"{engines.place} was written by a newer seed-server ({what}, this one knows {REVISION}). Install that version "
        "again.",
        FaultKind.BAD_INPUT,
    )


def _no_tables(engines: Engines) -> UserError:
    if engines.path is not None:
        return _not_ours(engines)
    return UserError(
        f"The database {engines.place} has no tables of a seed server. Give the right one in server.toml, or run "
        "'seed-server init' with it in a new home.",
        FaultKind.NOT_SET_UP,
    )


def _not_ours(engines: Engines) -> UserError:
    return UserError(
        f"{engines.place} is not a seed server's database. Restore it from a backup, or run 'seed-server init' in a "
        "new home.",
        FaultKind.STORAGE,
    )
