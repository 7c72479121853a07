"""Webhooks, and what they are sent, get their tables."""

from alembic import op
from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.types import TypeEngine

REVISION_NUMBER = "0011"

_SECONDS: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")
_FLAG = Boolean().with_variant(Integer(), "sqlite")
_BIG = BigInteger().with_variant(Integer(), "sqlite")
_SMALL = SmallInteger().with_variant(Integer(), "sqlite")
_TABLES = MetaData()


def _seconds(name: str) -> Column[float]:
    return Column(name, _SECONDS, nullable=False)


def _words(name: str) -> Column[str]:
    return Column(name, Text, nullable=False)


_NEW = (
    Table(
        "webhooks",
        _TABLES,
        Column("number", Integer, primary_key=True),
        Column("name", Text, nullable=False, unique=True),
        _words("url"),
        _words("events"),
        Column("plain_http", _FLAG, nullable=False),
        Column("secret", LargeBinary, nullable=False),
        Column("former_secret", LargeBinary, nullable=False),
        _seconds("former_until"),
        _words("stopped"),
        Column("cursor", _BIG, nullable=False),
        _seconds("created_at"),
        _words("created_by"),
        _seconds("succeeded_at"),
        _seconds("failing_since"),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    ),
    Table(
        "webhook_deliveries",
        _TABLES,
        Column("number", Integer, primary_key=True),
        Column("webhook", Integer, ForeignKey("webhooks.number", ondelete="CASCADE"), nullable=False),
        _words("event_id"),
        Column("entry", _BIG, nullable=False),
        _words("type"),
        _seconds("at"),
        Column("body", LargeBinary, nullable=False),
        Column("state", _SMALL, nullable=False),
        Column("attempts", Integer, nullable=False),
        _seconds("first_at"),
        _seconds("due_at"),
        _seconds("ended_at"),
        Column("status", Integer, nullable=False),
        _words("outcome"),
        UniqueConstraint("webhook", "event_id"),
        Index("webhook_deliveries_by_state", "webhook", "state", "due_at"),
        sqlite_strict=True,
        sqlite_autoincrement=True,
    ),
)


def upgrade() -> None:
    """Make the tables."""
    _TABLES.create_all(op.get_bind(), tables=_NEW)
