"""The tables of what lines did lately: ten minutes each for some days, then hours. Pure.

Durations are milliseconds. A site has no row for ten minutes in which nothing was sent there; that a server watched
then, `line_watches` says.
"""

from sqlalchemy import PrimaryKeyConstraint

from seed_server.store.columns import code, count, large_count, of, table

LINE_MINUTES = table(
    "line_minutes",
    large_count("sent"),  # bytes of payload
    large_count("allowed"),  # bytes on the line: the limit × how long it held
    large_count("business"),  # bytes of others
    large_count("queue_us", nullable=True),  # NULL: not measured
    of("site", "sites"),
    count("slot"),  # ten minutes since 1970; of an hour, its first ones
    count("active_ms"),
    count("cause_ms"),
    count("business_ms"),  # 0: nobody saw what others had
    count("harm_ms"),
    code("slots"),  # 1, or 6: an hour
    code("cause"),  # as `minute_rows.code_of`
    PrimaryKeyConstraint("site", "slot"),
)

LINE_WATCHES = table(
    "line_watches",
    count("slot"),
    count("watched_ms"),
    code("slots"),
    PrimaryKeyConstraint("slot"),
)
