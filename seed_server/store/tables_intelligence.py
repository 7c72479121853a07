"""The tables of what the world knows of weaknesses, and of patches that it has made more urgent. Pure."""

from sqlalchemy import PrimaryKeyConstraint

from seed_server.store.columns import count, flag, large_count, octets, of, seconds, table, words

# one row for each kind of file
INTELLIGENCE = table(
    "intelligence",
    seconds("dated_at"),  # what its file says of when it was made
    seconds("imported_at"),
    count("rows"),
    words("kind"),  # kev or epss
    words("version"),
    words("sha256"),  # of the file
    words("imported_by"),
    PrimaryKeyConstraint("kind"),
)

EXPLOITED_CVES = table(
    "exploited_cves",
    seconds("added_at"),
    seconds("due_at", nullable=True),
    flag("ransomware"),
    words("cve"),
    words("name"),
    words("action"),
    PrimaryKeyConstraint("cve"),
)

EXPLOIT_SCORES = table(
    "exploit_scores",
    large_count("first"),  # `cve_number` of the first CVE of the block
    octets("scores"),  # `score_blocks`
    PrimaryKeyConstraint("first"),
)

PRIORITY_MOVES = table(
    "priority_moves",
    seconds("at"),
    of("patch", "patches"),
    words("before"),
    words("after"),
    PrimaryKeyConstraint("patch"),
)
