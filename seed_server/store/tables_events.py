"""What PCs did with patches, a table for each month; which months there are, and names that outlive their PCs. Pure.

The table of a month is made when something happens in it, and dropped as a whole: rows that go one by one would keep
others waiting, and SQLite's file grows with what it has to note of them.
"""

from functools import cache

from sqlalchemy import Column, Index, Integer, MetaData, PrimaryKeyConstraint, Table

from seed_server.store.columns import Words, code, count, large_count, number, of, seconds, table, words

# states of a month's part: append only
OPEN = 0  # steps are written into its table
CLOSED = 1  # nothing is written into it any more: it can be copied in many small looks
ARCHIVED = 2  # the audit log vouches for its file; the table may be there still, and counts no more
DROPPED = 3  # the table is gone
REMOVED = 4  # and so is the file, after its time

EVENT_MONTHS = table(
    "event_months",
    large_count("events"),
    large_count("bytes"),  # of the file
    large_count("entry"),  # of the audit log, that vouches for the file; -1: there is none
    seconds("archived_at"),
    count("month"),  # as 202611
    count("part"),  # from 0 on: a clock that was set back writes into a month that is archived already
    code("state"),
    words("sha256"),
    PrimaryKeyConstraint("month", "part"),
)

# why something failed, in the words of PCs; `texts` has only what is said now
EVENT_TEXTS = table(
    "event_texts",
    number(),
    Column("text", Words, nullable=False, unique=True),
    count("last_month"),  # in which a PC has said so
    rowid=True,
    never_again=True,
)

FORGOTTEN_ENDPOINTS = table(
    "forgotten_endpoints",
    seconds("forgotten_at"),
    Column("number", Integer, primary_key=True, autoincrement=False),  # as it was in `endpoints`
    words("endpoint_id"),
    words("hostname"),
)

# of PCs that say more than is kept of one (`step_pace`)
STEPS_LEFT_OUT = table(
    "steps_left_out",
    large_count("steps"),  # since it is enrolled
    seconds("last_at"),
    of("endpoint", "endpoints"),
    PrimaryKeyConstraint("endpoint"),
)

LEGAL_HOLDS = table(
    "legal_holds",
    number(),
    seconds("begun_at"),
    seconds("released_at", nullable=True),
    words("reason"),
    words("begun_by"),
    words("released_by"),
    rowid=True,
    never_again=True,
)


def name_of_table(month: int, part: int) -> str:
    """Return what the table of a month's part is called."""
    return f"events_{month:06}_{part}"


@cache
def events_of(month: int, part: int) -> Table:
    """Return the table of a month's part, whether it is there or not."""
    name = name_of_table(month, part)
    return Table(
        name,
        MetaData(),  # of its own: what a new database gets has no months
        count("at"),  # since REPORTED_SINCE
        count("endpoint"),  # no foreign keys: what happened outlives the PC and the patch
        count("patch"),
        count("site"),  # where the PC was then; 0: not known
        count("text"),  # of `event_texts`; 0: none
        code("said"),
        PrimaryKeyConstraint("at", "endpoint", "patch", name=f"{name}_key"),
        Index(f"{name}_by_endpoint", "endpoint"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
