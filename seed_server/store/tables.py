"""The tables of the server's state, the same on SQLite and PostgreSQL.

Rows that exist once for each PC and patch are narrow: integers that stand for texts
(`endpoints.number`, `patches.number`, `texts.number`), codes from the closed lists
below, no NULL (PostgreSQL would keep a bitmap in each row). What few of them have
(an error, an installer's output, wasted bytes, those it has built) is in `standing_notes`. Pure.

A change of a table that was released is a new revision in `migrations`.
"""

from sqlalchemy import (
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
    text,
)

from seed_server.store import (
    tables_api,
    tables_audit,
    tables_content,
    tables_custody,
    tables_events,
    tables_facts,
    tables_intelligence,
    tables_inventory,
    tables_lines,
    tables_people,
    tables_plans,
    tables_reporting,
    tables_rollouts,
    tables_servers,
    tables_sessions,
    tables_webhooks,
)
from seed_server.store.columns import (
    METADATA,
    SECONDS,
    Words,
    code,
    count,
    flag,
    large_count,
    number,
    of,
    seconds,
    some_rows,
    table,
    words,
)

# a row keeps the place in these lists: append only
PATCH_CODES = ("waiting", "checking", "fetching", "verifying", "verified", "failed")
INSTALL_CODES = (
    "", "not_applicable", "waiting", "installing", "unproven", "restart_pending", "installed", "retrying",
    "rolled_back", "failed",
)  # fmt: skip
SAID_PLACES = 16  # more than there are states of an installation: both states are one number, `said`
WHOLE_PROGRESS = 1000
REPORTED_SINCE = 1_735_689_600  # 2025-01-01 UTC: seconds since then fit 32 bits until 2093

REVISION = "0017"  # the newest one in `migrations`
SQLITE_MARK = 10  # PRAGMA user_version: to releases before `migrations`, a schema newer than theirs
THIS_SERVER = 1  # there is one server; the tables have room for others

PARTS = (
    tables_api,
    tables_audit,
    tables_content,
    tables_custody,
    tables_events,
    tables_facts,
    tables_intelligence,
    tables_inventory,
    tables_people,
    tables_reporting,
    tables_lines,
    tables_plans,
    tables_rollouts,
    tables_servers,
    tables_sessions,
    tables_webhooks,
)  # further tables of METADATA, a topic in each
__all__ = ["METADATA"]


def said_code(state: str, install: str) -> int:
    """Return the number of what a PC says of a patch: the state of its file, and of its installation."""
    return PATCH_CODES.index(state) * SAID_PLACES + INSTALL_CODES.index(install)


