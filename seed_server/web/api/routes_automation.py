"""Routes over webhooks, and the figures for monitoring."""

from pathlib import Path
from typing import Annotated

from msgspec import Meta

from p2pdist.shared.exposition import CONTENT_TYPE
from seed_server.automation import webhook_operations, webhook_queries
from seed_server.automation.metrics import MetricsPage
from seed_server.automation.webhook_checks import MAX_SUBSCRIPTIONS, MAX_WEBHOOK_URL_CHARS
from seed_server.automation.webhook_documents import (
    RedeliveredDocument,
    WebhookDeliveriesDocument,
    WebhookDocument,
    WebhookMadeDocument,
    WebhookNameDocument,
    delivery_document,
    made_document,
    webhook_document,
)
from seed_server.store.webhook_records import DELIVERY_STATES
from seed_server.web.api.documents import PingedDocument
from seed_server.web.api.given import Body, Given, GivenNumber, MaybeName, Name, Named
from seed_server.web.api.paging import Limit
from seed_server.web.api.route import API, ApiCall, Nothing, Raw, Route

_WEBHOOKS = "Webhooks"
_OPERATION = "seed_server.automation.webhook_operations."
_PAGES: dict[Path, MetricsPage] = {}
"""One of each home, which a process has one of: what it has read lately is in it."""


def _webhooks(call: ApiCall[Nothing, None]) -> list[WebhookDocument]:
    return [webhook_document(one) for one in webhook_queries.read_webhooks(call.context)]


def _webhook(call: ApiCall[Named, None]) -> WebhookDocument:
    return webhook_document(webhook_queries.read_webhook(call.context, call.given.name))


class NewWebhook(Body, frozen=True):
    """Where what happens is sent."""

    name: Name
    url: Annotated[str, Meta(min_length=1, max_length=MAX_WEBHOOK_URL_CHARS)]
    events: Annotated[tuple[Name, ...], Meta(min_length=1, max_length=MAX_SUBSCRIPTIONS)]
    plain_http: Annotated[bool, Meta(description="It may lead somewhere without TLS.")] = False


def _add(call: ApiCall[Nothing, NewWebhook]) -> WebhookMadeDocument:
    body = call.body
    made = webhook_operations.add_webhook(
        call.context, call.actor, body.name, body.url, events=body.events, plain_http=body.plain_http
    )
    return made_document(made)


class NewSecret(Body, frozen=True):
    """How a secret is changed."""

    at_once: Annotated[bool, Meta(description="The former one signs nothing more; else it does for a day.")] = False


def _rotate(call: ApiCall[Named, NewSecret]) -> WebhookMadeDocument:
    made = webhook_operations.rotate_secret(call.context, call.actor, call.given.name, at_once=call.body.at_once)
    return made_document(made)


def _pause(call: ApiCall[Named, None]) -> WebhookDocument:
    webhook_operations.pause_webhook(call.context, call.actor, call.given.name)
    return _webhook(call)


class Resuming(Body, frozen=True):
    """From when on it is sent what happens."""

    from_now: Annotated[bool, Meta(description="What has happened meanwhile is not sent.")] = False


def _resume(call: ApiCall[Named, Resuming]) -> WebhookDocument:
    name = call.given.name
    webhook_operations.resume_webhook(call.context, call.actor, name, from_now=call.body.from_now)
    return webhook_document(webhook_queries.read_webhook(call.context, name))


def _remove(call: ApiCall[Named, None]) -> WebhookNameDocument:
    webhook_operations.remove_webhook(call.context, call.actor, call.given.name)
    return WebhookNameDocument(name=call.given.name)


def _ping(call: ApiCall[Named, None]) -> PingedDocument:
    number = webhook_operations.ping_webhook(call.context, call.actor, call.given.name)
    return PingedDocument(call.given.name, number)


class Redelivering(Body, frozen=True):
    """What is sent again."""

    deliveries: Annotated[tuple[GivenNumber, ...], Meta(max_length=1_000)] = ()
    """Their numbers; none: all that are dead."""


def _redeliver(call: ApiCall[Named, Redelivering]) -> RedeliveredDocument:
    name = call.given.name
    found = webhook_operations.redeliver(call.context, call.actor, name, call.body.deliveries or None)
    return RedeliveredDocument(webhook=name, deliveries=found)


