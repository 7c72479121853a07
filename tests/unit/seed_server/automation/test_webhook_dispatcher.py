"""`seed_server.automation.webhook_dispatcher`: real receivers get every event, and none delays another."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
from structlog.testing import capture_logs

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.automation import webhook_operations
from seed_server.automation.webhook_dispatcher import WebhookDispatcher, webhook_sender
from seed_server.automation.webhook_operations import FORMER_SECRET_SECONDS
from seed_server.automation.webhook_outbox import PARALLEL
from seed_server.automation.webhook_queries import read_deliveries, read_webhook
from seed_server.automation.webhook_retries import GIVEN_UP_AFTER_SECONDS
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.sections import WebhookSettings
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.database import Database
from tests.helpers.fake_clock import FakeClock
from tests.helpers.postgresql import PostgresServer
from tests.helpers.webhook_home import ADA, ALLOW, add, entries, happen, subjects, verified
from tests.helpers.webhook_receiver import Receiver, webhook_receiver

LONGEST_SECONDS = 15.0


@pytest.fixture
def database(context: Context) -> Iterator[Database]:
    with context.database() as opened:
        yield opened


@asynccontextmanager
async def dispatching(context: Context, database: Database, *, attempt_seconds: float = 5.0) -> AsyncIterator[None]:
    """Send webhooks while the block runs."""
    sender = replace(webhook_sender(context.home, context.settings().webhooks), attempt_seconds=attempt_seconds)
    dispatcher = WebhookDispatcher(
        context, database, sender, "hq", look_seconds=0.02, after_fault_seconds=0.05, jitter=lambda: 0.5
    )
    with trio.fail_after(LONGEST_SECONDS):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(dispatcher.run)
            yield
            nursery.cancel_scope.cancel()


def tried(context: Context, count: int) -> bool:
    return read_deliveries(context, "chat")[0].delivery.attempts == count


async def until(holds: Callable[[], object]) -> None:
    while not await trio.to_thread.run_sync(holds):  # noqa: ASYNC110 - another process's state tells nobody
        await trio.sleep(0.01)


async def test_every_event_arrives_once_signed_as_the_official_library_wants(
    context: Context, database: Database, receiver: Receiver
) -> None:
    context = replace(context, clock=SystemClock())  # the library compares with the real time
    made = add(context, receiver)
    async with dispatching(context, database):
        wanted = [token for _ in range(3) for token in await trio.to_thread.run_sync(happen, context, 5)]
        await until(lambda: len(receiver.requests) >= 15)
        await until(lambda: read_webhook(context, "chat").counts.sent == 15)
    assert sorted(subjects(receiver)) == sorted(wanted)
    assert len(receiver.ids) == len(set(receiver.ids)) == 15
    for request in receiver.requests:
        told = verified(request, made.secret)
        assert (told["type"], told["data"]["id"], told["data"]["server"]) == ("token.made", request.event_id, "hq")
        assert request.headers["content-type"] == "application/json"
    found = read_webhook(context, "chat").webhook
    assert found.succeeded_at
    assert not found.failing_since


async def test_a_home_on_postgresql_sends_the_same(
    postgres_server: PostgresServer, tmp_path: Path, receiver: Receiver
) -> None:
    home = ServerHome(tmp_path / "home")
    url = postgres_server.new_database()
    initialise(home, ServerSettings(name="hq", address="127.0.0.1", database_url=url), passphrase=None, now=1.8e9)
    home.settings.write_text(home.settings.read_text() + ALLOW)
    context = Context(home, FakeClock())
    add(context, receiver)
    receiver.status = lambda _: 500 if len(receiver.requests) == 1 else 204
    with context.database() as database:
        async with dispatching(context, database):
            wanted = await trio.to_thread.run_sync(happen, context, 5)
            await until(lambda: read_webhook(context, "chat").counts.sent == 4)
            assert await trio.to_thread.run_sync(webhook_operations.redeliver, context, ADA, "chat") == 0
            waiting = read_deliveries(context, "chat", states=("waiting",))
            numbers = [one.delivery.number for one in waiting]
            await trio.to_thread.run_sync(webhook_operations.redeliver, context, ADA, "chat", numbers)
            await until(lambda: read_webhook(context, "chat").counts.sent == 5)
    assert sorted(subjects(receiver)) == sorted(wanted)
    assert len(receiver.requests) == 6


async def test_both_secrets_sign_while_a_receiver_changes_over(
    context: Context, database: Database, receiver: Receiver, clock: FakeClock
) -> None:
    clock.wall = SystemClock().now()
    first = add(context, receiver).secret
    second = webhook_operations.rotate_secret(context, ADA, "chat").secret
    async with dispatching(context, database):
        await trio.to_thread.run_sync(happen, context)
        await until(lambda: receiver.requests)
        for secret in (first, second):
            verified(receiver.requests[0], secret)
        clock.wall += FORMER_SECRET_SECONDS
        await trio.to_thread.run_sync(happen, context)
        await until(lambda: len(receiver.requests) == 2)
    assert len(receiver.requests[0].headers["webhook-signature"].split()) == 2
    assert len(receiver.requests[1].headers["webhook-signature"].split()) == 1


async def test_what_fails_is_sent_again_with_the_same_id_until_it_is_taken(
    context: Context, database: Database, receiver: Receiver, clock: FakeClock
) -> None:
    receiver.status = lambda _: 500 if len(receiver.requests) < 4 else 200
    add(context, receiver)
    happen(context)
    with capture_logs() as logged:
        async with dispatching(context, database):
            for count, pause in ((1, 5.0), (2, 15.0), (3, 45.0)):
                await until(lambda: len(read_deliveries(context, "chat")) == 1)
                await until(partial(tried, context, count))
                clock.wall += pause - 0.1
                await trio.sleep(0.1)
                assert len(receiver.requests) == count
                clock.wall += 0.2
            await until(lambda: read_webhook(context, "chat").counts.sent)
    assert len(receiver.requests) == 4
    assert len(set(receiver.ids)) == 1
    assert len({request.body for request in receiver.requests}) == 1
    assert len([line for line in logged if line["event"] == "a webhook fails"]) == 1
    (one,) = read_deliveries(context, "chat")
    assert (one.delivery.attempts, one.delivery.outcome, one.delivery.status) == (4, "delivered", 200)


async def test_after_three_days_it_is_given_up_and_a_person_has_it_sent_again(
    context: Context, database: Database, receiver: Receiver, clock: FakeClock
) -> None:
    receiver.status = lambda _: 503
    add(context, receiver)
    happen(context)
    async with dispatching(context, database):
        await until(lambda: read_webhook(context, "chat").webhook.failing_since)
        clock.wall += GIVEN_UP_AFTER_SECONDS
        await until(lambda: read_webhook(context, "chat").counts.dead)
        (dead,) = read_deliveries(context, "chat", states=("dead",))
        assert (dead.delivery.outcome, dead.delivery.status, dead.delivery.attempts) == ("refused", 503, 2)
        clock.wall += GIVEN_UP_AFTER_SECONDS
        await trio.sleep(0.1)
        assert len(receiver.requests) == 2
        receiver.status = lambda _: 204
        assert await trio.to_thread.run_sync(webhook_operations.redeliver, context, ADA, "chat") == 1
        await until(lambda: read_webhook(context, "chat").counts.sent)
    assert len(receiver.requests) == 3
    assert len(set(receiver.ids)) == 1


async def test_one_that_says_it_is_gone_is_disabled_until_somebody_resumes_it(
    context: Context, database: Database, receiver: Receiver, clock: FakeClock
) -> None:
    receiver.status = lambda _: 410
    add(context, receiver)
    happen(context)
    async with dispatching(context, database):
        await until(lambda: read_webhook(context, "chat").webhook.stopped == "gone")
        assert [one.actor for one in entries(context) if one.operation == "disable webhook"] == ["engine"]
        wanted = await trio.to_thread.run_sync(happen, context, 2)
        clock.wall += 3_600.0
        await trio.sleep(0.1)
        assert len(receiver.requests) == 1
        receiver.status = lambda _: 204
        await trio.to_thread.run_sync(webhook_operations.resume_webhook, context, ADA, "chat")
        await until(lambda: read_webhook(context, "chat").counts.sent == 3)
    assert set(wanted) < set(subjects(receiver))


async def test_receivers_that_hang_refuse_or_fail_delay_no_other(
    context: Context, database: Database, receiver: Receiver
) -> None:
    with webhook_receiver() as hanging, webhook_receiver() as failing:
        hanging.pause_seconds = 60.0
        failing.status = lambda _: 500
        for name, one in (("a", hanging), ("b", failing), ("chat", receiver)):
            add(context, one, name)
        async with dispatching(context, database, attempt_seconds=60.0):
            wanted = await trio.to_thread.run_sync(happen, context, 30)
            began = trio.current_time()
            await until(lambda: len(receiver.requests) == 30)
            assert trio.current_time() - began < 5.0
        assert sorted(subjects(receiver)) == sorted(wanted)
        assert len(hanging.requests) == PARALLEL, "and it is not flooded either"


async def test_a_ping_goes_to_its_webhook_alone_whatever_that_wants(
    context: Context, database: Database, receiver: Receiver
) -> None:
    with webhook_receiver() as other:
        add(context, other, "other", "*")
        add(context, receiver, "chat", "rollout")
        async with dispatching(context, database):
            await trio.to_thread.run_sync(webhook_operations.ping_webhook, context, ADA, "chat")
            await until(lambda: read_webhook(context, "chat").counts.sent)
            await until(lambda: len(other.requests) == 3)
        assert [one.event_id[:5] for one in receiver.requests] == ["ping_"]
        assert all(b"webhook.ping" not in one.body for one in other.requests)


async def test_one_that_leads_where_it_must_not_is_sent_nothing(
    context: Context, database: Database, receiver: Receiver
) -> None:
    add(context, receiver)
    happen(context)
    text = context.home.settings.read_text()
    context.home.settings.write_text(text.replace("127.0.0.0/8", "10.0.0.0/8"))
    async with dispatching(context, database):
        await until(lambda: read_webhook(context, "chat").webhook.failing_since)
    assert read_deliveries(context, "chat")[0].delivery.outcome == "not_allowed"
    assert receiver.requests == []


async def test_a_database_that_fails_stops_it_for_a_while_and_loses_nothing(
    context: Context, database: Database, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails between an answer and its record: that is kept, and written when it can be."""
    add(context, receiver)
    real, fails = Database.save_attempts, 3

    def save(self: Database, attempts: list[object]) -> None:
        nonlocal fails
        fails -= 1
        if fails >= 0:
            raise UserError("The database is busy.", FaultKind.BUSY)
        real(self, attempts)  # type: ignore[arg-type]

    monkeypatch.setattr(Database, "save_attempts", save)
    with capture_logs() as logged:
        async with dispatching(context, database):
            await trio.to_thread.run_sync(happen, context)
            await until(lambda: read_webhook(context, "chat").counts.sent)
    assert len(receiver.requests) == 1, "it was not sent again meanwhile"
    assert [line["reason"] for line in logged if line["event"] == "webhooks are not sent now"] == [
        "The database is busy."
    ]


async def test_a_secret_that_cannot_be_opened_is_said_in_the_list(
    context: Context, database: Database, receiver: Receiver
) -> None:
    add(context, receiver)
    context.home.webhooks_key.unlink()
    happen(context)
    async with dispatching(context, database):
        await until(lambda: read_webhook(context, "chat").webhook.failing_since)
    assert read_deliveries(context, "chat")[0].delivery.outcome == "no_secret"
    assert receiver.requests == []


def test_certificates_that_cannot_be_used_are_said(context: Context) -> None:
    sender = webhook_sender(context.home, WebhookSettings(ca_file="none.pem"))
    with pytest.raises(UserError, match="ca_file"):
        sender.tls()
