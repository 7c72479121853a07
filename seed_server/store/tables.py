"""The tables of the server's state, the same on SQLite and PostgreSQL.

Rows that exist once for each PC and patch are narrow: integers that stand for texts
(`endpoints.number`, `patches.number`, `texts.number`), codes from the closed lists
below, no NULL (PostgreSQL would keep a bitmap in each row). What few of them have
(an error, an installer's output, wasted bytes) is in `standing_notes`. Pure.
"""

from sqlalchemy import (
    REAL,
    BigInteger,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)

# a row keeps the place in these lists: append only
PATCH_STATES = ("waiting", "checking", "fetching", "verifying", "verified", "failed")
INSTALL_STATES = (
    "", "not_applicable", "waiting", "installing", "unproven", "restart_pending", "installed", "retrying",
    "rolled_back", "failed",
)  # fmt: skip
WHOLE_PROGRESS = 1000
REPORTED_SINCE = 1_735_689_600  # 2025-01-01 UTC: seconds since then fit 32 bits until 2093

# STRICT tables of SQLite know one width of integers, and REAL
SMALL = SmallInteger().with_variant(Integer(), "sqlite")
BIG = BigInteger().with_variant(Integer(), "sqlite")
SECONDS = Double().with_variant(REAL(), "sqlite")

METADATA = MetaData()


def _table(name: str, *parts: Column[object] | Index | PrimaryKeyConstraint | UniqueConstraint, rowid: bool) -> Table:
    return Table(name, METADATA, *parts, sqlite_strict=True, sqlite_with_rowid=rowid)


def _number() -> Column[object]:
    return Column("number", Integer, primary_key=True)


def _of(name: str, table: str) -> Column[object]:
    return Column(name, Integer, ForeignKey(f"{table}.number", ondelete="CASCADE"), nullable=False)


SITES = _table("sites", _number(), Column("name", Text, nullable=False, unique=True), rowid=True)

TEXTS = _table("texts", _number(), Column("text", Text, nullable=False, unique=True), rowid=True)

SERVERS = _table("servers", _number(), Column("name", Text, nullable=False, unique=True), rowid=True)

# more columns follow as the rows of schema 9 move here
FLEET = _table(
    "fleet",
    _number(),
    Column("endpoint_id", Text, nullable=False, unique=True),
    _of("site", "sites"),
    Index("fleet_by_site", "site"),
    rowid=True,
)

RELEASES = _table(
    "releases",
    _number(),
    Column("patch_id", Text, nullable=False),
    Column("version", Text, nullable=False),
    UniqueConstraint("patch_id", "version"),
    rowid=True,
)

# wide columns first: PostgreSQL aligns each to its own width
STANDING = _table(
    "standing",
    Column("bytes_from_origin", BIG, nullable=False),
    Column("bytes_from_peers", BIG, nullable=False),
    _of("patch", "releases"),
    _of("endpoint", "fleet"),
    Column("seconds", Integer, nullable=False),
    Column("reported_at", Integer, nullable=False),  # since REPORTED_SINCE
    _of("reason", "texts"),
    Column("state", SMALL, nullable=False),
    Column("install", SMALL, nullable=False),
    Column("progress", SMALL, nullable=False),  # of WHOLE_PROGRESS
    PrimaryKeyConstraint("patch", "endpoint"),  # a page of one patch is one stretch of the key
    Index("standing_by_endpoint", "endpoint"),
    rowid=False,
)

STANDING_NOTES = _table(
    "standing_notes",
    _of("patch", "releases"),
    _of("endpoint", "fleet"),
    Column("bytes_wasted", BIG, nullable=False),
    Column("error", Text, nullable=False),
    Column("install_output", Text, nullable=False),
    PrimaryKeyConstraint("patch", "endpoint"),
    Index("standing_notes_by_endpoint", "endpoint"),
    rowid=False,
)

EVENTS = _table(
    "events",
    Column("at", Integer, nullable=False),  # since REPORTED_SINCE
    Column("endpoint", Integer, nullable=False),  # no foreign keys: what happened outlives the PC and the patch
    Column("patch", Integer, nullable=False),
    Column("state", SMALL, nullable=False),
    Column("install", SMALL, nullable=False),
    PrimaryKeyConstraint("at", "endpoint", "patch"),
    rowid=False,
)

TALLIES = _table(
    "tallies",
    _of("patch", "releases"),
    _of("site", "sites"),
    _of("reason", "texts"),
    Column("state", SMALL, nullable=False),
    Column("install", SMALL, nullable=False),
    Column("endpoints", Integer, nullable=False),
    PrimaryKeyConstraint("patch", "site", "state", "install", "reason"),
    rowid=False,
)