class Deliveries(Given, frozen=True):
    """Which deliveries, the newest first."""

    webhook: Annotated[MaybeName, Meta(description="Only of this one.")] = ""
    dead: Annotated[bool, Meta(description="Only those that are given up.")] = False
    limit: Limit = 100
    before: Annotated[GivenNumber, Meta(description="Only with smaller numbers; 0: the newest.")] = 0


def _deliveries(call: ApiCall[Deliveries, None]) -> WebhookDeliveriesDocument:
    given = call.given
    found = webhook_queries.read_deliveries(
        call.context, given.webhook or None, states=("dead",) if given.dead else DELIVERY_STATES, most=given.limit,
        before=given.before or None,
    )  # fmt: skip
    more = found[-1].delivery.number if len(found) == given.limit else None
    return WebhookDeliveriesDocument(tuple(map(delivery_document, found)), more)


def _metrics(call: ApiCall[Nothing, None]) -> Raw:
    page = _PAGES.setdefault(call.context.home.root, MetricsPage(call.context))
    return Raw(page.text(), CONTENT_TYPE)


AUTOMATION_ROUTES = (
    Route("GET", f"{API}/webhooks", "listWebhooks", "Webhooks, without their secrets", _webhooks,
          list[WebhookDocument], _WEBHOOKS, Nothing, commands=("webhook list",)),
    Route("POST", f"{API}/webhooks", "addWebhook", "Have what happens sent somewhere", _add, WebhookMadeDocument,
          _WEBHOOKS, Nothing, NewWebhook, operation=f"{_OPERATION}add_webhook", status=201, secret=True,
          commands=("webhook add",),
          example={"name": "chat", "url": "https://chat.example.com/hooks/7", "events": ["rollout"]}),
    Route("GET", f"{API}/webhooks/{{name}}", "getWebhook", "A webhook, and how it stands", _webhook, WebhookDocument,
          _WEBHOOKS, Named, commands=("webhook show",)),
    Route("DELETE", f"{API}/webhooks/{{name}}", "removeWebhook", "Remove a webhook, and what waits for it", _remove,
          WebhookNameDocument, _WEBHOOKS, Named, operation=f"{_OPERATION}remove_webhook", commands=("webhook remove",)),
    Route("POST", f"{API}/webhooks/{{name}}/secret", "rotateWebhookSecret", "Give a webhook another secret", _rotate,
          WebhookMadeDocument, _WEBHOOKS, Named, NewSecret, operation=f"{_OPERATION}rotate_secret", secret=True,
          commands=("webhook rotate-secret",), example={"at_once": False}),
    Route("POST", f"{API}/webhooks/{{name}}/pause", "pauseWebhook", "Send a webhook nothing for a while", _pause,
          WebhookDocument, _WEBHOOKS, Named, operation=f"{_OPERATION}pause_webhook", commands=("webhook pause",)),
    Route("POST", f"{API}/webhooks/{{name}}/resume", "resumeWebhook", "Send a webhook again", _resume, WebhookDocument,
          _WEBHOOKS, Named, Resuming, operation=f"{_OPERATION}resume_webhook", commands=("webhook resume",),
          example={"from_now": False}),
    Route("POST", f"{API}/webhooks/{{name}}/test", "testWebhook", "Send a webhook something to try it", _ping,
          PingedDocument, _WEBHOOKS, Named, operation=f"{_OPERATION}ping_webhook"),
    Route("POST", f"{API}/webhooks/{{name}}/redeliver", "redeliverWebhook", "Send again what was given up, or more",
          _redeliver, RedeliveredDocument, _WEBHOOKS, Named, Redelivering, operation=f"{_OPERATION}redeliver",
          commands=("webhook redeliver",), example={"deliveries": [17]}),
    Route("GET", f"{API}/webhook-deliveries", "listWebhookDeliveries", "What was sent, is to be, or was given up",
          _deliveries, WebhookDeliveriesDocument, _WEBHOOKS, Deliveries,
          commands=("webhook deliveries", "webhook dead")),
    Route("GET", f"{API}/metrics", "getMetrics", "Figures for monitoring, in the text form of Prometheus", _metrics,
          Raw, "Monitoring", Nothing, media="text/plain"),
)  # fmt: skip
"""The rows of the table that are about webhooks and monitoring."""
