"""The database's webhooks, and what each was sent or is to be sent. Blocking.

An event is a row here before it is sent, in one transaction with the cursor of its webhook over the audit log: so none
is left out, and none is there twice.
"""

import math
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, func, or_, select

from seed_server.store.engines import insert_into
from seed_server.store.interned import parts
from seed_server.store.tables_webhooks import WEBHOOK_DELIVERIES, WEBHOOKS
from seed_server.store.transactions import Transactions
from seed_server.store.webhook_records import (
    DEAD,
    DELIVERY_STATES,
    SENT,
    UNSURE,
    WAITING,
    Attempt,
    DeliveryCounts,
    DeliveryRow,
    NewDelivery,
    WebhookRow,
)

_HOOK, _SENT = WEBHOOKS.c, WEBHOOK_DELIVERIES.c
_DELIVERY = tuple(_SENT[name] for name in DeliveryRow._fields)


class WebhookTable(Transactions):
    """The part of `Database` that is about webhooks; raises as all of it."""

    def webhooks(self) -> list[WebhookRow]:
        """Return all webhooks, by name."""
        return self._webhooks()

    def webhook(self, name: str) -> WebhookRow | None:
        """Return the webhook of a name."""
        found = self._webhooks(_HOOK.name == name)
        return found[0] if found else None

    def add_webhook(self, row: WebhookRow) -> int:
        """Add a webhook, whose ``number`` is not looked at and whose name is free; return its number."""
        with self._writing() as connection:
            added = WEBHOOKS.insert().values(**_values(row)).returning(_HOOK.number)
            return int(connection.execute(added).scalar_one())

    def change_webhook(self, row: WebhookRow) -> None:
        """Make the webhook of this number as ``row``."""
        with self._writing() as connection:
            connection.execute(WEBHOOKS.update().where(_HOOK.number == row.number).values(**_values(row)))

    def remove_webhook(self, number: int) -> None:
        """Remove a webhook, and all that it was sent or was to be sent."""
        with self._writing() as connection:
            connection.execute(WEBHOOK_DELIVERIES.delete().where(_SENT.webhook == number))
            connection.execute(WEBHOOKS.delete().where(_HOOK.number == number))

    def _webhooks(self, *conditions: ColumnElement[bool]) -> list[WebhookRow]:
        with self.reading() as connection:
            found = connection.execute(select(WEBHOOKS).where(*conditions).order_by(_HOOK.name))
            return [_webhook(row) for row in found]

    # --- from the audit log --------------------------------------------------------------

    def take_events(self, webhook: int, before: int, after: int, events: Sequence[NewDelivery]) -> bool:
        """Add what a webhook is to be sent of the entries from ``before`` to before ``after``; move its cursor there.

        False, and nothing is done: its cursor was elsewhere, or it is gone.
        """
        ours = and_(_HOOK.number == webhook, _HOOK.cursor == before)
        with self._writing() as connection:
            if connection.execute(WEBHOOKS.update().where(ours).values(cursor=after)).rowcount != 1:
                return False
            _add(connection, webhook, events)
            return True

    def unsure_entries(self, webhook: int) -> list[int]:
        """Return the entries of what is not sure to be sent."""
        query = select(_SENT.entry).where(_SENT.webhook == webhook, _SENT.state == UNSURE).order_by(_SENT.entry)
        with self.reading() as connection:
            return list(connection.scalars(query))

    def settle_unsure(self, webhook: int, carried_out: Collection[int], taken_back: Collection[int]) -> None:
        """Let what is not sure of entries wait to be sent where they were carried out, and forget it elsewhere."""
        unsure = and_(_SENT.webhook == webhook, _SENT.state == UNSURE)
        with self._writing() as connection:
            for some in parts(sorted(carried_out)):
                ours = and_(unsure, _SENT.entry.in_(some))
                connection.execute(WEBHOOK_DELIVERIES.update().where(ours).values(state=WAITING))
            for some in parts(sorted(taken_back)):
                connection.execute(WEBHOOK_DELIVERIES.delete().where(unsure, _SENT.entry.in_(some)))

    def add_delivery(self, webhook: int, event: NewDelivery) -> int:
        """Add what a webhook is to be sent of no entry; return the delivery's number."""
        with self._writing() as connection:
            _add(connection, webhook, [event])
            query = select(_SENT.number).where(_SENT.webhook == webhook, _SENT.event_id == event.event_id)
            return int(connection.execute(query).scalar_one())

    # --- to be sent ----------------------------------------------------------------------

    def due_deliveries(self, webhook: int, now: float, most: int, no_later: float = math.inf) -> list[DeliveryRow]:
        """Return at most so many of those that are to be sent now, the one that is due for the longest first.

        What is due only after ``no_later`` is due, too: the clock was set back since.
        """
        when = or_(_SENT.due_at <= now, _SENT.due_at > no_later)
        due = and_(_SENT.webhook == webhook, _SENT.state == WAITING, when)
        query = select(*_DELIVERY).where(due).order_by(_SENT.due_at, _SENT.number).limit(most)
        return self._deliveries(query)

    def save_attempts(self, attempts: Iterable[Attempt]) -> None:
        """Record what attempts came to, also of their webhooks; of one that does not wait any more, nothing."""
        with self._writing() as connection:
            for one in attempts:
                waits = and_(_SENT.number == one.delivery, _SENT.state == WAITING)
                ended_at = one.at if one.state in (SENT, DEAD) else 0.0
                saved = connection.execute(
                    WEBHOOK_DELIVERIES.update()
                    .where(waits)
                    .values(
                        state=one.state, attempts=one.attempts, first_at=one.first_at, due_at=one.due_at,
                        ended_at=ended_at, status=one.status, outcome=one.outcome,
                    )
                ).rowcount  # fmt: skip
                if not saved:
                    continue
                ours = _HOOK.number == one.webhook
                if one.state == SENT:
                    well = {"succeeded_at": one.at, "failing_since": 0.0}
                    connection.execute(WEBHOOKS.update().where(ours).values(**well))
                else:
                    first = and_(ours, _HOOK.failing_since == 0.0)
                    connection.execute(WEBHOOKS.update().where(first).values(failing_since=one.at))

    def send_again(self, webhook: int, deliveries: Collection[int] | None, now: float) -> int:
        """Let these deliveries of a webhook (None: all that are dead) wait anew, as if never tried; return how many."""
        ours: ColumnElement[bool] = and_(_SENT.webhook == webhook, _SENT.state.in_((WAITING, SENT, DEAD)))
        if deliveries is None:
            ours = and_(_SENT.webhook == webhook, _SENT.state == DEAD)
        else:
            ours = and_(ours, _SENT.number.in_(sorted(deliveries)))
        with self._writing() as connection:
            return connection.execute(WEBHOOK_DELIVERIES.update().where(ours).values(**_anew(now))).rowcount

    def try_again(self, webhook: int, now: float) -> None:
        """Let all that waits of a webhook be due now, as if never tried."""
        ours = and_(_SENT.webhook == webhook, _SENT.state == WAITING)
        with self._writing() as connection:
            connection.execute(WEBHOOK_DELIVERIES.update().where(ours).values(**_anew(now)))

    # --- what there is -------------------------------------------------------------------

    def delivery(self, number: int) -> DeliveryRow | None:
        """Return one delivery."""
        found = self._deliveries(select(*_DELIVERY).where(_SENT.number == number))
        return found[0] if found else None

    def deliveries(
        self, webhook: int | None, states: Collection[str], most: int, before: int | None = None
    ) -> list[DeliveryRow]:
        """Return at most so many deliveries of a webhook, or of all, in ``states``, the newest first.

        ``before``: only those with a smaller number.
        """
        wanted: list[ColumnElement[bool]] = [_SENT.state.in_([DELIVERY_STATES.index(one) for one in DELIVERY_STATES
                                                              if one in states])]  # fmt: skip
        if webhook is not None:
            wanted.append(_SENT.webhook == webhook)
        if before is not None:
            wanted.append(_SENT.number < before)
        return self._deliveries(select(*_DELIVERY).where(*wanted).order_by(_SENT.number.desc()).limit(most))

    def delivery_counts(self) -> dict[int, DeliveryCounts]:
        """Return how many deliveries webhooks have, by their numbers; of those without any, nothing."""
        query = select(_SENT.webhook, _SENT.state, func.count()).group_by(_SENT.webhook, _SENT.state)
        found: dict[int, DeliveryCounts] = {}
        with self.reading() as connection:
            for webhook, state, count in connection.execute(query):
                before = found.get(webhook, DeliveryCounts())
                found[webhook] = before._replace(**{DELIVERY_STATES[state]: count})
        return found

    def open_count(self, webhook: int) -> int:
        """Return how many deliveries of a webhook have not ended."""
        ours = and_(_SENT.webhook == webhook, _SENT.state.in_((UNSURE, WAITING)))
        with self.reading() as connection:
            return connection.scalar(select(func.count()).select_from(WEBHOOK_DELIVERIES).where(ours)) or 0

    def forget_deliveries(self, webhook: int, ended_before: float, most: int, at_once: int) -> int:
        """Forget deliveries that ended before then, and those above the newest ``most`` that have ended.

        Return how many; never more than ``at_once``, those first that were added first.
        """
        ended = and_(_SENT.webhook == webhook, _SENT.state.in_((SENT, DEAD)))
        with self._writing() as connection:
            too_many = connection.scalar(
                select(_SENT.number).where(ended).order_by(_SENT.number.desc()).offset(most).limit(1)
            )
            over = _SENT.ended_at < ended_before
            if too_many is not None:
                over = over | (_SENT.number <= too_many)
            numbers = select(_SENT.number).where(ended, over).order_by(_SENT.number).limit(at_once)
            gone = WEBHOOK_DELIVERIES.delete().where(_SENT.number.in_(numbers.scalar_subquery()))
            return connection.execute(gone).rowcount

    def _deliveries(self, query: Any) -> list[DeliveryRow]:
        with self.reading() as connection:
            return [DeliveryRow(*row)._replace(state=DELIVERY_STATES[row.state]) for row in connection.execute(query)]


def _anew(now: float) -> dict[str, object]:
    return {"state": WAITING, "attempts": 0, "first_at": 0.0, "due_at": now, "ended_at": 0.0}


def _add(connection: Connection, webhook: int, events: Sequence[NewDelivery]) -> None:
    rows = [
        {
            "webhook": webhook, "event_id": one.event_id, "entry": one.entry, "type": one.type, "at": one.at,
            "body": one.body, "state": WAITING if one.is_sure else UNSURE, "attempts": 0, "first_at": 0.0,
            "due_at": 0.0, "ended_at": 0.0, "status": 0, "outcome": "",
        }
        for one in events
    ]  # fmt: skip
    if rows:  # one that is there was taken before: its cursor was put back
        insert = insert_into(connection, WEBHOOK_DELIVERIES).on_conflict_do_nothing()
        connection.execute(insert, rows)


def _webhook(row: Row[Any]) -> WebhookRow:
    values = {name: getattr(row, name) for name in WebhookRow.__struct_fields__}
    return WebhookRow(**values | {"events": tuple(row.events.split())})


def _values(row: WebhookRow) -> dict[str, object]:
    values = msgspec.structs.asdict(row) | {"events": " ".join(row.events)}
    del values["number"]
    return values
