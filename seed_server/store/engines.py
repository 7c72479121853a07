"""Connections to the server's state, on SQLite or PostgreSQL: all that differs between the two is here.

Blocking. SQLite has one connection that writes, and several that only read: WAL lets
them read while it writes. On PostgreSQL both are pools of one server.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from sqlalchemy import URL, Connection, Engine, Table, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

READERS = 4  # on two cores more readers only wait for each other
LOCK_SECONDS = 5.0  # a write takes milliseconds; longer means that another process hangs
POOL_WAIT_SECONDS = 30.0  # for a free connection; a page's query takes less than one


@dataclass(frozen=True)
class Engines:
    """Where to write and where to read; closed by `close`."""

    writer: Engine
    reader: Engine

    @classmethod
    def on_sqlite(cls, path: Path) -> Self:
        """Connect to the file ``path``, which is made where there is none."""
        return cls(_sqlite(path, writes=True), _sqlite(path, writes=False))

    @classmethod
    def on_postgresql(cls, url: str) -> Self:
        """Connect to the database that ``url`` names (``postgresql://user@host/name``); needs psycopg."""
        address = make_url(url).set(drivername="postgresql+psycopg")
        writer = create_engine(address, pool_size=1, max_overflow=0, pool_timeout=POOL_WAIT_SECONDS, pool_pre_ping=True)
        reader = create_engine(
            address,
            pool_size=READERS,
            max_overflow=0,
            pool_timeout=POOL_WAIT_SECONDS,
            pool_pre_ping=True,
            connect_args={"options": "-c default_transaction_read_only=on"},
        )
        return cls(writer, reader)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give the connection that writes; the block is one transaction, all or none."""
        with self.writer.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that only reads; on SQLite the block sees one state of the database."""
        with self.reader.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections that are not in use; calling it again does nothing."""
        self.reader.dispose()
        self.writer.dispose()


def insert_into(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return the dialect's insert into ``table``; both know `on_conflict_do_update` and `on_conflict_do_nothing`."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def _sqlite(path: Path, *, writes: bool) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        # we begin transactions ourselves; a pooled connection serves one thread after the other
        connect_args={"isolation_level": None, "timeout": LOCK_SECONDS, "check_same_thread": False},
        pool_size=1 if writes else READERS,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
    )

    def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        if writes:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")  # a token that was spent must stay spent after a power cut
            cursor.execute("PRAGMA foreign_keys = ON")
        else:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    def begin(connection: Connection) -> None:
        # IMMEDIATE: a read that turns into a write could not wait for its lock
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine
