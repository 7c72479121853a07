"""The tables that reports alone read: when PCs came to be done, and what people do about those that are not. Pure."""

from sqlalchemy import PrimaryKeyConstraint

from seed_server.store.columns import count, of, seconds, table, words

# of PCs that are not denied, by `standing.done_at`
DONE_TALLIES = table(
    "done_tallies",
    of("patch", "patches"),
    count("hour"),  # since REPORTED_SINCE
    count("endpoints"),
    PrimaryKeyConstraint("patch", "hour"),
)

# goes when the PC has the patch, or the patch is not for it
FOLLOW_UPS = table(
    "follow_ups",
    seconds("set_at"),
    of("endpoint", "endpoints"),
    of("patch", "patches"),
    words("state"),
    words("note"),
    words("set_by"),  # `Actor.who`
    PrimaryKeyConstraint("endpoint", "patch"),
)
