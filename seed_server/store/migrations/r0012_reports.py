"""Since when each PC is done with a patch, how many are by the hour, and what people do about the others.

Of what PCs had before, the first time counts that the months in the database know, and otherwise their last report.
"""

from alembic import op
from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    Connection,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeEngine

REVISION_NUMBER = "0012"

_SECONDS: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")
_BIG = BigInteger().with_variant(Integer(), "sqlite")
_SMALL = SmallInteger().with_variant(Integer(), "sqlite")
_TABLES = MetaData()
# columns of `standing`
_BEFORE = "bytes_from_origin, bytes_from_peers, patch, endpoint, seconds, reported_at, reason, said, progress"
# codes of `said`: 64 is a proven file and no installation; by 16, 6 is installed and 1 not applicable
_DONE = "(said % 16 = 6 OR said = 64)"
_NOT_FOR_IT = "said % 16 = 1"
_REPLACED = "(said % 16 = 1 AND reason IN (SELECT number FROM texts WHERE text LIKE 'replaced: %'))"
_SINCE = "CASE WHEN reported_at < 1 THEN 1 ELSE reported_at END"  # of a clock that was wrong


def _of(name: str, table: str) -> Column[int]:
    return Column(name, Integer, ForeignKey(f"{table}.number", ondelete="CASCADE"), nullable=False)


# the columns that the new ones refer to, which are there
for _name in ("endpoints", "patches"):
    Table(_name, _TABLES, Column("number", Integer, primary_key=True))
_STANDING = Table(
    "standing",
    _TABLES,
    Column("bytes_from_origin", _BIG, nullable=False),
    Column("bytes_from_peers", _BIG, nullable=False),
    _of("patch", "patches"),
    _of("endpoint", "endpoints"),
    Column("seconds", Integer, nullable=False),
    Column("reported_at", Integer, nullable=False),
    Column("reason", Integer, nullable=False),
    Column("said", _SMALL, nullable=False),
    Column("progress", _SMALL, nullable=False),
    Column("done_at", Integer, nullable=False),
    PrimaryKeyConstraint("patch", "endpoint"),
    Index("standing_by_endpoint", "endpoint"),
    Index(
        "standing_lacking", "patch", "endpoint", sqlite_where=text("done_at = 0"), postgresql_where=text("done_at = 0")
    ),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)
_NEW = (
    Table(
        "done_tallies",
        _TABLES,
        _of("patch", "patches"),
        Column("hour", Integer, nullable=False),
        Column("endpoints", Integer, nullable=False),
        PrimaryKeyConstraint("patch", "hour"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
    Table(
        "follow_ups",
        _TABLES,
        Column("set_at", _SECONDS, nullable=False),
        _of("endpoint", "endpoints"),
        _of("patch", "patches"),
        Column("state", Text, nullable=False),
        Column("note", Text, nullable=False),
        Column("set_by", Text, nullable=False),
        PrimaryKeyConstraint("endpoint", "patch"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
)


def upgrade() -> None:
    """Make the tables and the column, and say in them what is known."""
    connection = op.get_bind()
    _TABLES.create_all(connection, tables=_NEW)
    _add_column(connection)
    _run(connection, f"UPDATE standing SET done_at = -1 WHERE {_NOT_FOR_IT}")  # noqa: S608 - constants
    _run(connection, f"UPDATE standing SET done_at = {_SINCE} WHERE {_DONE} OR {_REPLACED}")  # noqa: S608 - constants
    months = connection.execute(text("SELECT month, part FROM event_months WHERE state IN (0, 1)")).all()
    for month, part in months:
        table = f"events_{month:06}_{part}"  # two numbers
        first = f"SELECT patch, endpoint, min(at) AS at FROM {table} WHERE at > 0 AND {_DONE} GROUP BY patch, endpoint"  # noqa: S608
        ours = "standing.patch = e.patch AND standing.endpoint = e.endpoint AND e.at < standing.done_at"
        _run(connection, f"UPDATE standing SET done_at = e.at FROM ({first}) AS e WHERE {ours}")  # noqa: S608 - constants
    _run(
        connection,
        "INSERT INTO done_tallies (patch, hour, endpoints) SELECT patch, done_at / 3600, count(*) FROM standing "
        "JOIN endpoints ON number = endpoint WHERE done_at > 0 AND NOT denied GROUP BY patch, done_at / 3600",
    )


def _add_column(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        _run(connection, "ALTER TABLE standing ADD COLUMN done_at INTEGER NOT NULL DEFAULT 0")
        _run(connection, "ALTER TABLE standing ALTER COLUMN done_at DROP DEFAULT")
        next(index for index in _STANDING.indexes if index.name == "standing_lacking").create(connection)
        return
    # SQLite would write it behind the key, and the table were not as a new one
    _run(connection, "DROP INDEX standing_by_endpoint")
    _run(connection, "ALTER TABLE standing RENAME TO standing_before")
    _STANDING.create(connection)
    kept = f"SELECT {_BEFORE}, 0 FROM standing_before ORDER BY patch, endpoint"  # noqa: S608 - constants
    _run(connection, f"INSERT INTO standing ({_BEFORE}, done_at) {kept}")
    _run(connection, "DROP TABLE standing_before")


def _run(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))
