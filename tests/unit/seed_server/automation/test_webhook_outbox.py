"""`seed_server.automation.webhook_outbox`: what is taken from the audit log, when it is told, and what is due."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from seed_server.automation import webhook_operations
from seed_server.automation.webhook_operations import known_webhook
from seed_server.automation.webhook_outbox import (
    ENDED_KEPT_SECONDS,
    FORGET_EVERY_SECONDS,
    MAX_OPEN_DELIVERIES,
    PARALLEL,
    Sending,
    WebhookOutbox,
)
from seed_server.automation.webhook_queries import read_deliveries, read_webhook
from seed_server.automation.webhook_retries import LONGEST_RETRY_WAIT_SECONDS
from seed_server.automation.webhook_signing import secret_of
from seed_server.backup.restoring_home import RestoreWish
from seed_server.fleet import endpoint_operations, operations
from seed_server.fleet.audit_log import NOT_CARRIED_OUT, AuditLog, Deed, Request
from seed_server.fleet.context import Context
from seed_server.store.database import Database
from seed_server.store.webhook_records import SENT, WAITING, Attempt, NewDelivery
from tests.helpers.backups import PASSPHRASE, backed_up, restored
from tests.helpers.fake_clock import FakeClock
from tests.helpers.rollout_company import Company
from tests.helpers.webhook_home import ADA, entries, happen

URL = "https://chat.example.com/"


@pytest.fixture
def database(context: Context) -> Iterator[Database]:
    with context.database() as opened:
        yield opened


@pytest.fixture
def outbox(context: Context, database: Database) -> WebhookOutbox:
    return WebhookOutbox(context, database, "hq")


def add(context: Context, name: str = "chat", *events: str) -> int:
    made = webhook_operations.add_webhook(context, ADA, name, URL, events=events or ("token",))
    return made.webhook.number


def answered(sending: Sequence[Sending], clock: FakeClock, state: int = SENT, due_at: float = 0.0) -> list[Attempt]:
    return [
        Attempt(
            one.delivery.number, one.webhook.number, state, one.delivery.attempts + 1, clock.now(), due_at, clock.now(),
            204 if state == SENT else 500, "delivered" if state == SENT else "refused",
        )
        for one in sending
    ]  # fmt: skip


def told(context: Context, name: str = "chat") -> list[tuple[str, str]]:
    return [(one.delivery.type, one.delivery.state) for one in reversed(read_deliveries(context, name, most=1_000))]


def test_what_is_subscribed_to_is_due_once(context: Context, outbox: WebhookOutbox, clock: FakeClock) -> None:
    add(context)
    happen(context, 2)
    with context.database() as database:
        database.add_endpoint("a" * 26, "pc-1", 1.0)
    endpoint_operations.deny(context, ADA, "pc-1")
    due = outbox.look([], {})
    assert [one.delivery.type for one in due] == ["token.made"] * 2
    assert len(due[0].secrets) == 1
    number = due[0].webhook.number
    assert outbox.look([], {number: {one.delivery.number for one in due}}) == []
    assert len(outbox.look([], {})) == 2, "as after a start"
    assert outbox.look(answered(due, clock), {}) == []
    assert told(context) == [("token.made", "sent")] * 2
    assert read_webhook(context, "chat").behind == 0


def test_each_webhook_has_what_it_wants(context: Context, outbox: WebhookOutbox) -> None:
    add(context, "all", "*")
    add(context, "tokens", "token")
    add(context, "none", "rollout")
    happen(context)
    outbox.look([], {})
    assert [kind for kind, _ in told(context, "all")] == ["webhook.added"] * 3 + ["token.made"]
    assert [kind for kind, _ in told(context, "tokens")] == ["token.made"]
    assert told(context, "none") == []
    ids = {one.delivery.event_id for name in ("all", "tokens") for one in read_deliveries(context, name)}
    assert len(ids) == 4, "an event has one id, whoever is told"


def test_at_most_a_few_are_under_way_to_one_receiver(context: Context, outbox: WebhookOutbox) -> None:
    number = add(context)
    happen(context, PARALLEL + 3)
    due = outbox.look([], {})
    assert len(due) == PARALLEL
    assert len(outbox.look([], {number: {due[0].delivery.number}})) == PARALLEL - 1
    assert outbox.look([], {number: {one.delivery.number for one in due}}) == []


def test_what_failed_is_due_when_its_time_has_come(context: Context, outbox: WebhookOutbox, clock: FakeClock) -> None:
    add(context)
    happen(context)
    due = outbox.look([], {})
    assert outbox.look(answered(due, clock, WAITING, clock.now() + 5.0), {}) == []
    clock.wall += 4.9
    assert outbox.look([], {}) == []
    clock.wall += 0.1
    (again,) = outbox.look([], {})
    assert (again.delivery.event_id, again.delivery.attempts) == (due[0].delivery.event_id, 1)
    assert again.delivery.body == due[0].delivery.body


def test_a_clock_that_was_set_back_does_not_make_it_wait_for_days(
    context: Context, outbox: WebhookOutbox, clock: FakeClock
) -> None:
    add(context)
    happen(context)
    outbox.look(answered(outbox.look([], {}), clock, WAITING, clock.now() + LONGEST_RETRY_WAIT_SECONDS), {})
    assert outbox.look([], {}) == []
    clock.wall -= 1.0
    assert len(outbox.look([], {})) == 1


def test_one_that_is_stopped_is_sent_nothing_and_loses_nothing(context: Context, outbox: WebhookOutbox) -> None:
    add(context)
    happen(context)
    outbox.look([], {})
    webhook_operations.pause_webhook(context, ADA, "chat")
    happen(context, 2)
    assert outbox.look([], {}) == []
    assert len(told(context)) == 1
    webhook_operations.resume_webhook(context, ADA, "chat")
    assert len(outbox.look([], {})) == 3


def test_a_receiver_that_is_gone_is_sent_nothing_more(context: Context, outbox: WebhookOutbox) -> None:
    number = add(context)
    outbox.disable("chat", number + 1)
    assert read_webhook(context, "chat").webhook.stopped == "", "another one has its name"
    for _ in range(2):
        outbox.disable("chat", number)
    happen(context)
    assert outbox.look([], {}) == []
    assert read_webhook(context, "chat").webhook.stopped == "gone"
    (entry,) = [one for one in entries(context) if one.operation == "disable webhook"]
    assert (entry.actor, entry.known_by, entry.subject) == ("engine", "engine", "chat")


def expect(context: Context, database: Database, subject: str) -> int:
    """Write the entry of something whose end is not known yet; return its number."""
    log = AuditLog(context.home, context.clock, Request(), context.database, "publish")
    return log.expect(database, log.entry(ADA, Deed("publish", subject, after=subject.encode())))


def settle(context: Context, database: Database, number: int, why_not: str | None) -> None:
    AuditLog(context.home, context.clock, Request(), context.database)._close(database, number, why_not)


def test_what_is_announced_is_told_when_it_is_carried_out(
    context: Context, database: Database, outbox: WebhookOutbox
) -> None:
    add(context, "chat", "patch", "token")
    first, second = (expect(context, database, f"office@{version}") for version in (1, 2))
    happen(context)
    (due,) = outbox.look([], {})
    assert due.delivery.type == "token.made", "what comes after it does not wait for it"
    assert [state for _, state in told(context)] == ["unsure", "unsure", "waiting"]
    settle(context, database, first, None)
    settle(context, database, second, "it was cut off")
    again = outbox.look([], {})
    assert sorted((one.delivery.type, one.delivery.entry) for one in again) == [
        ("patch.published", first), ("token.made", due.delivery.entry),
    ]  # fmt: skip
    assert entries(context)[-1].operation == NOT_CARRIED_OUT
    assert len(told(context)) == 2, "what was not carried out is never told"


def test_and_the_same_when_it_was_taken_back_before_anybody_looked(
    context: Context, database: Database, outbox: WebhookOutbox
) -> None:
    add(context, "chat", "patch")
    number = expect(context, database, "office@1")
    settle(context, database, number, "it was cut off")
    assert outbox.look([], {}) == []
    assert told(context) == []


def test_and_when_the_server_was_started_anew_in_between(
    context: Context, database: Database, outbox: WebhookOutbox
) -> None:
    add(context, "chat", "patch")
    numbers = [expect(context, database, f"office@{version}") for version in (1, 2)]
    assert outbox.look([], {}) == []
    settle(context, database, numbers[0], "it was cut off")
    settle(context, database, numbers[1], None)
    assert [one.delivery.entry for one in WebhookOutbox(context, database, "hq").look([], {})] == [numbers[1]]


def test_a_real_change_of_signed_files_is_told(context: Context, outbox: WebhookOutbox) -> None:
    from seed_server.signing.key_files import OfflineKeys

    add(context, "chat", "keys")
    operations.renew(context, ADA, OfflineKeys(context.home.offline_keys))
    assert [one.delivery.type for one in outbox.look([], {})] == ["keys.renewed"]


def test_what_a_receiver_cannot_take_stays_in_the_log(
    context: Context, database: Database, outbox: WebhookOutbox, clock: FakeClock
) -> None:
    number = add(context)
    row = known_webhook(database, "chat")
    happen(context, 3)
    some = [one._replace(event_id=f"evt_x{k}") for k, one in enumerate(_copies(context, outbox, row.number))]
    database.take_events(number, known_webhook(database, "chat").cursor, row.cursor, some)
    assert database.open_count(number) == MAX_OPEN_DELIVERIES
    before = known_webhook(database, "chat")
    happen(context, 2)
    outbox.look([], {})
    assert known_webhook(database, "chat").cursor == before.cursor
    done = database.due_deliveries(number, clock.now(), 4)
    ended = [Attempt(one.number, number, SENT, 1, 1.0, 1.0, 1.0, 204, "delivered") for one in done]
    outbox.look(ended, {})
    outbox.look([], {})
    assert known_webhook(database, "chat").cursor == database.audit_size()


def _copies(context: Context, outbox: WebhookOutbox, _webhook: int) -> list[NewDelivery]:
    outbox.look([], {})
    (one, *_) = read_deliveries(context, "chat")
    row = one.delivery
    event = NewDelivery(row.event_id, row.entry, row.type, row.at, row.body, is_sure=True)
    return [event] * (MAX_OPEN_DELIVERIES - 3)


def test_an_entry_that_cannot_be_read_stops_nothing(
    context: Context, database: Database, outbox: WebhookOutbox
) -> None:
    add(context)
    database.append_audit(lambda _number: b"of a newer release")
    happen(context)
    assert len(outbox.look([], {})) == 1


def test_secrets_that_cannot_be_opened_are_said_once_and_the_others_go_on(
    context: Context, outbox: WebhookOutbox
) -> None:
    from structlog.testing import capture_logs

    add(context, "a")
    add(context, "b")
    happen(context)
    with context.database() as database:
        row = known_webhook(database, "a")
        from msgspec.structs import replace

        database.change_webhook(replace(row, secret=b"spoilt"))
    with capture_logs() as logged:
        due = outbox.look([], {})
        outbox.look([], {})
    assert {one.webhook.name: len(one.secrets) for one in due} == {"a": 0, "b": 1}
    assert len([line for line in logged if line["event"] == "a webhook cannot be signed for"]) == 1


def test_what_has_ended_is_forgotten_after_its_days(context: Context, outbox: WebhookOutbox, clock: FakeClock) -> None:
    add(context)
    happen(context)
    outbox.look(answered(outbox.look([], {}), clock), {})
    clock.wall += ENDED_KEPT_SECONDS - 1
    happen(context)
    outbox.look([], {})
    assert len(told(context)) == 2
    clock.wall += FORGET_EVERY_SECONDS
    outbox.look([], {})
    assert told(context) == [("token.made", "waiting")]


def test_a_restored_server_sends_again_what_it_forgot_with_the_same_ids_and_nothing_under_an_id_of_another(
    company: Company, tmp_path: Path
) -> None:
    made = webhook_operations.add_webhook(company.context, ADA, "chat", URL, events=["*"])
    happen(company.context, 2)
    backed_up(company, tmp_path, PASSPHRASE)
    outbox = WebhookOutbox(company.context, company.database, "hq")
    sent = outbox.look([], {})
    outbox.look([one._replace(at=9.0) for one in answered(sent, company.clock)], {})
    happen(company.context, 3)
    forgotten = outbox.look([], {})
    context, _ = restored(tmp_path, RestoreWish(tmp_path / "backup", PASSPHRASE))
    with context.database() as database:
        anew = WebhookOutbox(context, database, "hq")
        again = anew.look([], {})
        anew.look(answered(again, company.clock), {})
        happen(context, 3)
        later = anew.look([], {})
    before = {one.delivery.event_id: one.delivery.body for one in sent}
    assert len(before) == 3
    assert {one.delivery.event_id: one.delivery.body for one in again if one.delivery.event_id in before} == before
    assert again[0].secrets == [secret_of(made.secret)], "the key that opens it is among the backup's keys"
    ids = {one.delivery.event_id for one in (*again, *later)}
    numbers = {one.delivery.entry for one in (*again, *later)}
    assert {one.delivery.entry for one in forgotten} & numbers, "the numbers come again"
    assert not {one.delivery.event_id for one in forgotten} & ids, "and the ids do not"