def states_of(code: int) -> tuple[str, str]:
    """Return the state of a file and of its installation that have this `said_code`."""
    return PATCH_CODES[code // SAID_PLACES], INSTALL_CODES[code % SAID_PLACES]


LACKING = text("done_at = 0")
"""Of rows of `standing`: their PC lacks the patch. A query says it in these words, so that its index is used."""

ALEMBIC_VERSION = table("alembic_version", Column("version_num", Text, primary_key=True))

SITES = table("sites", number(), Column("name", Words, nullable=False, unique=True), rowid=True)

# no foreign key names them: `tallies` has each text that is in use
TEXTS = table("texts", number(), Column("text", Words, nullable=False, unique=True), rowid=True, never_again=True)

SERVERS = table(
    "servers",
    number(),
    Column("name", Words, nullable=False, unique=True),
    words("root_pin", default=""),  # the home whose database this is: hex SHA-256 of its first TUF root
    rowid=True,
)

COUNTERS = table("counters", Column("name", Words, primary_key=True), large_count("count"))

TOKENS = table(
    "tokens",
    Column("secret_sha256", LargeBinary, primary_key=True),
    words("token_id"),
    count("uses_left"),
    seconds("expires_at"),
    seconds("created_at"),
    words("tags"),
    words("made_by"),
    flag("approval"),
    seconds("revoked_at", nullable=True),
)

ENDPOINTS = table(
    "endpoints",
    number(),
    Column("endpoint_id", Words, nullable=False, unique=True),
    words("hostname"),
    seconds("enrolled_at"),
    flag("denied"),
    flag("pending"),
    of("site", "sites"),
    words("address", default=""),
    words("software", default=""),
    Column("connected_to", Integer, ForeignKey("servers.number")),
    Column("last_seen_at", SECONDS, nullable=False, default=0.0),
    words("tags", default=""),
    words("claimed_site", default=""),
    words("refuses", default=""),
    words("shared_with", default=""),
    words("recorded_of", default=""),
    Column("recorded", Integer, nullable=False, default=0),
    Index("endpoints_by_site", "site"),
    rowid=True,
    never_again=True,  # what happened outlives them
)

ENROLMENTS = table(
    "enrolments",
    of("endpoint", "endpoints"),
    words("token_id"),
    seconds("at"),
    PrimaryKeyConstraint("endpoint", "token_id"),
)

PATCHES = table(
    "patches",
    number(),
    Column("patch_id", Words, nullable=False),
    Column("version", Words, nullable=False),
    words("title"),
    words("severity"),
    seconds("cvss", nullable=True),
    large_count("sequence"),
    seconds("published_at"),
    flag("emergency"),
    UniqueConstraint("patch_id", "version"),
    rowid=True,
    never_again=True,
)

PAYLOADS = table(
    "payloads",
    of("patch", "patches"),
    count("place"),
    words("torrent_hash"),
    words("file_name"),
    words("sha256"),
    large_count("length_bytes"),
    count("piece_length_bytes"),
    count("piece_count"),
    words("platform"),
    words("arch"),
    words("language"),
    words("damaged"),
    PrimaryKeyConstraint("patch", "place"),
    Index("payloads_by_torrent", "torrent_hash"),
)

# wide columns first: PostgreSQL aligns each to its own width, and the row, which has 44 bytes, to eight
STANDING = table(
    "standing",
    large_count("bytes_from_origin"),
    large_count("bytes_from_peers"),
    of("patch", "patches"),
    of("endpoint", "endpoints"),
    count("seconds"),
    count("reported_at"),  # since REPORTED_SINCE
    count("reason"),  # of `texts`
    code("said"),  # `said_code`
    code("progress"),  # of WHOLE_PROGRESS
    count("done_at"),  # since REPORTED_SINCE, by `done_times`; 0: it lacks the patch; -1: that is not for it
    PrimaryKeyConstraint("patch", "endpoint"),  # a page of one patch is one stretch of the key
    Index("standing_by_endpoint", "endpoint"),
    # whoever lacks a patch are few, and asked for more often than all others
    some_rows("standing_lacking", "patch", "endpoint", where=LACKING),
    # PostgreSQL's own 0.2 lets millions of dead rows and their keys grow into the file, which never shrinks
    storage={"autovacuum_vacuum_scale_factor": 0.02},
)

STANDING_NOTES = table(
    "standing_notes",
    of("patch", "patches"),
    of("endpoint", "endpoints"),
    large_count("bytes_wasted"),
    words("error"),
    words("install_output"),
    large_count("bytes_built"),
    PrimaryKeyConstraint("patch", "endpoint"),
    Index("standing_notes_by_endpoint", "endpoint"),
)

# of PCs that are not denied
TALLIES = table(
    "tallies",
    of("patch", "patches"),
    of("site", "sites"),
    count("reason"),  # of `texts`
    code("said"),
    count("endpoints"),
    PrimaryKeyConstraint("patch", "site", "said", "reason"),
)

DIAGNOSES = table(
    "diagnoses",
    of("endpoint", "endpoints"),
    words("template"),
    words("label"),
    flag("applies"),
    flag("needed", nullable=True),
    words("reason"),
    seconds("at"),
    PrimaryKeyConstraint("endpoint", "template", "label"),
    Index("diagnoses_by_template", "template"),
)

SITE_LIMITS = table(
    "site_limits",
    of("server", "servers"),
    of("site", "sites"),
    seconds("at"),
    flag("active"),
    count("endpoints"),
    count("fetchers"),
    large_count("rate"),
    large_count("capacity", nullable=True),
    flag("configured"),
    words("state"),
    words("reason"),
    words("seconds"),
    seconds("yield_seconds"),
    seconds("sending_seconds"),
    seconds("learned_at", nullable=True),
    seconds("round_trip_seconds", nullable=True),
    seconds("loss_share", nullable=True),
    flag("large_packets_lost"),
    PrimaryKeyConstraint("server", "site"),
)

HARM_PAUSES = table(
    "harm_pauses",  # the newest of each site where business ever suffered while we sent
    of("server", "servers"),
    of("site", "sites"),
    words("reason"),
    seconds("begun_at"),
    seconds("ends_at"),
    count("in_a_row"),
    count("pauses"),
    PrimaryKeyConstraint("server", "site"),
)

WAN_BYTES = table(
    "wan_bytes",
    of("site", "sites"),
    words("torrent_hash"),
    large_count("bytes"),
    PrimaryKeyConstraint("site", "torrent_hash"),
)
