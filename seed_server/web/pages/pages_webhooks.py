"""The pages *webhooks* and *webhook*: whom other programs are told what happens, and what became of each message."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from p2pdist.shared.language import tr
from seed_server.automation.event_types import EVENT_TYPES, EVERY_TYPE
from seed_server.automation.webhook_checks import shown_host
from seed_server.automation.webhook_documents import WebhookDocument, delivery_document, webhook_document
from seed_server.automation.webhook_operations import MAX_WEBHOOKS
from seed_server.automation.webhook_queries import read_deliveries, read_webhook, read_webhooks
from seed_server.automation.webhook_words import outcome_words
from seed_server.fleet.roles import WHOLE_FLEET
from seed_server.store.webhook_records import DELIVERY_STATES, DeliveryState
from seed_server.web.api.given import Given, GivenNumber, Name
from seed_server.web.api.paging import Limit
from seed_server.web.api.route import Nothing, Right
from seed_server.web.frame.page import Asked, Page, Shown
from seed_server.web.pages.forms_webhooks import WEBHOOK_FORMS

__all__ = ["WEBHOOK_FORMS", "WEBHOOK_PAGES"]

_SEEING: Right = ("webhooks", WHOLE_FLEET)
ROWS_OF_DELIVERIES = 50


@dataclass(frozen=True)
class ListedWebhook:
    """A row of the list; of its address no more than the host: what follows may be a secret."""

    webhook: WebhookDocument
    host: str


def event_choices() -> list[str]:
    """Return what can be subscribed to: everything, the first words, then each type."""
    words = dict.fromkeys(kind.partition(".")[0] for kind in EVENT_TYPES)
    return [EVERY_TYPE, *words, *EVENT_TYPES]


def _webhooks(asked: Asked[Nothing]) -> Shown:
    found = [webhook_document(one) for one in read_webhooks(asked.context)]
    values = {
        "webhooks": [ListedWebhook(one, shown_host(one.url)) for one in found],
        "full": len(found) >= MAX_WEBHOOKS,
        "events": EVENT_TYPES,
        "choices": event_choices(),
    }
    return Shown(tr("Webhooks"), values)


class OfWebhook(Given, frozen=True):
    """A webhook, and which of its deliveries."""

    name: Name
    state: Annotated[Literal["", DeliveryState], Meta(description="Only those that stand so.")] = ""
    limit: Limit = ROWS_OF_DELIVERIES
    after: Annotated[GivenNumber, Meta(description="Only with smaller numbers; 0: the newest.")] = 0


def _webhook(asked: Asked[OfWebhook]) -> Shown:
    given = asked.given
    view = read_webhook(asked.context, given.name)
    states = (given.state,) if given.state else DELIVERY_STATES
    found = read_deliveries(
        asked.context, given.name, states=states, most=given.limit + 1, before=given.after or None
    )  # fmt: skip
    shown = found[: given.limit]
    document = webhook_document(view)
    values = {
        "webhook": document,
        "host": shown_host(document.url),
        "deliveries": [(delivery_document(one), outcome_words(one.delivery)) for one in shown],
        "next": shown[-1].delivery.number if len(found) > given.limit else None,
        "given": given,
        "states": DELIVERY_STATES,
        "former_signs": document.former_secret_until is not None and document.former_secret_until > asked.now,
    }
    return Shown(document.name, values)


WEBHOOK_PAGES = (
    Page("/webhooks", "webhooks", _webhooks, Nothing, right=_SEEING, live=("webhook",)),
    Page("/webhooks/{name}", "webhook", _webhook, OfWebhook, right=_SEEING, live=("webhook",)),
)
