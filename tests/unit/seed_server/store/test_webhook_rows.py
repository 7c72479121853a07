"""`seed_server.store.webhook_rows` on both databases: nothing is taken twice, and what has ended goes in time."""

import pytest
from msgspec.structs import replace

from seed_server.store.database import Database
from seed_server.store.webhook_records import (
    DEAD,
    DELIVERY_STATES,
    OF_NO_ENTRY,
    SENT,
    WAITING,
    Attempt,
    DeliveryCounts,
    DeliveryRow,
    NewDelivery,
    WebhookRow,
)
from tests.helpers.state_databases import database, place, postgres_server

__all__ = ["database", "place", "postgres_server"]

ROW = WebhookRow(
    number=0, name="chat", url="https://chat.example.com/", events=("patch", "rollout.halted"), created_at=1.5,
    created_by="local:ada", cursor=7, secret=b"\0sealed", plain_http=True,
)  # fmt: skip


def event(number: int, *, sure: bool = True) -> NewDelivery:
    return NewDelivery(f"evt_{number}", number, "patch.published", 2.5, b'{"n":1}', sure)


def attempt(row: DeliveryRow, state: int, at: float = 50.0, due_at: float = 0.0) -> Attempt:
    return Attempt(row.number, row.webhook, state, row.attempts + 1, 40.0, due_at, at, 204, "delivered")


@pytest.fixture
def chat(database: Database) -> WebhookRow:
    database.add_webhook(ROW)
    found = database.webhook("chat")
    assert found is not None
    return found


def states(database: Database) -> list[tuple[int, str]]:
    return [(row.entry, row.state) for row in reversed(database.deliveries(None, DELIVERY_STATES, 100))]


def test_a_webhook_is_kept_as_it_is(database: Database, chat: WebhookRow) -> None:
    assert chat == replace(ROW, number=chat.number)
    changed = replace(chat, former_secret=b"f", former_until=9.5, stopped="gone", failing_since=3.0, events=("*",))
    database.change_webhook(changed)
    database.add_webhook(replace(ROW, name="a"))
    assert [row.name for row in database.webhooks()] == ["a", "chat"]
    assert database.webhook("chat") == changed
    database.remove_webhook(chat.number)
    assert database.webhook("chat") is None
    assert database.add_webhook(ROW) > chat.number, "a number is never another webhook's"


def test_events_are_taken_once_with_the_cursor(database: Database, chat: WebhookRow) -> None:
    assert database.take_events(chat.number, 7, 9, [event(7), event(8, sure=False)])
    assert not database.take_events(chat.number, 7, 9, [event(7), event(8)]), "the cursor is elsewhere"
    assert not database.take_events(99, 0, 9, [event(7)])
    assert database.take_events(chat.number, 9, 10, [event(7), event(9)]), "one that is there stays as it is"
    assert states(database) == [(7, "waiting"), (8, "unsure"), (9, "waiting")]
    found = database.webhook("chat")
    assert found is not None
    assert found.cursor == 10
    assert database.open_count(chat.number) == 3
    assert database.unsure_entries(chat.number) == [8]


def test_a_failure_within_leaves_neither_rows_nor_cursor(database: Database, chat: WebhookRow) -> None:
    broken = event(8)._replace(body=None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="(?i)null"):
        database.take_events(chat.number, 7, 9, [event(7), broken])
    assert database.webhook("chat") == chat
    assert states(database) == []


def test_what_is_not_sure_waits_or_goes(database: Database, chat: WebhookRow) -> None:
    database.take_events(chat.number, 7, 10, [event(7, sure=False), event(8, sure=False), event(9, sure=False)])
    assert database.due_deliveries(chat.number, 1e12, 10) == []
    database.settle_unsure(chat.number, [7], [8])
    assert states(database) == [(7, "waiting"), (9, "unsure")]
    assert [row.entry for row in database.due_deliveries(chat.number, 0.0, 10)] == [7]


def test_what_is_due_for_the_longest_comes_first(database: Database, chat: WebhookRow) -> None:
    database.take_events(chat.number, 7, 10, [event(7), event(8), event(9)])
    first, second, third = database.due_deliveries(chat.number, 60.0, 10)
    database.save_attempts([attempt(first, WAITING, due_at=70.0), attempt(second, WAITING, due_at=60.0)])
    assert [row.entry for row in database.due_deliveries(chat.number, 60.0, 10)] == [9, 8]
    assert [row.entry for row in database.due_deliveries(chat.number, 69.9, 1)] == [9]
    assert [row.entry for row in database.due_deliveries(chat.number, 70.0, 10)] == [9, 8, 7]
    tried = database.delivery(first.number)
    assert tried is not None
    assert (tried.attempts, tried.first_at, tried.due_at, tried.ended_at, tried.status, tried.outcome) == (
        1, 40.0, 70.0, 0.0, 204, "delivered",
    )  # fmt: skip
    assert third.body == b'{"n":1}'


