"""Webhooks and what they are sent, as the database has them. Pure.

Times are seconds since 1970; 0: never.
"""

from typing import Literal, NamedTuple, TypeAlias

from p2pdist.shared.wire.codec import Record

WebhookStop: TypeAlias = Literal["", "paused", "gone"]
"""Why nothing is sent: somebody has paused it, or the receiver has said that it is gone (410)."""
WEBHOOK_STOPS: tuple[WebhookStop, ...] = ("paused", "gone")
DeliveryState: TypeAlias = Literal["unsure", "waiting", "sent", "dead"]
# a row keeps the place in this list: append only
DELIVERY_STATES: tuple[DeliveryState, ...] = ("unsure", "waiting", "sent", "dead")
"""Unsure: whether what the entry says was carried out is not known yet. Dead: it was tried for as long as it is."""
UNSURE, WAITING, SENT, DEAD = range(4)
OF_NO_ENTRY = -1


class WebhookRow(Record, frozen=True):
    """A webhook; columns as in the table `webhooks`."""

    number: int
    name: str
    url: str
    events: tuple[str, ...]
    """The types that it is subscribed to, or their first words; ``*``: all."""
    created_at: float
    created_by: str
    """`Actor.who`."""
    cursor: int
    """The first entry of the audit log that is not looked at yet."""
    secret: bytes = b""
    """Sealed, as the next."""
    former_secret: bytes = b""
    """Signs too, until ``former_until``; empty: there is none."""
    former_until: float = 0.0
    plain_http: bool = False
    """Whether it may lead somewhere without TLS."""
    stopped: WebhookStop = ""
    succeeded_at: float = 0.0
    failing_since: float = 0.0


class NewDelivery(NamedTuple):
    """An event that a webhook is to be sent."""

    event_id: str
    entry: int
    """Of the audit log; `OF_NO_ENTRY`: of none."""
    type: str
    at: float
    body: bytes
    is_sure: bool
    """Whether what it tells is known to be carried out."""


class DeliveryRow(NamedTuple):
    """What a webhook was sent or is to be sent; columns as in the table `webhook_deliveries`."""

    number: int
    webhook: int
    event_id: str
    entry: int
    type: str
    at: float
    """When it happened."""
    body: bytes
    state: DeliveryState
    attempts: int
    first_at: float
    """Of the first attempt since it waits."""
    due_at: float
    ended_at: float
    status: int
    """HTTP's, of the last answer; 0: there was none."""
    outcome: str
    """Of the last attempt, in words; empty: there was none."""


class Attempt(NamedTuple):
    """What an attempt to send came to."""

    delivery: int
    webhook: int
    state: int
    """`WAITING`, `SENT` or `DEAD`, as it is now."""
    attempts: int
    first_at: float
    due_at: float
    at: float
    """When it ended."""
    status: int
    outcome: str


class DeliveryCounts(NamedTuple):
    """How many deliveries a webhook has, by their state."""

    unsure: int = 0
    waiting: int = 0
    sent: int = 0
    dead: int = 0
