"""`seed_server.fleet.webhook_problems`: what `status` says of webhooks."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from seed_server.fleet.webhook_problems import FAILING_TOLD_AFTER_SECONDS, webhook_problems
from seed_server.store.database import Database
from seed_server.store.webhook_records import DEAD, WAITING, Attempt, NewDelivery, WebhookRow

NOW = 1_796_000_000.0
ROW = WebhookRow(
    number=0, name="chat", url="https://chat.example.com/secret", events=("*",), created_at=1.0, created_by="ada",
    cursor=0,
)  # fmt: skip


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with Database.create(tmp_path / "state.db") as made:
        made.add_webhook(ROW)
        yield made


def webhook(database: Database, **changes: object) -> WebhookRow:
    (row,) = database.webhooks()
    database.change_webhook(replace(row, **changes))
    return row


def test_one_that_does_well_is_not_mentioned(database: Database) -> None:
    assert webhook_problems(database, NOW) == []
    webhook(database, failing_since=NOW - FAILING_TOLD_AFTER_SECONDS + 1)
    assert webhook_problems(database, NOW) == []


def test_one_that_fails_for_long_is_named_and_its_address_is_not(database: Database) -> None:
    number = webhook(database, failing_since=NOW - FAILING_TOLD_AFTER_SECONDS).number
    database.add_delivery(number, NewDelivery("evt_1", 1, "token.made", 1.0, b"{}", True))
    assert webhook_problems(database, NOW) == [
        (
            "The webhook chat has failed since 2026-11-29 23:53 UTC; 1 events wait.",
            "seed-server webhook deliveries chat",
        )
    ]
    webhook(database, stopped="paused")
    assert webhook_problems(database, NOW) == [], "somebody knows"


def test_what_was_given_up_and_who_is_gone(database: Database) -> None:
    number = webhook(database, stopped="gone", failing_since=1.0).number
    for place, state in enumerate((DEAD, DEAD, WAITING)):
        delivery = database.add_delivery(number, NewDelivery(f"evt_{place}", place, "token.made", 1.0, b"{}", True))
        database.save_attempts([Attempt(delivery, number, state, 1, 1.0, 2.0, 3.0, 500, "refused")])
    assert webhook_problems(database, NOW) == [
        (
            "The receiver of the webhook chat has said that it is gone, so it is sent nothing more.",
            "seed-server webhook resume chat",
        ),
        ("2 events for the webhook chat were given up.", "seed-server webhook redeliver chat --dead"),
    ]
