"""What PCs are and have gets its tables."""

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
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

REVISION_NUMBER = "0005"

_SMALL = SmallInteger().with_variant(Integer(), "sqlite")
_BIG = BigInteger().with_variant(Integer(), "sqlite")
_SECONDS: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")
_FLAG = Boolean().with_variant(Integer(), "sqlite")
_TABLES = MetaData()


def _table(name: str, *parts: SchemaItem, rowid: bool = False) -> Table:
    return Table(name, _TABLES, *parts, sqlite_strict=True, sqlite_with_rowid=rowid)


# the column that the new ones refer to, which is there
Table("endpoints", _TABLES, Column("number", Integer, primary_key=True))
_NEW = (
    _table(
        "inventories",
        Column("told_at", _SECONDS, nullable=False),
        Column("endpoint", Integer, ForeignKey("endpoints.number", ondelete="CASCADE"), nullable=False),
        Column("all_packages", _FLAG, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("facts", LargeBinary, nullable=False),
        PrimaryKeyConstraint("endpoint"),
    ),
    _table(
        "software",
        Column("number", _BIG, primary_key=True),
        Column("ecosystem", _SMALL, nullable=False),
        Column("name", Text, nullable=False),
        Column("version", Text, nullable=False),
        UniqueConstraint("name", "ecosystem", "version"),
        rowid=True,
    ),
    _table(
        "software_holders",
        Column("software", _BIG, nullable=False),
        Column("block", Integer, nullable=False),
        Column("pcs", LargeBinary, nullable=False),
        PrimaryKeyConstraint("block", "software"),
    ),
)


def upgrade() -> None:
    """Make the tables."""
    _TABLES.create_all(op.get_bind(), tables=_NEW)
