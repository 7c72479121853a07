"""Logins in a browser: sessions, people's keys, and answers of keys that were taken."""

from alembic import op
from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import TypeEngine

REVISION_NUMBER = "0015"

_SECONDS: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")
_BIG = BigInteger().with_variant(Integer(), "sqlite")
_TABLES = MetaData()

Table("people", _TABLES, Column("number", Integer, primary_key=True))  # it is there
_NEW = (
    Table(
        "web_sessions",
        _TABLES,
        Column("created_at", _SECONDS, nullable=False),
        Column("used_at", _SECONDS, nullable=False),
        Column("ends_at", _SECONDS, nullable=False),
        Column("idle_seconds", _SECONDS, nullable=False),
        Column("factor_at", _SECONDS, nullable=False),
        Column("person", Integer, ForeignKey("people.number", ondelete="CASCADE"), nullable=False),
        Column("session_id", Text, nullable=False),
        Column("proof", Text, nullable=False),
        Column("address", Text, nullable=False),
        Column("browser", Text, nullable=False),
        Column("secret_sha256", LargeBinary, primary_key=True),
        Index("web_sessions_by_person", "person"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
    Table(
        "passkeys",
        _TABLES,
        Column("made_at", _SECONDS, nullable=False),
        Column("used_at", _SECONDS, nullable=False),
        Column("sign_count", _BIG, nullable=False),
        Column("person", Integer, ForeignKey("people.number", ondelete="CASCADE"), nullable=False),
        Column("key_id", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("public_key", LargeBinary, nullable=False),
        Column("credential_id", LargeBinary, primary_key=True),
        Index("passkeys_by_person", "person"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
    Table(
        "taken_challenges",
        _TABLES,
        Column("until", _SECONDS, nullable=False),
        Column("challenge_sha256", LargeBinary, primary_key=True),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
)


def upgrade() -> None:
    """Make the tables."""
    _TABLES.create_all(op.get_bind(), tables=_NEW)
