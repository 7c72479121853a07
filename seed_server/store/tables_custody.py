"""The tables of what PCs' installations came to, as PCs have signed it. Pure.

A PC has one log, or several where it does not continue what it has signed before: both are kept, as evidence. No
foreign keys: what happened outlives the PC.
"""

from sqlalchemy import PrimaryKeyConstraint

from seed_server.store.columns import count, large_count, octets, seconds, table, words

CUSTODY_LOGS = table(
    "custody_logs",
    large_count("first"),  # the number of the oldest record here
    large_count("size"),
    seconds("begun_at"),  # when the first head of this log was written
    seconds("at"),  # when the newest was written
    count("endpoint"),
    count("log"),  # from 0 on
    words("fault"),  # why it does not continue the one before; empty: it is the first
    words("statement"),  # of the size here
    octets("before"),  # the frontier of what is before `first`
    octets("frontier"),
    PrimaryKeyConstraint("endpoint", "log"),
)

# one for each outcome on each PC: 7.5 million a month with 25,000 PCs of 300 patches
CUSTODY_RECORDS = table(
    "custody_records",
    large_count("number"),
    count("endpoint"),
    count("log"),
    octets("record"),  # as it is hashed
    PrimaryKeyConstraint("endpoint", "log", "number"),
)

# what a PC may still have written today, and what was not: one for each PC that has ever sent a signed part
CUSTODY_PACES = table(
    "custody_paces",
    large_count("held_back"),  # parts that were not written, in all
    seconds("began_at"),  # of the day that `records` are of
    seconds("log_began_at"),  # of its newest log
    seconds("held_back_at"),  # the last time; 0: never
    seconds("malformed_at"),  # when what it had signed could not be; 0: never
    count("endpoint"),
    count("records"),  # written since then
    PrimaryKeyConstraint("endpoint"),
)
