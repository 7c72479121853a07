"""The tables of rollouts by rings: their plans, how they stand, who approves them, and exceptions. Pure.

A plan is kept as it is signed, and its progress as one value: they are read together or not at all.
"""

from sqlalchemy import Index, PrimaryKeyConstraint

from seed_server.store.columns import count, large_count, number, octets, of, seconds, table, words

ROLLOUTS = table(
    "rollouts",
    number(),
    count("patch"),  # no foreign key: what was done outlives the patch
    count("required"),  # approvals
    words("patch_id"),
    words("version"),
    words("template"),
    words("author"),  # `Actor.who`
    words("note"),  # why it was started, where somebody had to say
    words("state"),
    large_count("sequence"),
    seconds("created_at"),
    seconds("changed_at"),
    octets("plan"),
    octets("progress"),
    octets("acknowledged"),  # numbers of PCs whose failures do not count, four bytes each
    Index("rollouts_by_state", "state"),
    rowid=True,
    never_again=True,
)

ROLLOUT_APPROVALS = table(
    "rollout_approvals",
    of("rollout", "rollouts"),
    words("person"),  # `Actor.person`: the same name is the same person
    words("who"),
    words("approver"),  # as the list of approvers has it; empty: without a signature
    count("rings"),
    seconds("at"),
    octets("signature"),
    PrimaryKeyConstraint("rollout", "person"),
)

ROLLOUT_FAULTS = table(
    "rollout_faults",
    count("rollout"),  # 0: none of them goes on
    seconds("since"),
    words("words"),
    PrimaryKeyConstraint("rollout"),
)

EXCEPTIONS = table(
    "exceptions",
    number(),
    words("patch"),
    words("expression"),
    words("reason"),
    words("owner"),
    words("made_by"),
    words("ended_by"),  # empty: nobody, it ends or has ended by itself
    seconds("begins_at"),
    seconds("ends_at"),
    seconds("ended_at", nullable=True),
    Index("exceptions_by_end", "ends_at"),
    rowid=True,
    never_again=True,
)
