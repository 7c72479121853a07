"""The tables of what PCs say of themselves: facts by which rings choose, and what is wrong with them. Pure.

All of a PC's facts are one value: they are read together, and none is searched for.
"""

from sqlalchemy import PrimaryKeyConstraint

from seed_server.store.columns import octets, of, table, words

ENDPOINT_FACTS = table(
    "endpoint_facts",
    of("endpoint", "endpoints"),
    octets("facts"),  # `ToldFacts` as msgpack, some 130 bytes
    PrimaryKeyConstraint("endpoint"),
)

ENDPOINT_FINDINGS = table(
    "endpoint_findings",
    of("endpoint", "endpoints"),
    words("code"),
    PrimaryKeyConstraint("endpoint", "code"),
)
