"""What PCs have built of pieces from what they had: a column beside what was wasted."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)

REVISION_NUMBER = "0017"

_BIG = BigInteger().with_variant(Integer(), "sqlite")
_TABLES = MetaData()
_BEFORE = "patch, endpoint, bytes_wasted, error, install_output"


def _of(name: str, table: str) -> Column[int]:
    return Column(name, Integer, ForeignKey(f"{table}.number", ondelete="CASCADE"), nullable=False)


# the columns that the new one refers to, which are there
for _name in ("endpoints", "patches"):
    Table(_name, _TABLES, Column("number", Integer, primary_key=True))
_NOTES = Table(
    "standing_notes",
    _TABLES,
    _of("patch", "patches"),
    _of("endpoint", "endpoints"),
    Column("bytes_wasted", _BIG, nullable=False),
    Column("error", Text, nullable=False),
    Column("install_output", Text, nullable=False),
    Column("bytes_built", _BIG, nullable=False),
    PrimaryKeyConstraint("patch", "endpoint"),
    Index("standing_notes_by_endpoint", "endpoint"),
    sqlite_strict=True,
    sqlite_with_rowid=False,
)


def upgrade() -> None:
    """Make the column; nobody has built anything so far."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        _run(connection, "ALTER TABLE standing_notes ADD COLUMN bytes_built BIGINT NOT NULL DEFAULT 0")
        _run(connection, "ALTER TABLE standing_notes ALTER COLUMN bytes_built DROP DEFAULT")
        return
    # SQLite would write it behind the key, and the table were not as a new one
    _run(connection, "DROP INDEX standing_notes_by_endpoint")
    _run(connection, "ALTER TABLE standing_notes RENAME TO standing_notes_before")
    _NOTES.create(connection)
    kept = f"SELECT {_BEFORE}, 0 FROM standing_notes_before ORDER BY patch, endpoint"  # noqa: S608 - constants
    _run(connection, f"INSERT INTO standing_notes ({_BEFORE}, bytes_built) {kept}")
    _run(connection, "DROP TABLE standing_notes_before")


def _run(connection: Connection, statement: str) -> None:
    connection.execute(text(statement))
