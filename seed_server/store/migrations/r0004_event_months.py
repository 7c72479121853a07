"""What PCs did gets a table for each month, with where they were and why; the steps of before move in.

There is no way back.
"""

from datetime import UTC, datetime

from alembic import op
from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    Connection,
    Double,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    inspect,
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

REVISION_NUMBER = "0004"

_REPORTED_SINCE = 1_735_689_600
_SMALL = SmallInteger().with_variant(Integer(), "sqlite")
_BIG = BigInteger().with_variant(Integer(), "sqlite")
_SECONDS: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")
_TABLES = MetaData()


def _table(tables: MetaData, name: str, *parts: SchemaItem, rowid: bool = False, never_again: bool = False) -> Table:
    return Table(
        name, tables, *parts, sqlite_strict=True, sqlite_with_rowid=rowid, sqlite_autoincrement=never_again,
    )  # fmt: skip


def _columns(kind: TypeEngine[int] | TypeEngine[float] | type[Text], *names: str) -> list[SchemaItem]:
    return [Column(name, kind, nullable=False) for name in names]


_MONTHS = _table(
    _TABLES,
    "event_months",
    *_columns(_BIG, "events", "bytes", "entry"),
    *_columns(_SECONDS, "archived_at"),
    *_columns(Integer(), "month", "part"),
    *_columns(_SMALL, "state"),
    *_columns(Text, "sha256"),
    PrimaryKeyConstraint("month", "part"),
)
_table(
    _TABLES,
    "event_texts",
    Column("number", Integer, primary_key=True),
    Column("text", Text, nullable=False, unique=True),
    *_columns(Integer(), "last_month"),
    rowid=True,
    never_again=True,
)
_table(
    _TABLES,
    "forgotten_endpoints",
    *_columns(_SECONDS, "forgotten_at"),
    Column("number", Integer, primary_key=True, autoincrement=False),
    *_columns(Text, "endpoint_id", "hostname"),
)
_table(
    _TABLES,
    "legal_holds",
    Column("number", Integer, primary_key=True),
    *_columns(_SECONDS, "begun_at"),
    Column("released_at", _SECONDS, nullable=True),
    *_columns(Text, "reason", "begun_by", "released_by"),
    rowid=True,
    never_again=True,
)


def upgrade() -> None:
    """Make the tables, and move the steps of before into those of their months."""
    connection = op.get_bind()
    _TABLES.create_all(connection)
    if inspect(connection).has_table("events"):
        first, last = connection.exec_driver_sql("SELECT min(at), max(at) FROM events").one()
        month = None if first is None else _month_of(first)
        while month is not None and month <= _month_of(last):
            _move(connection, month)
            month = _after(month)
        op.drop_table("events")


def _move(connection: Connection, month: int) -> None:
    begin, end = _begin_of(month), _begin_of(_after(month))
    within = f"at >= {begin} AND at < {end}"
    if connection.exec_driver_sql(f"SELECT at FROM events WHERE {within} LIMIT 1").first() is None:  # noqa: S608 - numbers
        return
    name = f"events_{month:06}_0"
    made = _table(
        MetaData(),
        name,
        *_columns(Integer(), "at", "endpoint", "patch", "site", "text"),
        *_columns(_SMALL, "said"),
        PrimaryKeyConstraint("at", "endpoint", "patch", name=f"{name}_key"),
        Index(f"{name}_by_endpoint", "endpoint"),
    )
    made.create(connection)
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"ALTER INDEX {name}_key SET (fillfactor = 100)")
    connection.exec_driver_sql(
        f"INSERT INTO {name} (at, endpoint, patch, site, text, said) "  # noqa: S608 - numbers
        f"SELECT at, endpoint, patch, 0, 0, said FROM events WHERE {within} ORDER BY at, endpoint, patch"
    )
    connection.execute(
        _MONTHS.insert().values(month=month, part=0, state=0, events=0, bytes=0, entry=-1, archived_at=0.0, sha256="")
    )


def _month_of(moment: int) -> int:
    at = datetime.fromtimestamp(moment + _REPORTED_SINCE, UTC)
    return at.year * 100 + at.month


def _begin_of(month: int) -> int:
    return int(datetime(month // 100, month % 100, 1, tzinfo=UTC).timestamp()) - _REPORTED_SINCE


def _after(month: int) -> int:
    return month + 1 if month % 100 < 12 else month + 89
