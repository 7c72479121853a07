"""What people do to webhooks. As `fleet.operations`: each either does all of it, or raises `UserError`. Blocking.

Records have the host of a webhook alone: what follows it in an address may be a secret, as the webhook's own is.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from seed_server.automation.webhook_checks import checked_events, checked_url, checked_webhook_name, shown_host
from seed_server.automation.webhook_messages import ping
from seed_server.automation.webhook_secrets import new_secret, sealed_secret
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation
from seed_server.settings.addresses import networks_of
from seed_server.store.webhook_records import OF_NO_ENTRY, NewDelivery, WebhookRow

if TYPE_CHECKING:
    from seed_server.store.database import Database

MAX_WEBHOOKS = 20  # each has requests of its own under way
FORMER_SECRET_SECONDS = 24 * 3_600.0  # in which a receiver gets its new one
PING_ID_BYTES = 16

log = lazy_log()


@dataclass(frozen=True)
class WebhookMade:
    """A webhook with a new secret, which is shown once."""

    webhook: WebhookRow
    secret: str


@operation("webhooks")
def add_webhook(
    context: Context,
    actor: Actor,
    name: str,
    url: str,
    *,
    events: Iterable[str],
    plain_http: bool = False,
    secret: str | None = None,
) -> WebhookMade:
    """Set up a webhook, which is sent what happens from now on.

    ``events``: types, or first words of types, or ``*``. ``plain_http``: it may lead somewhere without TLS. ``secret``:
    one that the receiver has; None: one is made. Writes the database. Raises `UserError`: BAD_INPUT, also for a name
    that is taken; REFUSED for an address that webhooks must not lead to, and where there are too many; NOT_SET_UP,
    STORAGE, BUSY.
    """
    named, wanted = checked_webhook_name(name), checked_events(events)
    allowed = networks_of(context.settings().webhooks.allow, source="allow in [webhooks]")
    checked_url(url, plain_http=plain_http, allowed=allowed)
    text = new_secret(secret)
    deed = Deed("add webhook", named, details={"to": shown_host(url), "events": " ".join(wanted)})
    with context.audited(actor, deed) as database:
        if database.webhook(named) is not None:
            raise UserError(f"There is a webhook {named} already. Choose another name.", FaultKind.BAD_INPUT)
        if len(database.webhooks()) >= MAX_WEBHOOKS:
            raise UserError(
                f"There are {MAX_WEBHOOKS} webhooks, the most that there may be. Remove one first: "
                "seed-server webhook list",
                FaultKind.REFUSED,
            )
        row = WebhookRow(
            number=0,
            name=named,
            url=url,
            events=wanted,
            created_at=context.clock.now(),
            created_by=actor.who,
            cursor=database.audit_size(),
            secret=sealed_secret(context.home, named, text),
            plain_http=plain_http,
        )
        database.add_webhook(row)
        deed.after = made = known_webhook(database, named)
    log.info("webhook added", webhook=named, to=shown_host(url))
    return WebhookMade(made, text)


@operation("webhooks")
def rotate_secret(
    context: Context, actor: Actor, name: str, *, secret: str | None = None, at_once: bool = False
) -> WebhookMade:
    """Give a webhook another secret; the former one signs too, for `FORMER_SECRET_SECONDS`, unless ``at_once``.

    Writes and raises as `add_webhook`.
    """
    text = new_secret(secret)
    deed = Deed("rotate webhook secret", checked_webhook_name(name), details={"at once": "yes" if at_once else "no"})
    with context.audited(actor, deed) as database:
        deed.before = before = known_webhook(database, name)
        changed = replace(
            before,
            secret=sealed_secret(context.home, before.name, text),
            former_secret=b"" if at_once else before.secret,
            former_until=0.0 if at_once else context.clock.now() + FORMER_SECRET_SECONDS,
        )
        database.change_webhook(changed)
        deed.after = changed
    log.info("webhook has another secret", webhook=name)
    return WebhookMade(changed, text)


@operation("webhooks")
def pause_webhook(context: Context, actor: Actor, name: str) -> WebhookRow:
    """Send a webhook nothing until it is resumed; what happens meanwhile is kept for it.

    Writes and raises as `add_webhook`; REFUSED for one that is stopped.
    """
    deed = Deed("pause webhook", checked_webhook_name(name))
    with context.audited(actor, deed) as database:
        deed.before = before = known_webhook(database, name)
        if before.stopped:
            raise UserError(f"The webhook {name} is stopped already.", FaultKind.REFUSED)
        deed.after = changed = replace(before, stopped="paused")
        database.change_webhook(changed)
    log.info("webhook paused", webhook=name)
    return changed


@operation("webhooks")
def resume_webhook(context: Context, actor: Actor, name: str, *, from_now: bool = False) -> WebhookRow:
    """Go on with a webhook that was paused, or whose receiver said that it is gone: with all that happened since.

    ``from_now``: with what happens from now on, and what it was to be sent already. Writes and raises as
    `add_webhook`; REFUSED for one that is not stopped.
    """
    deed = Deed("resume webhook", checked_webhook_name(name), details={"from now": "yes" if from_now else "no"})
    with context.audited(actor, deed) as database:
        deed.before = before = known_webhook(database, name)
        if not before.stopped:
            raise UserError(f"The webhook {name} is not stopped.", FaultKind.REFUSED)
        cursor = database.audit_size() if from_now else before.cursor
        deed.after = changed = replace(before, stopped="", cursor=cursor, failing_since=0.0)
        database.change_webhook(changed)
        database.try_again(before.number, context.clock.now())
    log.info("webhook resumed", webhook=name)
    return changed


@operation("webhooks")
def remove_webhook(context: Context, actor: Actor, name: str) -> WebhookRow:
    """Remove a webhook, with all that it was sent or was to be sent. Writes and raises as `add_webhook`."""
    deed = Deed("remove webhook", checked_webhook_name(name))
    with context.audited(actor, deed) as database:
        deed.before = removed = known_webhook(database, name)
        deed.details["to"] = shown_host(removed.url)
        database.remove_webhook(removed.number)
    log.info("webhook removed", webhook=name)
    return removed


@operation("webhooks")
def ping_webhook(context: Context, actor: Actor, name: str) -> int:
    """Have the running server send a webhook an event that says only that it works; return the delivery's number.

    Writes and raises as `add_webhook`; REFUSED for one that is stopped.
    """
    server, event_id = context.settings().name, f"ping_{secrets.token_hex(PING_ID_BYTES)}"
    deed = Deed("test webhook", checked_webhook_name(name), details={"id": event_id})
    with context.audited(actor, deed) as database:
        row = known_webhook(database, name)
        if row.stopped:
            raise UserError(
                f"The webhook {name} is stopped. Resume it first: seed-server webhook resume {name}", FaultKind.REFUSED
            )
        event = ping(event_id, server, name, context.clock.now())
        new = NewDelivery(event.event_id, OF_NO_ENTRY, event.type, event.at, event.body, is_sure=True)
        number = database.add_delivery(row.number, new)
        deed.after = event.body
    log.info("webhook is tried", webhook=name)
    return number


@operation("webhooks")
def redeliver(context: Context, actor: Actor, name: str, deliveries: Iterable[int] | None = None) -> int:
    """Send deliveries of a webhook once more, under the same ids; return how many. None: all that are dead.

    Writes and raises as `add_webhook`; BAD_INPUT for deliveries that it does not have.
    """
    numbers = None if deliveries is None else frozenset(deliveries)
    which = "all that are dead" if numbers is None else " ".join(map(str, sorted(numbers)))
    deed = Deed("redeliver webhook", checked_webhook_name(name), details={"deliveries": which})
    with context.audited(actor, deed) as database:
        row = known_webhook(database, name)
        found = database.send_again(row.number, numbers, context.clock.now())
        if numbers is not None and found != len(numbers):
            raise UserError(
                f"The webhook {name} does not have all of these deliveries, or has not sent them yet. "
                f"'seed-server webhook deliveries {name}' lists them.",
                FaultKind.BAD_INPUT,
            )
        deed.details["number"] = str(found)
        deed.after = str(found).encode()
    log.info("a webhook is sent events once more", webhook=name, deliveries=found)
    return found


def known_webhook(database: "Database", name: str) -> WebhookRow:
    """Return a webhook. Raises `UserError` (BAD_INPUT) for none."""
    row = database.webhook(name)
    if row is None:
        raise UserError(
            f"There is no webhook {name[:60]!r}. 'seed-server webhook list' lists them.", FaultKind.BAD_INPUT
        )
    return row
