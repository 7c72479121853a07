"""Sends what webhooks are to be sent, until cancelled: at least once, each receiver apart from the others.

All that counts is in the database: whoever is killed at any moment goes on from there. An answer whose record was lost
is asked for once more, under the same id.
"""

import random
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.said_once import SaidOnce
from seed_server.automation.webhook_checks import shown_host
from seed_server.automation.webhook_outbox import Sending, WebhookOutbox
from seed_server.automation.webhook_retries import next_try
from seed_server.automation.webhook_sending import Answered, WebhookSender
from seed_server.automation.webhook_signing import signature_header
from seed_server.fleet.context import Context
from seed_server.settings.addresses import networks_of
from seed_server.settings.home import ServerHome
from seed_server.settings.sections import WebhookSettings
from seed_server.store.webhook_records import DEAD, SENT, WAITING, Attempt

if TYPE_CHECKING:
    from seed_server.store.database import Database

TAKE_EVERY_SECONDS = 1.0  # until an event is taken from the log; an answer makes it look at once
AFTER_FAULT_SECONDS = 10.0  # of the database, or of the disk
LOOKUPS = 1  # threads that look up the name of one receiver: one that hangs takes none from others

log = lazy_log()


def webhook_sender(home: ServerHome, settings: WebhookSettings) -> WebhookSender:
    """Return how ``server.toml`` says that requests are sent; its certificates are read with the first one."""
    loaded: list[ssl.SSLContext] = []

    def tls() -> ssl.SSLContext:
        if not loaded:
            try:
                file = str(home.root / settings.ca_file) if settings.ca_file else None
                loaded.append(ssl.create_default_context(cafile=file))
            except OSError as error:  # ssl.SSLError is one
                raise UserError(
                    f"Cannot use {settings.ca_file}, 'ca_file' in [webhooks] of server.toml: {error}.",
                    FaultKind.BAD_INPUT,
                ) from error
        return loaded[0]

    return WebhookSender(networks_of(settings.allow, source="allow in [webhooks]"), tls)


@dataclass
class WebhookDispatcher:
    """The sender of one server's webhooks."""

    context: Context
    database: "Database"
    sender: WebhookSender
    server: str
    """This server's name."""
    look_seconds: float = TAKE_EVERY_SECONDS
    after_fault_seconds: float = AFTER_FAULT_SECONDS
    jitter: Callable[[], float] = random.random
    _attempts: list[Attempt] = field(default_factory=list)
    """What came of requests, and is not recorded yet; at most as many as are sent at once."""
    _gone: dict[str, int] = field(default_factory=dict)
    """Webhooks whose receivers have said that they are gone, by name, with their numbers."""
    _in_flight: dict[int, set[int]] = field(default_factory=dict)
    _lookups: dict[int, trio.CapacityLimiter] = field(default_factory=dict)
    _answered: trio.Event = field(default_factory=trio.Event)
    _failed: SaidOnce = field(default_factory=SaidOnce)
    _unsendable: SaidOnce = field(default_factory=SaidOnce)

    async def run(self) -> None:
        """Send until cancelled. What fails of the database is tried again; nothing of this ends the server."""
        outbox = WebhookOutbox(self.context, self.database, self.server)
        async with trio.open_nursery() as nursery:
            while True:
                try:
                    for sending in await self._look(outbox):
                        self._in_flight.setdefault(sending.webhook.number, set()).add(sending.delivery.number)
                        nursery.start_soon(self._send, sending)
                except Exception as error:  # noqa: BLE001 - the server goes on, and the next look may succeed
                    _say(error, self._failed)
                    await trio.sleep(self.after_fault_seconds)
                    continue
                with trio.move_on_after(self.look_seconds):
                    await self._answered.wait()
                self._answered = trio.Event()

    async def _look(self, outbox: WebhookOutbox) -> list[Sending]:
        # what was sent stays in flight until it is recorded: else it would be sent again
        attempts, gone = list(self._attempts), dict(self._gone)
        in_flight = {webhook: frozenset(numbers) for webhook, numbers in self._in_flight.items()}
        found = await trio.to_thread.run_sync(outbox.look, attempts, in_flight)
        self._failed.is_new("")
        self._attempts = self._attempts[len(attempts) :]
        for one in attempts:
            self._in_flight[one.webhook].discard(one.delivery)
        self._in_flight = {webhook: numbers for webhook, numbers in self._in_flight.items() if numbers}
        for name, number in gone.items():
            await trio.to_thread.run_sync(outbox.disable, name, number)
            self._gone.pop(name, None)
        return [one for one in found if one.webhook.number not in gone.values()]

    async def _send(self, sending: Sending) -> None:
        answered = Answered("no_secret")
        if sending.secrets:
            try:
                answered = await self._post(sending)
            except Exception as error:  # noqa: BLE001 - one receiver stops no other
                _say(error, self._unsendable)
                answered = Answered("broken")
        self._attempts.append(self._attempt(sending, answered))
        if answered.outcome == "gone":
            self._gone[sending.webhook.name] = sending.webhook.number
        self._answered.set()

    async def _post(self, sending: Sending) -> Answered:
        delivery, webhook = sending.delivery, sending.webhook
        timestamp = int(self.context.clock.now())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "p2pdist",
            "webhook-id": delivery.event_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature_header(sending.secrets, delivery.event_id, timestamp, delivery.body),
        }
        lookups = self._lookups.setdefault(webhook.number, trio.CapacityLimiter(LOOKUPS))
        return await self.sender.post(webhook.url, headers, delivery.body, lookups)

    def _attempt(self, sending: Sending, answered: Answered) -> Attempt:
        delivery, now = sending.delivery, self.context.clock.now()
        first_at, attempts = delivery.first_at or now, delivery.attempts + 1
        due_at, state = now, SENT
        if answered.outcome != "delivered":
            wanted = next_try(attempts, first_at, now, self.jitter())
            due_at, state = (now, DEAD) if wanted is None else (wanted, WAITING)
            told = {"webhook": sending.webhook.name, "to": shown_host(sending.webhook.url), "id": delivery.event_id}
            told |= {"outcome": answered.outcome, "status": str(answered.status), "attempts": str(attempts)}
            if state == DEAD:
                log.warning("an event is given up: 'seed-server webhook dead' lists it", **told)
            elif not sending.webhook.failing_since:  # once: it is tried again and again
                log.warning("a webhook fails", **told)
        return Attempt(
            delivery.number, delivery.webhook, state, attempts, first_at, due_at, now, answered.status, answered.outcome
        )


def _say(error: Exception, said: SaidOnce) -> None:
    words = error.message if isinstance(error, UserError) else repr(error)
    if said.is_new(words):
        log.error("webhooks are not sent now", reason=words, exc_info=None if isinstance(error, UserError) else error)
