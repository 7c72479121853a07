"""The table of answers that the API has given to requests with an ``Idempotency-Key``. Pure."""

from sqlalchemy import Index, PrimaryKeyConstraint

from seed_server.store.columns import count, octets, seconds, table, words

IDEMPOTENCY = table(
    "idempotency",
    seconds("begun_at"),
    count("status"),  # of the answer; 0: it is being worked on; 1: that was cut off
    words("token_id"),
    words("key"),
    octets("request"),  # SHA-256 of what was asked for
    octets("answer"),  # its body; empty: it had a secret, or is too long
    PrimaryKeyConstraint("token_id", "key"),
    Index("idempotency_by_time", "begun_at"),
)
