"""The tables of the audit log: its entries, the tree of hashes above them, and its newest signed state. Pure.

An entry is one value: the bytes that are hashed. Columns beside it could say something else than it does.
"""

from sqlalchemy import Column, ForeignKey, Integer, PrimaryKeyConstraint

from seed_server.store.columns import BIG, code, large_count, octets, seconds, table, words

AUDIT_ENTRIES = table(
    "audit_entries",
    # from 0 on, without gaps: a leaf's place in the tree
    Column("number", BIG, primary_key=True, autoincrement=False),
    octets("entry"),
    rowid=True,
)

# complete subtrees of two leaves and more: an append adds one on average, a proof reads one a level
AUDIT_NODES = table(
    "audit_nodes",
    large_count("place"),  # among those of its level, from 0 on
    code("level"),  # of 2 ** level leaves
    octets("hash"),
    PrimaryKeyConstraint("level", "place"),
)

AUDIT_CHECKPOINTS = table(
    "audit_checkpoints",
    Column("size", BIG, primary_key=True, autoincrement=False),
    octets("note"),
    rowid=True,
)

# what an entry says is done after its transaction: to files that are signed
AUDIT_PENDING = table(
    "audit_pending",
    Column("number", BIG, primary_key=True, autoincrement=False),
    rowid=True,
)

# what PCs say that have seen another log before; of PCs whose alarm is over, nothing
WITNESS_ALARMS = table(
    "witness_alarms",
    large_count("known"),
    large_count("told"),
    seconds("at"),
    Column("endpoint", Integer, ForeignKey("endpoints.number", ondelete="CASCADE"), nullable=False),
    words("fault"),
    PrimaryKeyConstraint("endpoint"),
)
