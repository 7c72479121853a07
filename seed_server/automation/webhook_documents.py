"""What programs are told of webhooks and deliveries, and how it is made of what the queries found."""

from typing import Literal

from msgspec import Struct

from p2pdist.shared.json_units import Count, UnixSeconds
from seed_server.automation.webhook_operations import WebhookMade
from seed_server.automation.webhook_queries import DeliveryView, WebhookView
from seed_server.store.webhook_records import OF_NO_ENTRY

WebhookState = Literal["active", "paused", "gone"]


class WebhookDocument(Struct, frozen=True):
    """A webhook, without its secret."""

    name: str
    """Its name. Since 0.3."""
    url: str
    """Where it leads; keep it to yourself, as it may hold a secret. Since 0.3."""
    events: tuple[str, ...]
    """Types of events that it is sent, or their first words; `*`: all. Since 0.3."""
    state: WebhookState
    """What it does; gone: its receiver has said 410, so it is sent nothing more. Since 0.3."""
    plain_http: bool
    """Whether it may lead somewhere without TLS. Since 0.3."""
    made_at: UnixSeconds
    """When it was set up. Since 0.3."""
    made_by: str
    """Who set it up. Since 0.3."""
    former_secret_until: UnixSeconds | None
    """Until when its former secret signs too; null: it does not. Since 0.3."""
    succeeded_at: UnixSeconds | None
    """When its receiver last took something; null: never. Since 0.3."""
    failing_since: UnixSeconds | None
    """Since when every attempt has failed; null: the last one did not. Since 0.3."""
    waiting: Count
    """Deliveries that wait to be sent, for the first time or again. Since 0.3."""
    unsure: Count
    """Deliveries of which it is not known yet that what they tell is carried out. Since 0.3."""
    sent: Count
    """Deliveries that its receiver took, of those that are kept. Since 0.3."""
    dead: Count
    """Deliveries that were given up, of those that are kept. Since 0.3."""
    behind: Count
    """Entries of the audit log that are not looked at for it yet. Since 0.3."""


class WebhookMadeDocument(Struct, frozen=True):
    """A webhook with a new secret."""

    name: str
    """Its name. Since 0.3."""
    url: str
    """Where it leads. Since 0.3."""
    events: tuple[str, ...]
    """Types of events that it is sent, or their first words; `*`: all. Since 0.3."""
    secret: str
    """Its secret, in the form of Standard Webhooks; it is shown this once. Since 0.3."""
    former_secret_until: UnixSeconds | None
    """Until when its former secret signs too; null: it does not, or there is none. Since 0.3."""


class WebhookNameDocument(Struct, frozen=True):
    """The webhook that was removed."""

    name: str
    """Its name. Since 0.3."""


class WebhookDeliveryDocument(Struct, frozen=True):
    """An event that a webhook was sent, or is to be sent."""

    number: Count
    """What `webhook redeliver` calls it. Since 0.3."""
    webhook: str
    """The webhook's name. Since 0.3."""
    id: str
    """`webhook-id`: the same whenever it is sent. Since 0.3."""
    type: str
    """The type of the event. Since 0.3."""
    entry: Count | None
    """The entry of the audit log that it tells of; null: it only tries the webhook. Since 0.3."""
    happened_at: UnixSeconds
    """When it happened. Since 0.3."""
    state: Literal["unsure", "waiting", "sent", "dead"]
    """unsure: whether what it tells is carried out is not known yet; dead: it was given up. Since 0.3."""
    attempts: Count
    """How often it was sent. Since 0.3."""
    outcome: str | None
    """What the last attempt came to, in a word of docs/webhooks.md; null: there was none. Since 0.3."""
    status: Count | None
    """HTTP's status of the last answer; null: there was none. Since 0.3."""
    next_at: UnixSeconds | None
    """When it is sent again; null: it is not, or at once. Since 0.3."""
    ended_at: UnixSeconds | None
    """When it was taken or given up; null: neither. Since 0.3."""


class WebhookDeliveriesDocument(Struct, frozen=True):
    """Some of what webhooks were sent, or are to be sent."""

    deliveries: tuple[WebhookDeliveryDocument, ...]
    """The newest first. Since 0.3."""
    next: Count | None
    """For `--before`: where the next page begins; null: these are the last. Since 0.3."""


class RedeliveredDocument(Struct, frozen=True):
    """What is sent once more."""

    webhook: str
    """The webhook's name. Since 0.3."""
    deliveries: Count
    """How many deliveries wait to be sent once more. Since 0.3."""


def webhook_document(one: WebhookView) -> WebhookDocument:
    """Return a webhook for tools."""
    row = one.webhook
    return WebhookDocument(
        name=row.name,
        url=row.url,
        events=row.events,
        state=row.stopped or "active",
        plain_http=row.plain_http,
        made_at=row.created_at,
        made_by=row.created_by,
        former_secret_until=row.former_until or None,
        succeeded_at=row.succeeded_at or None,
        failing_since=row.failing_since or None,
        waiting=one.counts.waiting,
        unsure=one.counts.unsure,
        sent=one.counts.sent,
        dead=one.counts.dead,
        behind=one.behind,
    )


def made_document(made: WebhookMade) -> WebhookMadeDocument:
    """Return a webhook with its secret for tools."""
    row = made.webhook
    return WebhookMadeDocument(
        name=row.name,
        url=row.url,
        events=row.events,
        secret=made.secret,
        former_secret_until=row.former_until or None,
    )


def delivery_document(one: DeliveryView) -> WebhookDeliveryDocument:
    """Return a delivery for tools."""
    row = one.delivery
    return WebhookDeliveryDocument(
        number=row.number,
        webhook=one.webhook,
        id=row.event_id,
        type=row.type,
        entry=None if row.entry == OF_NO_ENTRY else row.entry,
        happened_at=row.at,
        state=row.state,
        attempts=row.attempts,
        outcome=row.outcome or None,
        status=row.status or None,
        next_at=row.due_at if row.state == "waiting" and row.attempts else None,
        ended_at=row.ended_at or None,
    )
