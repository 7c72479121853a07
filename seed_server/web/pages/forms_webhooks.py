"""What the pages of webhooks do. A secret is shown on the page that answers, and nowhere else."""

from typing import Annotated

from msgspec import Meta

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import tr
from seed_server.automation import webhook_operations
from seed_server.automation.webhook_checks import MAX_SUBSCRIPTIONS, MAX_WEBHOOK_URL_CHARS
from seed_server.automation.webhook_operations import WebhookMade
from seed_server.web.api.given import Body, GivenNumber, Name, Named
from seed_server.web.api.route import Nothing
from seed_server.web.frame.addresses import path_to
from seed_server.web.frame.page import Done, Form, Sent, Shown

_OPERATION = "seed_server.automation.webhook_operations."


class AddedWebhook(Body, frozen=True):
    """Where what happens is sent."""

    name: Name
    url: Annotated[str, Meta(min_length=1, max_length=MAX_WEBHOOK_URL_CHARS)]
    events: Annotated[tuple[Name, ...], Meta(max_length=MAX_SUBSCRIPTIONS)] = ()
    plain_http: bool = False


def _secret(made: WebhookMade, title: str) -> Shown:
    name = made.webhook.name
    values = {
        "name": name,
        "secret": made.secret,
        "until": made.webhook.former_until or None,
        "back": path_to("webhooks", name),
    }
    return Shown(title, values, template="webhook_secret")


def _add(sent: Sent[Nothing, AddedWebhook]) -> Shown:
    body = sent.body
    made = webhook_operations.add_webhook(
        sent.context, sent.actor, body.name.strip(), body.url.strip(), events=body.events, plain_http=body.plain_http
    )
    return _secret(made, tr("The webhook {name} is set up", name=made.webhook.name))


class RotatedSecret(Body, frozen=True):
    """How a secret is changed."""

    at_once: bool = False


def _rotate(sent: Sent[Named, RotatedSecret]) -> Shown:
    made = webhook_operations.rotate_secret(
        sent.context, sent.actor, sent.given.name, at_once=sent.body.at_once
    )  # fmt: skip
    return _secret(made, tr("The webhook {name} has another secret", name=made.webhook.name))


def _pause(sent: Sent[Named, Nothing]) -> Done:
    name = webhook_operations.pause_webhook(sent.context, sent.actor, sent.given.name).name
    return Done(path_to("webhooks", name), tr("Nothing is sent until it is resumed; what happens is kept for it."))


class ResumedWebhook(Body, frozen=True):
    """From when on it is sent what happens."""

    from_now: bool = False


def _resume(sent: Sent[Named, ResumedWebhook]) -> Done:
    name = webhook_operations.resume_webhook(
        sent.context, sent.actor, sent.given.name, from_now=sent.body.from_now
    ).name  # fmt: skip
    return Done(path_to("webhooks", name), tr("The webhook {name} goes on.", name=name))


def _ping(sent: Sent[Named, Nothing]) -> Done:
    number = webhook_operations.ping_webhook(sent.context, sent.actor, sent.given.name)
    return Done(path_to("webhooks", sent.given.name), tr("Delivery {number} tries it: see below.", number=number))


class Redelivered(Body, frozen=True):
    """What is sent again; none: all that are dead."""

    delivery: Annotated[tuple[GivenNumber, ...], Meta(max_length=1_000)] = ()


def _redeliver(sent: Sent[Named, Redelivered]) -> Done:
    name = sent.given.name
    found = webhook_operations.redeliver(sent.context, sent.actor, name, sent.body.delivery or None)
    return Done(path_to("webhooks", name), tr("To be sent once more: {number}.", number=found))


class RemovedWebhook(Body, frozen=True):
    """A webhook that goes."""

    sure: bool = False


def _remove(sent: Sent[Named, RemovedWebhook]) -> Done:
    if not sent.body.sure:
        raise UserError("Nothing was removed: tick that you are sure, and send it again.", FaultKind.BAD_INPUT)
    name = webhook_operations.remove_webhook(sent.context, sent.actor, sent.given.name).name
    return Done("/webhooks", tr("The webhook {name} is removed.", name=name))


WEBHOOK_FORMS = (
    Form("/webhooks", "add-webhook", _add, Nothing, AddedWebhook, f"{_OPERATION}add_webhook", "webhooks",
         step_up=True),
    Form("/webhooks/{name}/secret", "rotate-webhook-secret", _rotate, Named, RotatedSecret,
         f"{_OPERATION}rotate_secret", "webhook", step_up=True),
    Form("/webhooks/{name}/pause", "pause-webhook", _pause, Named, Nothing, f"{_OPERATION}pause_webhook", "webhook"),
    Form("/webhooks/{name}/resume", "resume-webhook", _resume, Named, ResumedWebhook, f"{_OPERATION}resume_webhook",
         "webhook"),
    Form("/webhooks/{name}/test", "test-webhook", _ping, Named, Nothing, f"{_OPERATION}ping_webhook", "webhook"),
    Form("/webhooks/{name}/redeliver", "redeliver-webhook", _redeliver, Named, Redelivered, f"{_OPERATION}redeliver",
         "webhook"),
    Form("/webhooks/{name}/remove", "remove-webhook", _remove, Named, RemovedWebhook, f"{_OPERATION}remove_webhook",
         "webhook"),
)  # fmt: skip
"""Where what the company does is sent, and by which secret receivers know it, asks for a second factor."""
