"""The tables of webhooks: whom others are told by, and what each was sent or is to be sent. Pure.

A secret is sealed with a key that is not in the database. What is to be sent stands here before it is sent: who is
killed in between goes on from here.
"""

from sqlalchemy import Column, Index, LargeBinary, UniqueConstraint

from seed_server.store.columns import (
    Words,
    code,
    count,
    flag,
    large_count,
    number,
    octets,
    of,
    seconds,
    table,
    words,
)

WEBHOOKS = table(
    "webhooks",
    number(),
    Column("name", Words, nullable=False, unique=True),
    words("url"),
    words("events"),  # with blanks between them
    flag("plain_http"),
    octets("secret"),  # sealed
    octets("former_secret"),  # sealed; empty: there is none
    seconds("former_until"),
    words("stopped"),  # a `WebhookStop`; empty: it is not
    large_count("cursor"),  # the number of the first entry of the audit log that is not looked at yet
    seconds("created_at"),
    words("created_by"),
    seconds("succeeded_at"),  # 0: never
    seconds("failing_since"),  # 0: the last attempt succeeded, or there was none
    rowid=True,
    never_again=True,  # a delivery that is under way is never another webhook's
)

WEBHOOK_DELIVERIES = table(
    "webhook_deliveries",
    number(),
    of("webhook", "webhooks"),
    words("event_id"),
    large_count("entry"),  # of the audit log; -1: of none
    words("type"),
    seconds("at"),
    Column("body", LargeBinary, nullable=False),
    code("state"),  # its place in `DELIVERY_STATES`
    count("attempts"),
    seconds("first_at"),  # of the first attempt since it waits; 0: there was none
    seconds("due_at"),
    seconds("ended_at"),  # 0: it has not
    count("status"),  # of the last answer; 0: there was none
    words("outcome"),  # of the last attempt
    UniqueConstraint("webhook", "event_id"),
    Index("webhook_deliveries_by_state", "webhook", "state", "due_at"),
    rowid=True,
    never_again=True,
)
