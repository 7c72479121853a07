"""What is known of weaknesses that are exploited gets its tables."""

from alembic import op
from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)
from sqlalchemy.types import TypeEngine

REVISION_NUMBER = "0013"

_SECONDS: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")
_FLAG = Boolean().with_variant(Integer(), "sqlite")
_BIG = BigInteger().with_variant(Integer(), "sqlite")
_TABLES = MetaData()


# the column that a new one refers to, which is there
Table("patches", _TABLES, Column("number", Integer, primary_key=True))
_NEW = (
    Table(
        "intelligence",
        _TABLES,
        Column("dated_at", _SECONDS, nullable=False),
        Column("imported_at", _SECONDS, nullable=False),
        Column("rows", Integer, nullable=False),
        Column("kind", Text, nullable=False),
        Column("version", Text, nullable=False),
        Column("sha256", Text, nullable=False),
        Column("imported_by", Text, nullable=False),
        PrimaryKeyConstraint("kind"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
    Table(
        "exploited_cves",
        _TABLES,
        Column("added_at", _SECONDS, nullable=False),
        Column("due_at", _SECONDS),
        Column("ransomware", _FLAG, nullable=False),
        Column("cve", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("action", Text, nullable=False),
        PrimaryKeyConstraint("cve"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
    Table(
        "exploit_scores",
        _TABLES,
        Column("first", _BIG, nullable=False),
        Column("scores", LargeBinary, nullable=False),
        PrimaryKeyConstraint("first"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
    Table(
        "priority_moves",
        _TABLES,
        Column("at", _SECONDS, nullable=False),
        Column("patch", Integer, ForeignKey("patches.number", ondelete="CASCADE"), nullable=False),
        Column("before", Text, nullable=False),
        Column("after", Text, nullable=False),
        PrimaryKeyConstraint("patch"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
)


def upgrade() -> None:
    """Make the tables."""
    _TABLES.create_all(op.get_bind(), tables=_NEW)
