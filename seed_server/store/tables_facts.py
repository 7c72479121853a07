"""The tables of what PCs say of themselves: facts, by which rings choose, what is wrong, who is beside them. Pure.

All of a PC's facts are one value: they are read together, and none is searched for.
"""

from sqlalchemy import Index, PrimaryKeyConstraint

from seed_server.store.columns import octets, of, seconds, table, words

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

# so that machines of nobody are told from PCs that are enrolled
ENDPOINT_CARDS = table(
    "endpoint_cards",
    of("endpoint", "endpoints"),
    words("card"),  # its hardware address
    PrimaryKeyConstraint("endpoint", "card"),
    Index("endpoint_cards_by_card", "card"),
)

# what each PC has seen beside it that was no card of an enrolled PC then
SEEN_NEIGHBOURS = table(
    "seen_neighbours",
    seconds("first_at"),
    seconds("last_at"),
    of("endpoint", "endpoints"),
    of("site", "sites"),  # where the PC was
    words("card"),
    words("address"),
    PrimaryKeyConstraint("endpoint", "site", "card"),
    Index("seen_neighbours_by_site", "site", "card"),
)
