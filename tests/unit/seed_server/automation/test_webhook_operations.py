"""`seed_server.automation.webhook_operations`: each with its entry, and no secret in any record."""

import contextlib
import sqlite3
from collections.abc import Callable

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.automation import webhook_operations
from seed_server.automation.webhook_operations import FORMER_SECRET_SECONDS, MAX_WEBHOOKS, known_webhook
from seed_server.automation.webhook_queries import read_deliveries, read_webhook, read_webhooks
from seed_server.automation.webhook_secrets import opened_secrets
from seed_server.automation.webhook_signing import secret_of, secret_text
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.operation import DECLARED
from seed_server.fleet.roles import PersonScope, Rights, rights_of
from seed_server.store.webhook_records import DEAD, SENT, WAITING, Attempt, NewDelivery, WebhookRow
from tests.helpers.fake_clock import FakeClock
from tests.helpers.webhook_home import ADA, entries, happen

URL = "https://chat.example.com/hooks/7?key=x"


def add(context: Context, name: str = "chat", actor: Actor = ADA) -> str:
    made = webhook_operations.add_webhook(context, actor, name, URL, events=["token", "rollout"])
    return made.secret


def row_of(context: Context, name: str = "chat") -> WebhookRow:
    with context.database() as database:
        return known_webhook(database, name)


def deliver(context: Context, *states: int) -> list[int]:
    """Give the webhook deliveries that have come to these states; return their numbers."""
    row = row_of(context)
    numbers = []
    with context.database() as database:
        for place, state in enumerate(states):
            event = NewDelivery(f"evt_{place}", place, "token.made", 1.0, b"{}", True)
            number = database.add_delivery(row.number, event)
            if state != WAITING:
                ended = Attempt(number, row.number, state, 1, 1.0, 2.0, 3.0, 500, "refused")
                database.save_attempts([ended])
            numbers.append(number)
    return numbers


def refused(kind: FaultKind, words: str, act: Callable[[], object]) -> None:
    with pytest.raises(UserError, match=words) as caught:
        act()
    assert caught.value.kind is kind


ALL: dict[str, Callable[[Context], object]] = {
    "add_webhook": lambda context: add(context, "other"),
    "ping_webhook": lambda context: webhook_operations.ping_webhook(context, ADA, "chat"),
    "rotate_secret": lambda context: webhook_operations.rotate_secret(context, ADA, "chat"),
    "redeliver": lambda context: webhook_operations.redeliver(context, ADA, "chat"),
    "pause_webhook": lambda context: webhook_operations.pause_webhook(context, ADA, "chat"),
    "resume_webhook": lambda context: webhook_operations.resume_webhook(context, ADA, "chat"),
    "remove_webhook": lambda context: webhook_operations.remove_webhook(context, ADA, "chat"),
}


def test_every_operation_needs_the_right_and_has_one_entry(context: Context) -> None:
    module = webhook_operations.__name__
    declared = {name.rpartition(".")[2]: right for name, right in DECLARED.items() if name.startswith(module)}
    assert set(declared) == set(ALL)
    assert {right for right, _ in declared.values()} == {"webhooks"}
    secrets = [add(context)]
    deliver(context, DEAD)
    for name, run in ALL.items():
        known = len(entries(context))
        run(context)
        (entry,) = entries(context)[known:]
        assert (entry.actor, entry.subject) == ("local:ada", "other" if name == "add_webhook" else "chat"), name
        assert "webhook" in entry.operation, name
        assert entry.before != entry.after, name
        assert "hooks/7" not in str(entry), "what follows the host may be a secret"
        assert secrets[0] not in str(entry)


@pytest.mark.parametrize(
    "rights",
    [rights_of(frozenset({"operator", "auditor", "network-admin", "approver"}), PersonScope()),
     Rights(frozenset({"webhooks"}), PersonScope(sites=frozenset({"oslo"})))],
)  # fmt: skip
def test_who_has_not_the_right_for_the_whole_fleet_may_nothing(context: Context, rights: Rights) -> None:
    add(context)
    bob = Actor("bob", "password", rights)
    known = entries(context)
    for run in (
        lambda: add(context, "other", bob),
        lambda: webhook_operations.remove_webhook(context, bob, "chat"),
        lambda: webhook_operations.rotate_secret(context, bob, "chat"),
    ):
        refused(FaultKind.REFUSED, "may .*webhooks", run)
    assert entries(context) == known


def test_a_secret_is_shown_once_and_kept_sealed(context: Context, clock: FakeClock) -> None:
    text = add(context)
    assert opened_secrets(context.home, row_of(context), clock.now()) == [secret_of(text)]
    raw = context.home.database.read_bytes()
    with contextlib.closing(sqlite3.connect(context.home.database)) as connection:
        dump = "\n".join(connection.iterdump())
    assert secret_of(text).hex() not in dump.lower()
    assert secret_of(text) not in raw
    assert context.home.webhooks_key.stat().st_mode & 0o777 == 0o600


def test_a_secret_that_the_receiver_has_already(context: Context, clock: FakeClock) -> None:
    text = secret_text(b"s" * 24)
    made = webhook_operations.add_webhook(context, ADA, "chat", URL, events=["*"], secret=f"{text}\n")
    assert made.secret == text
    refused(
        FaultKind.BAD_INPUT,
        "random bytes",
        lambda: webhook_operations.add_webhook(context, ADA, "x", URL, events=["*"], secret="whsec_short"),
    )


