"""The table of which list of the server's addresses PCs have. Pure.

A row for each PC that has said so: none in a fleet whose server has never moved.
"""

from sqlalchemy import PrimaryKeyConstraint

from seed_server.store.columns import large_count, of, table

KNOWN_SERVERS = table(
    "known_servers",
    large_count("list"),  # `ServerList.number`
    of("endpoint", "endpoints"),
    PrimaryKeyConstraint("endpoint"),
)