def test_what_came_of_attempts_is_known_of_the_webhook(database: Database, chat: WebhookRow) -> None:
    database.take_events(chat.number, 7, 10, [event(7), event(8), event(9)])
    rows = database.due_deliveries(chat.number, 60.0, 10)

    def known() -> tuple[float, float]:
        found = database.webhook("chat")
        assert found is not None
        return found.succeeded_at, found.failing_since

    database.save_attempts([attempt(rows[0], WAITING, 50.0), attempt(rows[1], DEAD, 55.0)])
    assert known() == (0.0, 50.0)
    database.save_attempts([attempt(rows[2], SENT, 56.0)])
    assert known() == (56.0, 0.0)
    assert states(database) == [(7, "waiting"), (8, "dead"), (9, "sent")]
    assert database.delivery_counts() == {chat.number: DeliveryCounts(waiting=1, sent=1, dead=1)}
    database.save_attempts([attempt(rows[2], WAITING, 57.0)])
    assert known() == (56.0, 0.0)
    assert states(database)[-1] == (9, "sent"), "what came too late changes nothing"
    database.remove_webhook(chat.number)
    database.save_attempts([attempt(rows[0], SENT)])
    assert states(database) == []


def test_it_is_sent_again_as_if_never_tried(database: Database, chat: WebhookRow) -> None:
    database.take_events(chat.number, 7, 11, [event(7), event(8), event(9), event(10, sure=False)])
    rows = database.due_deliveries(chat.number, 60.0, 10)
    database.save_attempts([attempt(rows[0], SENT), attempt(rows[1], DEAD), attempt(rows[2], WAITING, due_at=99.0)])
    assert database.send_again(chat.number, None, 70.0) == 1
    again = database.delivery(rows[1].number)
    assert again is not None
    assert (again.state, again.attempts, again.first_at, again.due_at, again.ended_at) == ("waiting", 0, 0.0, 70.0, 0.0)
    assert again.event_id == rows[1].event_id
    assert database.send_again(chat.number, [rows[0].number, 999], 71.0) == 1
    assert database.send_again(chat.number + 1, [rows[0].number], 71.0) == 0
    assert states(database) == [(7, "waiting"), (8, "waiting"), (9, "waiting"), (10, "unsure")]
    database.try_again(chat.number, 80.0)
    assert {row.due_at for row in database.due_deliveries(chat.number, 80.0, 10)} == {80.0}


def test_pages_are_the_newest_first(database: Database, chat: WebhookRow) -> None:
    other = database.add_webhook(replace(ROW, name="other"))
    database.take_events(chat.number, 7, 12, [event(number) for number in range(7, 12)])
    database.add_delivery(other, event(OF_NO_ENTRY))
    page = database.deliveries(None, DELIVERY_STATES, 2)
    assert [row.entry for row in page] == [OF_NO_ENTRY, 11]
    assert [row.entry for row in database.deliveries(None, DELIVERY_STATES, 2, page[-1].number)] == [10, 9]
    assert [row.entry for row in database.deliveries(other, DELIVERY_STATES, 10)] == [OF_NO_ENTRY]
    assert database.deliveries(chat.number, ("dead",), 10) == []


def test_what_has_ended_goes_in_time_and_above_its_number(database: Database, chat: WebhookRow) -> None:
    database.take_events(chat.number, 7, 17, [event(number) for number in range(7, 17)])
    rows = database.due_deliveries(chat.number, 60.0, 20)
    database.save_attempts([attempt(row, SENT, at=float(row.entry)) for row in rows[:8]])
    database.save_attempts([attempt(rows[8], DEAD, at=20.0)])
    assert database.forget_deliveries(chat.number, 9.0, 100, 100) == 2
    assert [entry for entry, _ in states(database)] == [9, 10, 11, 12, 13, 14, 15, 16]
    assert database.forget_deliveries(chat.number, 0.0, 3, 100) == 4
    assert states(database) == [(13, "sent"), (14, "sent"), (15, "dead"), (16, "waiting")]
    assert database.forget_deliveries(chat.number, 1e12, 0, 1) == 1
    assert [entry for entry, _ in states(database)] == [14, 15, 16]
    assert database.forget_deliveries(chat.number, 1e12, 0, 100) == 2
    assert states(database) == [(16, "waiting")], "what waits never goes"
