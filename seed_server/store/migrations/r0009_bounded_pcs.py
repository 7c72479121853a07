"""How many packages each PC has, and how many steps of whom the history has left out: one PC's share is bounded.

What was known of packages goes: each PC tells it anew when its turn comes.
"""

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
)
from sqlalchemy.types import TypeEngine

REVISION_NUMBER = "0009"

_SECONDS: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")
_FLAG = Boolean().with_variant(Integer(), "sqlite")
_BIG = BigInteger().with_variant(Integer(), "sqlite")
_TABLES = MetaData()


def _of_a_pc() -> Column[int]:
    return Column("endpoint", Integer, ForeignKey("endpoints.number", ondelete="CASCADE"), nullable=False)


# the column that the new ones refer to, which is there
Table("endpoints", _TABLES, Column("number", Integer, primary_key=True))
_NEW = (
    Table(
        "inventories",
        _TABLES,
        Column("told_at", _SECONDS, nullable=False),
        _of_a_pc(),
        Column("packages", Integer, nullable=False),
        Column("all_packages", _FLAG, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("facts", LargeBinary, nullable=False),
        PrimaryKeyConstraint("endpoint"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
    Table(
        "steps_left_out",
        _TABLES,
        Column("steps", _BIG, nullable=False),
        Column("last_at", _SECONDS, nullable=False),
        _of_a_pc(),
        PrimaryKeyConstraint("endpoint"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    ),
)


def upgrade() -> None:
    """Make the tables."""
    op.drop_table("inventories")
    op.execute("DELETE FROM software_holders")
    op.execute("DELETE FROM software")
    _TABLES.create_all(op.get_bind(), tables=_NEW)
