"""`seed-server webhook`, as a person and a program run it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.console import ExitCode
from p2pdist.shared.errors import FaultKind
from seed_server.automation import webhook_queries
from seed_server.automation.webhook_signing import secret_of, secret_text
from seed_server.commands import webhook_commands
from seed_server.commands.main import seed_server
from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome
from seed_server.store.webhook_records import DEAD, SENT, WAITING, Attempt, DeliveryRow, NewDelivery
from tests.helpers.command_results import refused, shown
from tests.helpers.fake_clock import FakeClock
from tests.helpers.webhook_home import copied_home, webhook_home

Run = Callable[..., Result]
URL = "https://chat.example.com/hooks/7"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return webhook_home(tmp_path_factory.mktemp("server"))


@pytest.fixture
def context(home: ServerHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    monkeypatch.setattr(SystemClock, "now", lambda _clock: FakeClock().wall)
    return copied_home(home, tmp_path)


@pytest.fixture
def run(context: Context) -> Run:
    def invoke(*arguments: str) -> Result:
        env = {"SEED_SERVER_HOME": str(context.home.root), "COLUMNS": "140"}
        return CliRunner(env=env).invoke(seed_server, ["webhook", *arguments])

    return invoke


def add(run: Run, name: str = "chat", *more: str) -> Result:
    return run("add", URL, "--name", name, "--events", "rollout", "--events", "approval.needed", *more)


def deliver(context: Context, *states: int) -> list[int]:
    numbers = []
    with context.database() as database:
        (row,) = database.webhooks()
        for place, state in enumerate(states):
            number = database.add_delivery(
                row.number, NewDelivery(f"evt_{place}", place, "rollout.halted", 1.0, b"{}", True)
            )
            if state != WAITING:
                done = Attempt(number, row.number, state, 3, 1.0, 2.0, 3.0, 503, "refused")
                database.save_attempts([done])
            numbers.append(number)
    return numbers


def test_a_webhook_is_set_up_shown_and_removed(run: Run) -> None:
    assert "No webhooks" in shown(run("list"))
    secret = shown(add(run)).strip()
    assert len(secret_of(secret)) == 32
    (row,) = json.loads(shown(run("list", "--json")))
    assert (row["name"], row["url"], row["events"], row["state"]) == (
        "chat", URL, ["approval.needed", "rollout"], "active",
    )  # fmt: skip
    assert (row["waiting"], row["dead"], row["behind"], row["succeeded_at"], row["plain_http"]) == (
        0, 0, 1, None, False,
    )  # fmt: skip
    assert row["made_by"].startswith("local:")
    assert row == json.loads(shown(run("show", "chat", "--json")))
    for page in (shown(run("list")), shown(run("show", "chat"))):
        assert "chat" in page
        assert URL in page
        assert "approval.needed, rollout" in page
        assert secret not in page
    assert json.loads(shown(run("remove", "chat", "--json"))) == {"name": "chat"}
    refused(run("show", "chat"), "There is no webhook 'chat'", FaultKind.BAD_INPUT)


def test_what_programs_get_of_a_new_one(run: Run, tmp_path: Path) -> None:
    made = json.loads(shown(add(run, "chat", "--json")))
    assert (made["name"], made["former_secret_until"]) == ("chat", None)
    file = tmp_path / "secret"
    file.write_text(f"{secret_text(b'x' * 24)}\n")
    rotated = json.loads(shown(run("rotate-secret", "chat", "--secret-file", str(file), "--json")))
    assert rotated["secret"] == secret_text(b"x" * 24)
    assert rotated["former_secret_until"] == FakeClock().wall + 86_400
    assert "former secret signs too" in shown(run("show", "chat"))
    assert shown(run("rotate-secret", "chat", "--at-once")).startswith("whsec_")
    assert "former secret" not in shown(run("show", "chat"))


def test_wrong_words_are_refused_in_words(run: Run, tmp_path: Path) -> None:
    refused(run("add", "http://x.test/", "--name", "x", "--events", "*"), "--plain-http", FaultKind.BAD_INPUT)
    refused(run("add", URL, "--name", "x", "--events", "rolout"), "did you mean rollout", FaultKind.BAD_INPUT)
    refused(run("add", URL, "--name", "X", "--events", "*"), "is no name of a webhook", FaultKind.BAD_INPUT)
    refused(run("add", "https://10.0.0.1/", "--name", "x", "--events", "*"), "allow in [webhooks]")
    for content in (b"whsec_" + b"a" * 300, b"\xff\xfe"):
        (tmp_path / "secret").write_bytes(content)
        refused(add(run, "x", "--secret-file", str(tmp_path / "secret")), "holds no secret", FaultKind.BAD_INPUT)
    refused(add(run, "x", "--secret-file", str(tmp_path / "none")), "Cannot read", FaultKind.BAD_INPUT)
    assert run("redeliver", "chat").exit_code == ExitCode.USAGE
    assert run("redeliver", "chat", "1", "--dead").exit_code == ExitCode.USAGE


def test_one_is_paused_and_goes_on(run: Run) -> None:
    add(run)
    assert "is paused" in shown(run("pause", "chat"))
    assert "what happens is kept for it" in shown(run("show", "chat"))
    assert json.loads(shown(run("show", "chat", "--json")))["state"] == "paused"
    assert json.loads(shown(run("resume", "chat", "--json")))["state"] == "active"
    assert json.loads(shown(run("pause", "chat", "--json")))["state"] == "paused"
    assert "goes on" in shown(run("resume", "chat", "--from-now"))
    assert "removed" in shown(run("remove", "chat"))


def test_deliveries_are_pages_and_the_dead_are_sent_again(run: Run, context: Context) -> None:
    add(run)
    assert "no such delivery" in shown(run("deliveries", "chat"))
    sent, dead, waiting = deliver(context, SENT, DEAD, WAITING)
    page = json.loads(shown(run("deliveries", "chat", "--limit", "2", "--json")))
    assert [one["number"] for one in page["deliveries"]] == [waiting, dead]
    assert page["next"] == dead
    rest = json.loads(shown(run("deliveries", "chat", "--before", str(dead), "--json")))
    assert [one["number"] for one in rest["deliveries"]] == [sent]
    assert rest["next"] is None
    (only,) = json.loads(shown(run("dead", "--json")))["deliveries"]
    assert only == {
        "number": dead, "webhook": "chat", "id": "evt_1", "type": "rollout.halted", "entry": 1, "happened_at": 1.0,
        "state": "dead", "attempts": 3, "outcome": "refused", "status": 503, "next_at": None, "ended_at": 3.0,
    }  # fmt: skip
    table = shown(run("deliveries", "chat", "--limit", "3"))
    for words in ("rollout.halted", "the receiver answered 503", "waiting", "dead", "There may be more"):
        assert words in table
    assert "To be sent once more: 1" in shown(run("redeliver", "chat", "--dead"))
    again = json.loads(shown(run("redeliver", "chat", str(sent), "--json")))
    assert again == {"webhook": "chat", "deliveries": 1}
    assert json.loads(shown(run("dead", "--name", "chat", "--json")))["deliveries"] == []


def test_a_trial_says_that_no_server_runs(run: Run) -> None:
    add(run)
    result = run("test", "chat")
    assert result.exit_code == ExitCode.FAILED
    assert "is the server running?" in result.output


def test_a_trial_says_what_came_of_it(run: Run, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    add(run)
    monkeypatch.setattr(webhook_commands, "is_serving", lambda _home: True)
    answers = [(SENT, 204, "delivered"), (WAITING, 0, "timeout")]

    def sent(database_context: Context, number: int) -> DeliveryRow | None:
        state, status, outcome = answers[0]
        with database_context.database() as database:
            (hook,) = database.webhooks()
            attempt = Attempt(number, hook.number, state, 1, 1.0, 2.0, 3.0, status, outcome)
            database.save_attempts([attempt])
            return database.delivery(number)

    monkeypatch.setattr(webhook_queries, "read_delivery", sent)
    assert shown(run("test", "chat")) == "chat: the receiver took it (204)\n"
    answers.pop(0)
    failed = run("test", "chat", "--json")
    assert failed.exit_code == ExitCode.FAILED
    told = json.loads(failed.stdout)
    assert (told["type"], told["entry"], told["outcome"], told["status"]) == ("webhook.ping", None, "timeout", None)


def test_a_right_for_it_is_enough_and_others_are_none(run: Run, context: Context) -> None:
    from seed_server.fleet.people_operations import add_person
    from tests.helpers.people import ROOT

    for role in ("operator", "auditor"):
        add_person(context, ROOT, role, roles=[role], password=None)
    env = {"SEED_SERVER_HOME": str(context.home.root)}
    made = CliRunner(env=env).invoke(
        seed_server, ["api-token", "make", "look", "--right", "look", "--ttl", "1d", "--for", "operator"]
    )
    env["SEED_SERVER_API_TOKEN"] = shown(made).strip()
    refused(CliRunner(env=env).invoke(seed_server, ["webhook", "list"]), "the right 'webhooks' is missing")


def test_names_of_webhooks_are_completed(run: Run, context: Context) -> None:
    from seed_server.fleet.known_names import names_of_state

    add(run)
    assert names_of_state(context, "webhook", "ch", 10) == [("chat", "approval.needed rollout")]
