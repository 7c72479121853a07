"""What webhooks are to be sent: taken from the audit log, durable before it is sent, ended by its answer. Blocking.

The audit log has an entry for every change, in the change's own transaction and without gaps. So an event is safe as
soon as it has happened; a webhook's cursor says how far it was looked at. What its entry announces is told only when it
is known to be carried out.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.codec import DecodeError
from seed_server.automation.event_types import subscribed
from seed_server.automation.webhook_messages import event_of
from seed_server.automation.webhook_retries import LONGEST_RETRY_WAIT_SECONDS
from seed_server.automation.webhook_secrets import opened_secrets
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import NOT_CARRIED_OUT, Deed, Request
from seed_server.fleet.context import Context
from seed_server.store.audit_entry import AuditEntry, decode_entry
from seed_server.store.webhook_records import Attempt, DeliveryRow, NewDelivery, WebhookRow

if TYPE_CHECKING:
    from seed_server.store.database import Database

MAX_OPEN_DELIVERIES = 1_000  # of one webhook; what is above that stays in the audit log, which loses nothing
TAKEN_AT_ONCE = 1_000  # entries: some megabytes
PARALLEL = 4  # requests to one receiver; each webhook has its own, so none waits for another's
ENDED_KEPT_SECONDS = 30.0 * DAY_SECONDS
MAX_ENDED_DELIVERIES = 10_000  # of one webhook
FORGET_AT_ONCE = 1_000
FORGET_EVERY_SECONDS = 600.0

log = lazy_log()


class Sending(NamedTuple):
    """A delivery that is due, and all that sending it takes."""

    delivery: DeliveryRow
    webhook: WebhookRow
    secrets: list[bytes]
    """Those that sign it; none: they cannot be opened."""


@dataclass(frozen=True)
class _LogState:
    """The audit log at one moment."""

    size: int
    pending: frozenset[int]
    """Entries of which it is not known yet that they were carried out."""


class WebhookOutbox:
    """The deliveries of one server; used by one task."""

    def __init__(self, context: Context, database: "Database", server: str) -> None:
        """``server``: this server's name."""
        self._context = context
        self._database = database
        self._server = server
        self._ahead: int | None = None
        """The first entry that was not looked at for what it takes back; None: none was."""
        self._taken_back: set[int] = set()
        self._unsure: set[int] = set()
        """Webhooks that may have something unsure."""
        self._forget_at = 0.0
        self._cannot_open: set[str] = set()

    def look(self, attempts: Sequence[Attempt], in_flight: Mapping[int, Collection[int]]) -> list[Sending]:
        """Record what attempts came to, take what is new, and return what is due, in one thread at a time.

        ``in_flight``: numbers of deliveries that are being sent, by webhook. Raises `UserError`: STORAGE, BUSY.
        """
        if attempts:
            self._database.save_attempts(attempts)
        webhooks = [one for one in self._database.webhooks() if not one.stopped]
        if webhooks:
            self._take(webhooks)
        self._forget(webhooks)
        now = self._context.clock.now()
        return [
            Sending(row, webhook, self._secrets(webhook, now))
            for webhook in webhooks
            for row in self._due(webhook, in_flight.get(webhook.number, ()), now)
        ]

    def disable(self, name: str, number: int) -> None:
        """Send a webhook nothing more: its receiver says that it is gone. Not another one that has its name by now."""
        deed = Deed("disable webhook", name, reason="the receiver says that it is gone (410)")

        def done() -> tuple[Actor, Deed] | None:
            return None if deed.after is None else (Actor.engine(), deed)

        with replace(self._context, request=Request()).joined(self._database, done):
            before = self._database.webhook(name)
            if before is None or before.number != number or before.stopped:
                return
            deed.before, deed.after = before, msgspec.structs.replace(before, stopped="gone")
            self._database.change_webhook(deed.after)
        log.warning("a webhook is disabled: its receiver says that it is gone", webhook=name)

    # --- what is new ---------------------------------------------------------------------

    def _take(self, webhooks: Sequence[WebhookRow]) -> None:
        state = self._log_state()
        for webhook in webhooks:
            if webhook.cursor < state.size:
                self._take_for(webhook, state)
            if webhook.number in self._unsure:
                self._settle(webhook, state)

    def _log_state(self) -> _LogState:
        """Return how the log is now, and look through what is new in it for what was not carried out."""
        with self._database.one_state():
            state = _LogState(self._database.audit_size(), frozenset(self._database.pending()))
            if self._ahead is None:
                everybody = self._database.webhooks()
                self._ahead = min([state.size, *(one.cursor for one in everybody)])
                self._unsure = {one.number for one in everybody}
            while self._ahead < state.size:
                end = min(state.size, self._ahead + TAKEN_AT_ONCE)
                for _, data in self._database.audit_entries(self._ahead, end):
                    entry = _decoded(data)
                    if entry is not None and entry.operation == NOT_CARRIED_OUT and entry.subject.isdecimal():
                        self._taken_back.add(int(entry.subject))
                self._ahead = end
        return state

    def _take_for(self, webhook: WebhookRow, state: _LogState) -> None:
        room = MAX_OPEN_DELIVERIES - self._database.open_count(webhook.number)
        events: list[NewDelivery] = []
        after = webhook.cursor
        end = min(state.size, webhook.cursor + TAKEN_AT_ONCE) if room > 0 else webhook.cursor
        for number, data in self._database.audit_entries(webhook.cursor, end):
            if len(events) == room:
                break
            after = number + 1
            if number not in self._taken_back and (one := self._event(webhook, data)) is not None:
                events.append(one._replace(is_sure=number not in state.pending))
        if after > webhook.cursor:
            self._database.take_events(webhook.number, webhook.cursor, after, events)
            if not all(one.is_sure for one in events):
                self._unsure.add(webhook.number)

    def _event(self, webhook: WebhookRow, data: bytes) -> NewDelivery | None:
        entry = _decoded(data)
        event = None if entry is None else event_of(entry, data, self._server)
        if entry is None or event is None or not subscribed(webhook.events, event.type):
            return None
        return NewDelivery(event.event_id, entry.number, event.type, event.at, event.body, is_sure=True)

    def _settle(self, webhook: WebhookRow, state: _LogState) -> None:
        unsure = self._database.unsure_entries(webhook.number)
        known = [number for number in unsure if number not in state.pending]
        if known:
            back = self._taken_back.intersection(known)
            self._database.settle_unsure(webhook.number, [one for one in known if one not in back], back)
        if len(known) == len(unsure):
            self._unsure.discard(webhook.number)

    # --- what is due ---------------------------------------------------------------------

    def _due(self, webhook: WebhookRow, in_flight: Collection[int], now: float) -> list[DeliveryRow]:
        room = PARALLEL - len(in_flight)
        if room <= 0:
            return []
        due = self._database.due_deliveries(
            webhook.number, now, room + len(in_flight), now + LONGEST_RETRY_WAIT_SECONDS
        )
        return [row for row in due if row.number not in in_flight][:room]

    def _secrets(self, webhook: WebhookRow, now: float) -> list[bytes]:
        try:
            found = opened_secrets(self._context.home, webhook, now)
        except UserError as error:
            if webhook.name not in self._cannot_open:
                log.error("a webhook cannot be signed for", webhook=webhook.name, reason=error.message)  # noqa: TRY400
            self._cannot_open.add(webhook.name)
            return []
        self._cannot_open.discard(webhook.name)
        return found

    def _forget(self, webhooks: Sequence[WebhookRow]) -> None:
        now, mono = self._context.clock.now(), self._context.clock.monotonic()
        if mono < self._forget_at:
            return
        self._forget_at = mono + FORGET_EVERY_SECONDS
        for webhook in webhooks:
            while (
                self._database.forget_deliveries(
                    webhook.number, now - ENDED_KEPT_SECONDS, MAX_ENDED_DELIVERIES, FORGET_AT_ONCE
                )
                == FORGET_AT_ONCE
            ):
                pass


def _decoded(data: bytes) -> AuditEntry | None:
    """Return an entry; None: it cannot be read, as the log's own check says."""
    try:
        return decode_entry(data)
    except DecodeError:
        return None
