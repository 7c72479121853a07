"""What plans are made from, and what was planned, get their tables."""

from alembic import op
from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
)
from sqlalchemy.types import TypeEngine

REVISION_NUMBER = "0014"

_SECONDS: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")
_BIG = BigInteger().with_variant(Integer(), "sqlite")
_CODE = SmallInteger().with_variant(Integer(), "sqlite")
_TABLES = MetaData()

# the columns that the new ones refer to, which are there
for _name in ("endpoints", "sites"):
    Table(_name, _TABLES, Column("number", Integer, primary_key=True))
_NEW = (
    Table(
        "line_hours",
        _TABLES,
        Column("at", _SECONDS, nullable=False),
        Column("watched", _SECONDS, nullable=False),
        Column("pc_seconds", _SECONDS, nullable=False),
        Column("arrivals", _SECONDS, nullable=False),
        Column("sending", _SECONDS, nullable=False),
        Column("sent", _SECONDS, nullable=False),
        Column("squares", _SECONDS, nullable=False),
        Column("times", _SECONDS, nullable=False),
        Column("site", Integer, ForeignKey("sites.number", ondelete="CASCADE"), nullable=False),
        Column("hour", _CODE, nullable=False),
        PrimaryKeyConstraint("site", "hour"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
    Table(
        "pc_thirds",
        _TABLES,
        Column("thirds", _BIG, nullable=False),
        Column("newest", Integer, nullable=False),
        Column("endpoint", Integer, ForeignKey("endpoints.number", ondelete="CASCADE"), nullable=False),
        PrimaryKeyConstraint("endpoint"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
    Table(
        "rollout_forecasts",
        _TABLES,
        Column("made_at", _SECONDS, nullable=False),
        Column("rollout", Integer, nullable=False),
        Column("forecast", LargeBinary, nullable=False),
        PrimaryKeyConstraint("rollout"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
)


def upgrade() -> None:
    """Make the tables."""
    _TABLES.create_all(op.get_bind(), tables=_NEW)
