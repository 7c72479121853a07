"""Since when payloads in the content store are needed by nobody."""

from alembic import op
from sqlalchemy import REAL, Column, Double, MetaData, PrimaryKeyConstraint, Table, Text

REVISION_NUMBER = "0006"

_TABLE = Table(
    "idle_content",
    MetaData(),
    Column("since", Double().with_variant(REAL(), "sqlite"), nullable=False),
    Column("sha256", Text, nullable=False),
    PrimaryKeyConstraint("sha256"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)


def upgrade() -> None:
    """Make the table."""
    _TABLE.create(op.get_bind())
