"""The tables as revision 0001 makes them: its own copy, which changes of `store.tables` leave alone. Pure."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
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

TABLES = MetaData()

_SMALL = SmallInteger().with_variant(Integer(), "sqlite")
_BIG = BigInteger().with_variant(Integer(), "sqlite")
_FLAG = Boolean().with_variant(Integer(), "sqlite")
_SECONDS: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")


def _table(
    name: str,
    *parts: SchemaItem,
    rowid: bool = False,
    never_again: bool = False,
    storage: dict[str, float] | None = None,
) -> None:
    Table(
        name, TABLES, *parts, sqlite_strict=True, sqlite_with_rowid=rowid, sqlite_autoincrement=never_again,
        postgresql_with=storage or {},
    )  # fmt: skip


def _number() -> SchemaItem:
    return Column("number", Integer, primary_key=True)


def _of(name: str, table: str) -> SchemaItem:
    return Column(name, Integer, ForeignKey(f"{table}.number", ondelete="CASCADE"), nullable=False)


def _columns(
    kind: TypeEngine[int] | TypeEngine[float] | TypeEngine[bool] | type[Text], *names: str
) -> list[SchemaItem]:
    return [Column(name, kind, nullable=False) for name in names]


def _may_be_null(kind: TypeEngine[int] | TypeEngine[float] | TypeEngine[bool], name: str) -> SchemaItem:
    return Column(name, kind, nullable=True)


_table("alembic_version", Column("version_num", Text, primary_key=True))
_table("sites", _number(), Column("name", Text, nullable=False, unique=True), rowid=True)
_table("texts", _number(), Column("text", Text, nullable=False, unique=True), rowid=True, never_again=True)
_table(
    "servers",
    _number(),
    Column("name", Text, nullable=False, unique=True),
    *_columns(Text, "root_pin"),
    rowid=True,
)
_table("counters", Column("name", Text, primary_key=True), *_columns(_BIG, "count"))
_table(
    "tokens",
    Column("secret_sha256", LargeBinary, primary_key=True),
    *_columns(Text, "token_id"),
    *_columns(Integer(), "uses_left"),
    *_columns(_SECONDS, "expires_at", "created_at"),
    *_columns(Text, "tags", "made_by"),
    *_columns(_FLAG, "approval"),
    _may_be_null(_SECONDS, "revoked_at"),
)
_table(
    "endpoints",
    _number(),
    Column("endpoint_id", Text, nullable=False, unique=True),
    *_columns(Text, "hostname"),
    *_columns(_SECONDS, "enrolled_at"),
    *_columns(_FLAG, "denied", "pending"),
    _of("site", "sites"),
    *_columns(Text, "address", "software"),
    Column("connected_to", Integer, ForeignKey("servers.number")),
    *_columns(_SECONDS, "last_seen_at"),
    *_columns(Text, "tags", "claimed_site", "refuses", "shared_with", "recorded_of"),
    *_columns(Integer(), "recorded"),
    Index("endpoints_by_site", "site"),
    rowid=True,
    never_again=True,
)
_table(
    "enrolments",
    _of("endpoint", "endpoints"),
    *_columns(Text, "token_id"),
    *_columns(_SECONDS, "at"),
    PrimaryKeyConstraint("endpoint", "token_id"),
)
_table(
    "patches",
    _number(),
    *_columns(Text, "patch_id", "version", "title", "severity"),
    _may_be_null(_SECONDS, "cvss"),
    *_columns(_BIG, "sequence"),
    *_columns(_SECONDS, "published_at"),
    *_columns(_FLAG, "emergency"),
    UniqueConstraint("patch_id", "version"),
    rowid=True,
    never_again=True,
)
_table(
    "payloads",
    _of("patch", "patches"),
    *_columns(Integer(), "place"),
    *_columns(Text, "torrent_hash", "file_name", "sha256"),
    *_columns(_BIG, "length_bytes"),
    *_columns(Integer(), "piece_length_bytes", "piece_count"),
    *_columns(Text, "platform", "arch", "language", "damaged"),
    PrimaryKeyConstraint("patch", "place"),
    Index("payloads_by_torrent", "torrent_hash"),
)
_table(
    "standing",
    *_columns(_BIG, "bytes_from_origin", "bytes_from_peers"),
    _of("patch", "patches"),
    _of("endpoint", "endpoints"),
    *_columns(Integer(), "seconds", "reported_at", "reason"),
    *_columns(_SMALL, "said", "progress"),
    PrimaryKeyConstraint("patch", "endpoint"),
    Index("standing_by_endpoint", "endpoint"),
    storage={"autovacuum_vacuum_scale_factor": 0.02},
)
_table(
    "standing_notes",
    _of("patch", "patches"),
    _of("endpoint", "endpoints"),
    *_columns(_BIG, "bytes_wasted"),
    *_columns(Text, "error", "install_output"),
    PrimaryKeyConstraint("patch", "endpoint"),
    Index("standing_notes_by_endpoint", "endpoint"),
)
_table(
    "events",
    *_columns(Integer(), "at", "endpoint", "patch"),
    *_columns(_SMALL, "said"),
    PrimaryKeyConstraint("at", "endpoint", "patch"),
)
_table(
    "tallies",
    _of("patch", "patches"),
    _of("site", "sites"),
    *_columns(Integer(), "reason"),
    *_columns(_SMALL, "said"),
    *_columns(Integer(), "endpoints"),
    PrimaryKeyConstraint("patch", "site", "said", "reason"),
)
_table(
    "diagnoses",
    _of("endpoint", "endpoints"),
    *_columns(Text, "template", "label"),
    *_columns(_FLAG, "applies"),
    _may_be_null(_FLAG, "needed"),
    *_columns(Text, "reason"),
    *_columns(_SECONDS, "at"),
    PrimaryKeyConstraint("endpoint", "template", "label"),
    Index("diagnoses_by_template", "template"),
)
_table(
    "site_limits",
    _of("server", "servers"),
    _of("site", "sites"),
    *_columns(_SECONDS, "at"),
    *_columns(_FLAG, "active"),
    *_columns(Integer(), "endpoints", "fetchers"),
    *_columns(_BIG, "rate"),
    _may_be_null(_BIG, "capacity"),
    *_columns(_FLAG, "configured"),
    *_columns(Text, "state", "reason", "seconds"),
    *_columns(_SECONDS, "yield_seconds", "sending_seconds"),
    _may_be_null(_SECONDS, "learned_at"),
    _may_be_null(_SECONDS, "round_trip_seconds"),
    _may_be_null(_SECONDS, "loss_share"),
    *_columns(_FLAG, "large_packets_lost"),
    PrimaryKeyConstraint("server", "site"),
)
_table(
    "wan_bytes",
    _of("site", "sites"),
    *_columns(Text, "torrent_hash"),
    *_columns(_BIG, "bytes"),
    PrimaryKeyConstraint("site", "torrent_hash"),
)
