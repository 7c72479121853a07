"""Answers of the API to requests with an ``Idempotency-Key``, so that none is carried out twice."""

from alembic import op
from sqlalchemy import REAL, Column, Double, Index, Integer, LargeBinary, MetaData, PrimaryKeyConstraint, Table, Text

REVISION_NUMBER = "0010"

_TABLE = Table(
    "idempotency",
    MetaData(),
    Column("begun_at", Double().with_variant(REAL(), "sqlite"), nullable=False),
    Column("status", Integer, nullable=False),
    Column("token_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    PrimaryKeyConstraint("token_id", "key"),
    Index("idempotency_by_time", "begun_at"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)


def upgrade() -> None:
    """Make the table."""
    _TABLE.create(op.get_bind())
