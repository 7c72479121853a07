"""Which list of the server's addresses each PC has.

There is no way back.
"""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, PrimaryKeyConstraint, Table

REVISION_NUMBER = "0007"


def upgrade() -> None:
    """Make the table that is new."""
    tables = MetaData()
    Table("endpoints", tables, Column("number", Integer, primary_key=True))
    known = Table(
        "known_servers",
        tables,
        Column("list", BigInteger().with_variant(Integer(), "sqlite"), nullable=False),
        Column("endpoint", Integer, ForeignKey("endpoints.number", ondelete="CASCADE"), nullable=False),
        PrimaryKeyConstraint("endpoint"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    known.create(op.get_bind())
