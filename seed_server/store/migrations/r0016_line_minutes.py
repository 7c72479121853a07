"""What lines did in the last days and weeks gets its tables."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
)

REVISION_NUMBER = "0016"

_BIG = BigInteger().with_variant(Integer(), "sqlite")
_CODE = SmallInteger().with_variant(Integer(), "sqlite")
_TABLES = MetaData()

# the column that the new ones refer to, which is there
Table("sites", _TABLES, Column("number", Integer, primary_key=True))
_NEW = (
    Table(
        "line_minutes",
        _TABLES,
        Column("sent", _BIG, nullable=False),
        Column("allowed", _BIG, nullable=False),
        Column("business", _BIG, nullable=False),
        Column("queue_us", _BIG, nullable=True),
        Column("site", Integer, ForeignKey("sites.number", ondelete="CASCADE"), nullable=False),
        Column("slot", Integer, nullable=False),
        Column("active_ms", Integer, nullable=False),
        Column("cause_ms", Integer, nullable=False),
        Column("business_ms", Integer, nullable=False),
        Column("harm_ms", Integer, nullable=False),
        Column("slots", _CODE, nullable=False),
        Column("cause", _CODE, nullable=False),
        PrimaryKeyConstraint("site", "slot"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
    Table(
        "line_watches",
        _TABLES,
        Column("slot", Integer, nullable=False),
        Column("watched_ms", Integer, nullable=False),
        Column("slots", _CODE, nullable=False),
        PrimaryKeyConstraint("slot"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
)


def upgrade() -> None:
    """Make the tables."""
    _TABLES.create_all(op.get_bind(), tables=_NEW)
