"""The table of payloads that nobody needs, and since when. Pure."""

from sqlalchemy import PrimaryKeyConstraint

from seed_server.store.columns import seconds, table, words

IDLE_CONTENT = table(
    "idle_content",
    seconds("since"),  # when the server first saw that nobody needs it
    words("sha256"),
    PrimaryKeyConstraint("sha256"),
)