def test_both_secrets_sign_for_a_day(context: Context, clock: FakeClock) -> None:
    first = secret_of(add(context))
    second = secret_of(webhook_operations.rotate_secret(context, ADA, "chat").secret)
    assert opened_secrets(context.home, row_of(context), clock.now()) == [second, first]
    third = secret_of(webhook_operations.rotate_secret(context, ADA, "chat").secret)
    assert opened_secrets(context.home, row_of(context), clock.now() + FORMER_SECRET_SECONDS - 1) == [third, second]
    assert opened_secrets(context.home, row_of(context), clock.now() + FORMER_SECRET_SECONDS) == [third]
    fourth = secret_of(webhook_operations.rotate_secret(context, ADA, "chat", at_once=True).secret)
    assert opened_secrets(context.home, row_of(context), clock.now()) == [fourth]


def test_without_its_key_a_secret_is_of_no_use_and_says_what_to_do(context: Context, clock: FakeClock) -> None:
    add(context)
    context.home.webhooks_key.unlink()
    refused(
        FaultKind.STORAGE, "rotate-secret chat --at-once",
        lambda: opened_secrets(context.home, row_of(context), clock.now()),
    )  # fmt: skip
    new = webhook_operations.rotate_secret(context, ADA, "chat", at_once=True)
    assert opened_secrets(context.home, row_of(context), clock.now()) == [secret_of(new.secret)]


def test_one_begins_with_what_happens_from_now_on(context: Context) -> None:
    happen(context, 3)
    add(context)
    assert read_webhook(context, "chat").behind == 1, "that it was set up"


def test_names_and_numbers_are_bounded(context: Context) -> None:
    for number in range(MAX_WEBHOOKS):
        add(context, f"chat-{number}")
    refused(FaultKind.BAD_INPUT, "There is a webhook chat-0 already", lambda: add(context, "chat-0"))
    refused(FaultKind.REFUSED, "There are 20 webhooks", lambda: add(context, "one-more"))
    assert len(read_webhooks(context)) == MAX_WEBHOOKS


def test_what_is_not_there_or_not_so_is_refused(context: Context) -> None:
    refused(FaultKind.BAD_INPUT, "no webhook 'chat'", lambda: webhook_operations.pause_webhook(context, ADA, "chat"))
    add(context)
    refused(FaultKind.REFUSED, "not stopped", lambda: webhook_operations.resume_webhook(context, ADA, "chat"))
    webhook_operations.pause_webhook(context, ADA, "chat")
    refused(FaultKind.REFUSED, "stopped already", lambda: webhook_operations.pause_webhook(context, ADA, "chat"))
    refused(FaultKind.REFUSED, "Resume it first", lambda: webhook_operations.ping_webhook(context, ADA, "chat"))


def test_addresses_that_no_webhook_may_lead_to(context: Context) -> None:
    def at(url: str, *, plain_http: bool = False) -> Callable[[], object]:
        return lambda: webhook_operations.add_webhook(context, ADA, "chat", url, events=["*"], plain_http=plain_http)

    refused(FaultKind.REFUSED, "10.0.0.1 is within the company's networks", at("https://10.0.0.1/"))
    refused(FaultKind.BAD_INPUT, "only with --plain-http", at("http://chat.example.com/"))
    at("https://127.0.0.1/")()  # as the settings of this home allow


def test_one_resumes_where_it_was_or_from_now(context: Context, clock: FakeClock) -> None:
    add(context)
    webhook_operations.pause_webhook(context, ADA, "chat")
    happen(context, 4)
    webhook_operations.resume_webhook(context, ADA, "chat")
    assert read_webhook(context, "chat").behind == 7
    webhook_operations.pause_webhook(context, ADA, "chat")
    webhook_operations.resume_webhook(context, ADA, "chat", from_now=True)
    assert read_webhook(context, "chat").behind == 1


def test_what_waits_is_tried_at_once_when_one_resumes(context: Context, clock: FakeClock) -> None:
    add(context)
    (number,) = deliver(context, WAITING)
    with context.database() as database:
        later = Attempt(number, row_of(context).number, WAITING, 9, 1.0, clock.now() + 9_999, 3.0, 0, "timeout")
        database.save_attempts([later])
    webhook_operations.pause_webhook(context, ADA, "chat")
    webhook_operations.resume_webhook(context, ADA, "chat")
    (one,) = read_deliveries(context, "chat")
    assert (one.delivery.attempts, one.delivery.due_at) == (0, clock.now())


def test_what_is_sent_once_more(context: Context) -> None:
    add(context)
    sent, dead, other = deliver(context, SENT, DEAD, DEAD)
    assert webhook_operations.redeliver(context, ADA, "chat", [dead]) == 1
    refused(
        FaultKind.BAD_INPUT, "does not have all", lambda: webhook_operations.redeliver(context, ADA, "chat", [sent, 99])
    )
    assert [one.delivery.state for one in read_deliveries(context, "chat")] == ["dead", "waiting", "sent"]
    assert webhook_operations.redeliver(context, ADA, "chat") == 1
    assert webhook_operations.redeliver(context, ADA, "chat", [sent, other]) == 2
    assert {one.delivery.state for one in read_deliveries(context)} == {"waiting"}
    assert [one.webhook for one in read_deliveries(context, states=("dead",))] == []
