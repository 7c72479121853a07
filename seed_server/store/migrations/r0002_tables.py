"""The tables that revision 0002 makes: its own copy, which changes of `store.tables` leave alone. Pure."""

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
)
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

TABLES = MetaData()

_SMALL = SmallInteger().with_variant(Integer(), "sqlite")
_BIG = BigInteger().with_variant(Integer(), "sqlite")
_SECONDS: TypeEngine[float] = Double().with_variant(REAL(), "sqlite")
_FLAG = Boolean().with_variant(Integer(), "sqlite")


def _table(name: str, *parts: SchemaItem, rowid: bool = False, never_again: bool = False) -> None:
    Table(
        name, TABLES, *parts, sqlite_strict=True, sqlite_with_rowid=rowid, sqlite_autoincrement=never_again,
    )  # fmt: skip


def _columns(
    kind: TypeEngine[int] | TypeEngine[float] | TypeEngine[bool] | type[LargeBinary] | type[Text], *names: str
) -> list[SchemaItem]:
    return [Column(name, kind, nullable=False) for name in names]


def _numbered(name: str) -> SchemaItem:
    return Column(name, _BIG, primary_key=True, autoincrement=False)


def _of(name: str, table: str) -> SchemaItem:
    return Column(name, Integer, ForeignKey(f"{table}.number", ondelete="CASCADE"), nullable=False)


# of 0001, for foreign keys to them: what is there is not made again
for _older in ("servers", "sites", "endpoints", "patches"):
    Table(_older, TABLES, Column("number", Integer, primary_key=True))

# --- the audit log
_table("audit_entries", _numbered("number"), *_columns(LargeBinary, "entry"), rowid=True)
_table(
    "audit_nodes",
    *_columns(_BIG, "place"),
    *_columns(_SMALL, "level"),
    *_columns(LargeBinary, "hash"),
    PrimaryKeyConstraint("level", "place"),
)
_table("audit_checkpoints", _numbered("size"), *_columns(LargeBinary, "note"), rowid=True)

_table(
    "witness_alarms",
    *_columns(_BIG, "known", "told"),
    *_columns(_SECONDS, "at"),
    _of("endpoint", "endpoints"),
    *_columns(Text, "fault"),
    PrimaryKeyConstraint("endpoint"),
)

# --- pauses of leasing
_table(
    "harm_pauses",
    _of("server", "servers"),
    _of("site", "sites"),
    Column("reason", Text, nullable=False),
    *_columns(_SECONDS, "begun_at", "ends_at"),
    *_columns(Integer(), "in_a_row", "pauses"),
    PrimaryKeyConstraint("server", "site"),
)
_table("audit_pending", _numbered("number"), rowid=True)

# --- what PCs say of themselves
_table(
    "endpoint_facts",
    _of("endpoint", "endpoints"),
    *_columns(LargeBinary, "facts"),
    PrimaryKeyConstraint("endpoint"),
)
_table(
    "endpoint_findings",
    _of("endpoint", "endpoints"),
    *_columns(Text, "code"),
    PrimaryKeyConstraint("endpoint", "code"),
)

# --- people
_table(
    "people",
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    *_columns(Text, "roles", "sites", "tags", "password"),
    *_columns(LargeBinary, "totp"),
    *_columns(Text, "subject"),
    *_columns(_BIG, "totp_step"),
    *_columns(_FLAG, "disabled"),
    *_columns(_SECONDS, "created_at"),
    *_columns(Text, "created_by"),
    *_columns(_SECONDS, "logged_in_at"),
    rowid=True,
    never_again=True,
)
_table(
    "api_tokens",
    Column("secret_sha256", LargeBinary, primary_key=True),
    *_columns(Text, "token_id"),
    _of("person", "people"),
    *_columns(Text, "label", "permissions", "sites", "tags"),
    *_columns(_SECONDS, "created_at"),
    *_columns(Text, "made_by"),
    *_columns(_SECONDS, "expires_at"),
    Column("revoked_at", _SECONDS),
    *_columns(_SECONDS, "used_at"),
    Index("api_tokens_by_person", "person"),
)
_table(
    "logins",
    *_columns(Text, "name", "source"),
    *_columns(_BIG, "failures"),
    *_columns(_SECONDS, "failed_at", "succeeded_at"),
    PrimaryKeyConstraint("name", "source"),
)

# --- rollouts by rings
_table(
    "rollouts",
    Column("number", Integer, primary_key=True),
    *_columns(Integer(), "patch", "required"),
    *_columns(Text, "patch_id", "version", "template", "author", "note", "state"),
    *_columns(_BIG, "sequence"),
    *_columns(_SECONDS, "created_at", "changed_at"),
    *_columns(LargeBinary, "plan", "progress", "acknowledged"),
    Index("rollouts_by_state", "state"),
    rowid=True,
    never_again=True,
)
_table(
    "rollout_approvals",
    _of("rollout", "rollouts"),
    *_columns(Text, "person", "who", "approver"),
    *_columns(Integer(), "rings"),
    *_columns(_SECONDS, "at"),
    *_columns(LargeBinary, "signature"),
    PrimaryKeyConstraint("rollout", "person"),
)
_table(
    "rollout_faults",
    *_columns(Integer(), "rollout"),
    *_columns(_SECONDS, "since"),
    *_columns(Text, "words"),
    PrimaryKeyConstraint("rollout"),
)
_table(
    "exceptions",
    Column("number", Integer, primary_key=True),
    *_columns(Text, "patch", "expression", "reason", "owner", "made_by", "ended_by"),
    *_columns(_SECONDS, "begins_at", "ends_at"),
    Column("ended_at", _SECONDS, nullable=True),
    Index("exceptions_by_end", "ends_at"),
    rowid=True,
    never_again=True,
)

# --- what PCs have signed of their installations
_table(
    "custody_logs",
    *_columns(_BIG, "first", "size"),
    *_columns(_SECONDS, "begun_at", "at"),
    *_columns(Integer(), "endpoint", "log"),
    *_columns(Text, "fault", "statement"),
    *_columns(LargeBinary, "before", "frontier"),
    PrimaryKeyConstraint("endpoint", "log"),
)
_table(
    "custody_records",
    *_columns(_BIG, "number"),
    *_columns(Integer(), "endpoint", "log"),
    *_columns(LargeBinary, "record"),
    PrimaryKeyConstraint("endpoint", "log", "number"),
)
_table(
    "custody_paces",
    *_columns(_BIG, "held_back"),
    *_columns(_SECONDS, "began_at", "log_began_at", "held_back_at", "malformed_at"),
    *_columns(Integer(), "endpoint", "records"),
    PrimaryKeyConstraint("endpoint"),
)
