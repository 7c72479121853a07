"""Connections to the server's state, on SQLite or PostgreSQL: nearly all that differs between the two is here.

Blocking. One connection of a process writes, and several only read; readers never wait
for it. Of several processes one writes at a time: SQLite's own lock sees to that, and on
PostgreSQL a lock of the same kind, so that both have the same histories.
"""

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    FromClause,
    Integer,
    Table,
    cast,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql

READERS = 4  # on two cores more readers only wait for each other
BUSY_SECONDS = 5.0  # another process's write takes milliseconds; longer means that it hangs
POOL_WAIT_SECONDS = 30.0  # for a connection of this process; a page's query takes less than one
REACH_SECONDS = 10  # for a PostgreSQL server that does not answer
STUCK_SECONDS = 30  # of a writer that PostgreSQL hears nothing from in the middle: its host is gone, and holds the lock
SILENT_SECONDS = 15  # of a host that answers nothing: the system's own limit is a quarter of an hour
BEGIN_AGAIN_SECONDS = 0.1
WRITERS_LOCK = 0x70_32_70_64  # of PostgreSQL's advisory locks, within one database


@dataclass(frozen=True)
class Engines:
    """Where to write and where to read; closed by `close`."""

    writer: Engine
    reader: Engine
    place: str
    """What people call the database, without its password."""
    path: Path | None
    """The file of SQLite; None: the database is PostgreSQL's."""
    lock_seconds: float
    """How long a writer waits for another process."""

    @classmethod
    def on_sqlite(cls, path: Path, *, lock_seconds: float = BUSY_SECONDS) -> Self:
        """Connect to the file ``path``, which is made where there is none."""
        writer, reader = (_sqlite(path, lock_seconds, writes=writes) for writes in (True, False))
        return cls(writer, reader, str(path), path, lock_seconds)

    @classmethod
    def on_postgresql(
        cls, url: str, *, lock_seconds: float = BUSY_SECONDS, stuck_seconds: float = STUCK_SECONDS
    ) -> Self:
        """Connect to the database that ``url`` names (``postgresql://user@host/name``); needs psycopg.

        Raises `ImportError` where that is not installed, and `sqlalchemy.exc.ArgumentError` for what is no such URL.
        """
        address = make_url(url).set(drivername="postgresql+psycopg")
        writer = _postgresql(
            address,
            1,
            f"-c lock_timeout={int(1000 * lock_seconds)} "
            f"-c idle_in_transaction_session_timeout={int(1000 * stuck_seconds)}",
        )
        reader = _postgresql(
            address, READERS, r"-c default_transaction_read_only=on -c default_transaction_isolation=repeatable\ read"
        )

        def begin(connection: Connection) -> None:
            # one writer at a time, as on SQLite: what it has read stays true until it has written
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS_LOCK})")

        event.listen(writer, "begin", begin)
        where = {name: value for name, value in address.query.items() if name in {"host", "port"}}
        shown = URL.create(
            "postgresql", address.username, None, address.host, address.port, address.database, query=where
        )
        place = shown.render_as_string()
        return cls(writer, reader, place, None, lock_seconds)

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give the connection that writes; the block is one transaction, all or none."""
        with contextlib.ExitStack() as transaction:
            yield self._begin(self.writer, transaction)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection that only reads; the block sees one state of the database."""
        with contextlib.ExitStack() as transaction:
            yield self._begin(self.reader, transaction)

    def _begin(self, engine: Engine, transaction: contextlib.ExitStack) -> Connection:
        """Begin a transaction; wait for a PostgreSQL that starts, or has no connection left, as for another writer."""
        for _ in range(round(self.lock_seconds / BEGIN_AGAIN_SECONDS)):
            try:
                return transaction.enter_context(engine.begin())
            except DBAPIError as error:
                if not (lacks_connections(error) or _starts(error)):
                    raise
            time.sleep(BEGIN_AGAIN_SECONDS)
        return transaction.enter_context(engine.begin())

    def close(self) -> None:
        """Close all connections that are not in use; calling it again does nothing."""
        self.reader.dispose()
        self.writer.dispose()


def lacks_connections(error: DBAPIError) -> bool:
    """Whether PostgreSQL takes no further connection now."""
    return _refused(error, "53300", "too many connections", "too many clients", "connection slots are reserved")


def _starts(error: DBAPIError) -> bool:
    return _refused(error, "57P03", "the database system is starting up", "the database system is in recovery")


def _refused(error: DBAPIError, state: str, *texts: str) -> bool:
    # libpq has no code for what was said before there was a connection; in other languages than English it is unknown
    said = str(error.orig)
    found = getattr(error.orig, "sqlstate", None)
    return found == state or (found is None and any(text in said for text in texts))


def copy_sqlite(path: Path, copy: Path) -> None:
    """Write what is committed in the file ``path`` into the empty file ``copy``."""
    # of its own: the others begin a transaction, in which this is not possible
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"isolation_level": None})
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (str(copy),))
    finally:
        engine.dispose()


def insert_into(connection: Connection, table: Table) -> "sqlite.Insert | postgresql.Insert":
    """Return the dialect's insert into ``table``; both know `on_conflict_do_update` and `on_conflict_do_nothing`."""
    if connection.dialect.name == "sqlite":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql  # large, and loaded with its engine

    return postgresql.insert(table)


def upsert(connection: Connection, table: Table, *kept: str) -> "sqlite.Insert | postgresql.Insert":
    """Return an insert that overwrites the row with the same key, but for the columns ``kept``."""
    insert = insert_into(connection, table)
    key = [column.name for column in table.primary_key]
    newer = {column.name: insert.excluded[column.name] for column in table.c if column.name not in {*key, *kept}}
    return insert.on_conflict_do_update(index_elements=key, set_=newer)


def table_of(connection: Connection, first: Sequence[int], second: Sequence[int]) -> FromClause:
    """Return pairs of numbers as a table with the columns ``first`` and ``second``, to be joined with others.

    One argument of the query carries them all; in `IN` each would be one, and SQLite would read the whole other table.
    """
    if connection.dialect.name == "sqlite":
        row = func.json_each(json.dumps(list(zip(first, second, strict=True)))).table_valued("value").c.value
        columns = (func.json_extract(row, f"$[{place}]", type_=Integer) for place in (0, 1))
        return select(
            *(column.label(name) for column, name in zip(columns, ("first", "second"), strict=True))
        ).subquery()
    from sqlalchemy.dialects import postgresql

    arrays = (cast(list(numbers), postgresql.ARRAY(Integer)) for numbers in (first, second))
    return func.unnest(*arrays).table_valued("first", "second").render_derived()


def _postgresql(address: URL, connections: int, options: str) -> Engine:
    return create_engine(
        address,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_pre_ping=True,  # a server that was started anew is no error
        connect_args={
            "options": options,
            "client_encoding": "utf8",  # of a database that is not, the texts would come as bytes
            "connect_timeout": REACH_SECONDS,
            "application_name": "seed-server",
            "keepalives_idle": SILENT_SECONDS,
            "keepalives_interval": SILENT_SECONDS // 3,
            "keepalives_count": 3,
            "tcp_user_timeout": 1000 * SILENT_SECONDS,
        },
    )


def _sqlite(path: Path, lock_seconds: float, *, writes: bool) -> Engine:
    engine = create_engine(
        URL.create("sqlite", database=str(path)),
        # we begin transactions ourselves; a pooled connection serves one thread after the other
        connect_args={"isolation_level": None, "timeout": lock_seconds, "check_same_thread": False},
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
