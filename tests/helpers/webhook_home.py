"""A server's home whose webhooks may lead to this machine, for tests of them."""

import json
import shutil
from pathlib import Path
from typing import Any

from standardwebhooks.webhooks import Webhook

from seed_server.automation import webhook_operations
from seed_server.automation.webhook_operations import WebhookMade
from seed_server.fleet import operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome
from seed_server.store.audit_entry import AuditEntry, decode_entry
from tests.helpers.fake_clock import FakeClock
from tests.helpers.people import new_home
from tests.helpers.webhook_receiver import Receiver, Request

ADA = Actor.local_user("ada")
ALLOW = '\n[webhooks]\nallow = ["127.0.0.0/8"]\n'


def webhook_home(folder: Path) -> ServerHome:
    """Make a home, to be copied by `copied_home`."""
    home = new_home(folder)
    home.settings.write_text(home.settings.read_text() + ALLOW)
    return home


def copied_home(home: ServerHome, folder: Path, clock: FakeClock | None = None) -> Context:
    """Return a copy of a home."""
    shutil.copytree(home.root, folder / "home")
    return Context(ServerHome(folder / "home"), clock or FakeClock())


def add(context: Context, receiver: Receiver, name: str = "chat", *events: str) -> WebhookMade:
    """Set up a webhook that leads to a receiver; without ``events``, for tokens."""
    return webhook_operations.add_webhook(
        context, ADA, name, receiver.url, events=events or ("token",), plain_http=True
    )


def happen(context: Context, count: int = 1) -> list[str]:
    """Let something happen; return the subjects of its events."""
    return [operations.make_token(context, ADA, uses=1, seconds=60).token_id for _ in range(count)]


def subjects(receiver: Receiver) -> list[str]:
    """Return what the events were about that a receiver was sent, each once."""
    told = {one.event_id: json.loads(one.body)["data"].get("subject", "") for one in list(receiver.requests)}
    return list(told.values())


def verified(request: Request, secret: str) -> Any:
    """Return what the official library makes of a request; it compares with the real time. Raises where it is wrong."""
    return Webhook(secret).verify(request.body, request.headers)


def entries(context: Context) -> list[AuditEntry]:
    """Return the audit log."""
    with context.database() as database:
        return [decode_entry(data) for _, data in database.audit_entries(0, 1 << 40)]
