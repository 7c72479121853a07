"""Copies of the state database as it was at one moment, and a database that is made of one again. Blocking.

SQLite's is its file, page by page; PostgreSQL's is what its own `pg_dump` writes, at a snapshot that this process
holds. Nobody who writes meanwhile waits. Functions raise `UserError`, as `Database` does.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from sqlalchemy import URL, Connection, MetaData, create_engine, inspect, select
from sqlalchemy.exc import DBAPIError

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.printable_text import printable
from seed_server.store.engines import Engines
from seed_server.store.postgres_tools import write_dump
from seed_server.store.tables import ALEMBIC_VERSION, REVISION
from seed_server.store.transactions import user_errors

MAX_DAMAGES = 1_000_000  # that are looked at: all that is said of a row without cause comes before what is
COPY_PAGES = 4_096  # of SQLite, 16 MB: between two such steps Ctrl-C is heard

DatabaseKind: TypeAlias = Literal["sqlite", "postgresql"]


@dataclass(frozen=True)
class DatabaseMoment:
    """The state of a database at the moment at which this was made."""

    kind: DatabaseKind
    revision: str
    """Of its tables; empty: of a release before 0.3."""
    _write: Callable[[Path], None]

    def write_to(self, path: Path) -> None:
        """Write a copy to ``path``, where nothing is yet: for this user alone, not yet durable.

        Raises `UserError`: STORAGE for a damaged database too; NOT_SET_UP without `pg_dump`; `OSError` for ``path``.
        """
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        self._write(path)


@contextlib.contextmanager
def moment_of(place: Path | str) -> Iterator[DatabaseMoment]:
    """Hold the state that a database has now, as ``place`` of `Database.open` says where."""
    engines = _engines(place)
    try:
        with user_errors(engines), engines.reading() as connection:
            names = inspect(connection).get_table_names()  # with it the state is fixed
            known = ALEMBIC_VERSION.name in names
            revision = connection.scalar(select(ALEMBIC_VERSION.c.version_num)) if known else ""
            if engines.path is not None:
                yield DatabaseMoment("sqlite", revision or "", lambda path: _copy_pages(connection, engines, path))
            else:
                snapshot = str(connection.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one())
                yield DatabaseMoment("postgresql", revision or "", lambda path: write_dump(str(place), snapshot, path))
    finally:
        engines.close()


def is_newer(revision: str) -> bool:
    """Whether tables of this revision are of a newer release."""
    return revision > REVISION


def check_empty(url: str) -> None:
    """Raise `UserError` (BAD_INPUT) for a database of PostgreSQL that has tables: it may be in use."""
    engines = _engines(url)
    try:
        with user_errors(engines), engines.reading() as connection:
            names = inspect(connection).get_table_names()
    finally:
        engines.close()
    if names:
        raise UserError(
            f"The database {engines.place} has tables already: it may be the one that another server uses. Make an "
            "empty one with 'createdb --template=template0 --encoding=UTF8 --locale=C NAME', and give it with "
            "--database-url.",
            FaultKind.BAD_INPUT,
        )


def make_empty(url: str) -> None:
    """Drop every table of a database of PostgreSQL that `check_empty` has found empty, and that was filled since."""
    engines = _engines(url)
    try:
        with user_errors(engines), engines.writing() as connection:
            there = MetaData()
            there.reflect(connection)
            there.drop_all(connection)
    finally:
        engines.close()


def _engines(place: Path | str) -> Engines:
    # here, as it needs all topics of the database
    from seed_server.store.database import Database

    return Database.engines_of(place)


def _copy_pages(connection: Connection, engines: Engines, path: Path) -> None:
    # its own type is the library's business; within the transaction that is open, pages are those of its state
    source: Any = connection.connection.driver_connection
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"isolation_level": None})
    try:
        with engine.connect() as copy:
            source.backup(copy.connection.driver_connection, pages=COPY_PAGES)
            copy.exec_driver_sql("PRAGMA journal_mode = DELETE")  # one file, that says nothing of another
            damage = _damage(copy)
    finally:
        engine.dispose()
    if damage:
        raise UserError(
            f"The database {engines.place} is damaged ({printable(damage)}): it is not copied, and an earlier "
            "backup stays as it is. Stop the server, and restore that.",
            FaultKind.STORAGE,
        )


def _damage(copy: Connection) -> str:
    """Return the first thing that is wrong with a database; empty: nothing.

    SQLite 3.40 takes columns of tables without row numbers for empty where the primary key is not the first column.
    """
    try:
        lines = copy.exec_driver_sql(f"PRAGMA quick_check({MAX_DAMAGES})").scalars().all()
    except DBAPIError as error:  # so much is damaged that it cannot be looked at
        return str(error.orig)
    doubted: dict[tuple[str, str], bool] = {}
    for line in lines:
        empty = re.fullmatch(r"NULL value in (\w+)\.(\w+)", str(line))
        if empty is None:
            if line != "ok":
                return str(line)
            continue
        place = empty[1], empty[2]
        if place not in doubted:
            counted = f'SELECT count(*) FROM "{place[0]}" WHERE typeof("{place[1]}") = \'null\''  # noqa: S608 - \w alone
            doubted[place] = copy.exec_driver_sql(counted).scalar_one() > 0
        if doubted[place]:
            return str(line)
    return ""
