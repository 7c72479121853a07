"""What PCs see beside them gets its tables."""

from alembic import op
from sqlalchemy import REAL, Column, Double, ForeignKey, Index, Integer, MetaData, PrimaryKeyConstraint, Table, Text
from sqlalchemy.types import TypeEngine

REVISION_NUMBER = "0008"

_SECONDS: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")
_TABLES = MetaData()


def _of(name: str, table: str) -> Column[int]:
    return Column(name, Integer, ForeignKey(f"{table}.number", ondelete="CASCADE"), nullable=False)


# the columns that the new ones refer to, which are there
for _name in ("endpoints", "sites"):
    Table(_name, _TABLES, Column("number", Integer, primary_key=True))
_NEW = (
    Table(
        "endpoint_cards",
        _TABLES,
        _of("endpoint", "endpoints"),
        Column("card", Text, nullable=False),
        PrimaryKeyConstraint("endpoint", "card"),
        Index("endpoint_cards_by_card", "card"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
    Table(
        "seen_neighbours",
        _TABLES,
        Column("first_at", _SECONDS, nullable=False),
        Column("last_at", _SECONDS, nullable=False),
        _of("endpoint", "endpoints"),
        _of("site", "sites"),
        Column("card", Text, nullable=False),
        Column("address", Text, nullable=False),
        PrimaryKeyConstraint("endpoint", "site", "card"),
        Index("seen_neighbours_by_site", "site", "card"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
)


def upgrade() -> None:
    """Make the tables."""
    _TABLES.create_all(op.get_bind(), tables=_NEW)
