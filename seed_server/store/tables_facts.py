"""The table of what PCs say of themselves, by which rings choose. Pure.

All of a PC's facts are one value: they are read together, and none is searched for.
"""

from sqlalchemy import PrimaryKeyConstraint

from seed_server.store.columns import octets, of, table

ENDPOINT_FACTS = table(
    "endpoint_facts",
    of("endpoint", "endpoints"),
    octets("facts"),  # `ToldFacts` as msgpack, some 130 bytes
    PrimaryKeyConstraint("endpoint"),
)
