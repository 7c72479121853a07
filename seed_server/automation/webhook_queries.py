"""Which webhooks there are, and what each was sent or is to be sent. Nothing here writes. Blocking."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seed_server.automation.webhook_operations import known_webhook
from seed_server.fleet.context import Context
from seed_server.store.webhook_records import DELIVERY_STATES, DeliveryCounts, DeliveryRow, WebhookRow

if TYPE_CHECKING:
    from seed_server.store.database import Database

MOST_DELIVERIES = 1_000  # of one answer


@dataclass(frozen=True)
class WebhookView:
    """A webhook, and how it does."""

    webhook: WebhookRow
    counts: DeliveryCounts
    behind: int
    """Entries of the audit log that are not looked at for it yet."""


@dataclass(frozen=True)
class DeliveryView:
    """A delivery, and of which webhook it is."""

    delivery: DeliveryRow
    webhook: str


def read_webhooks(context: Context) -> list[WebhookView]:
    """Return the webhooks, by name. Raises `UserError`: NOT_SET_UP, STORAGE, BUSY."""
    context.settings()
    with context.database() as database, database.one_state():
        return [_view(database, row) for row in database.webhooks()]


def read_webhook(context: Context, name: str) -> WebhookView:
    """Return one webhook. Raises as `read_webhooks`, and BAD_INPUT for none."""
    context.settings()
    with context.database() as database, database.one_state():
        return _view(database, known_webhook(database, name))


def read_deliveries(
    context: Context,
    name: str | None = None,
    *,
    states: Collection[str] = DELIVERY_STATES,
    most: int = 100,
    before: int | None = None,
) -> list[DeliveryView]:
    """Return deliveries of a webhook, or of all, the newest first; ``before``: with smaller numbers only.

    Raises as `read_webhook`.
    """
    context.settings()
    with context.database() as database, database.one_state():
        names = {row.number: row.name for row in database.webhooks()}
        number = None if name is None else known_webhook(database, name).number
        found = database.deliveries(number, states, min(most, MOST_DELIVERIES), before)
        return [DeliveryView(row, names[row.webhook]) for row in found]


def read_delivery(context: Context, number: int) -> DeliveryRow | None:
    """Return a delivery; None: it is gone. Raises as `read_webhooks`."""
    with context.database() as database:
        return database.delivery(number)


def _view(database: "Database", row: WebhookRow) -> WebhookView:
    counts = database.delivery_counts().get(row.number, DeliveryCounts())
    return WebhookView(row, counts, max(0, database.audit_size() - row.cursor))
