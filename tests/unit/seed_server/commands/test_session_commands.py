"""`seed-server people sessions`, `end-sessions` and `keys`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.errors import FaultKind
from seed_server.commands import acting
from seed_server.commands.acting import TOKEN_VARIABLE
from seed_server.commands.main import seed_server
from seed_server.fleet.context import Context
from seed_server.fleet.web_logins import begin_login
from seed_server.fleet.web_sessions import BegunSession, CameFrom, session_of
from seed_server.settings.home import ServerHome
from seed_server.store.session_records import PasskeyRow
from tests.helpers.command_results import refused, shown
from tests.helpers.fake_clock import FakeClock
from tests.helpers.people import PASSWORD, cheap_passwords, copied, new_home, person

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("server"))


@pytest.fixture
def context(home: ServerHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    cheap_passwords(monkeypatch)
    made, _ = copied(home, tmp_path)
    monkeypatch.setattr(SystemClock, "now", lambda _clock: FakeClock().wall)
    person(made, "ola", "operator")
    person(made, "eve", "viewer")
    return made


@pytest.fixture
def run(context: Context, monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*arguments: str, typed: str | None = None) -> Result:
        monkeypatch.setattr(acting, "somebody_answers", lambda: typed is not None)
        env = {"SEED_SERVER_HOME": str(context.home.root), TOKEN_VARIABLE: None}
        return CliRunner(env=env).invoke(seed_server, arguments, input=typed)

    return run


def logged_in(context: Context) -> BegunSession:
    made = begin_login(context, "b", "ola", PASSWORD, "", CameFrom("10.0.0.7", "10.0.0.7", "Firefox\u202e, Linux"))
    assert isinstance(made, BegunSession)
    return made


def test_sessions_are_listed_and_ended(context: Context, run: Run) -> None:
    assert "ola is logged in with no browser." in shown(run("people", "sessions", "ola"))
    first, second = logged_in(context), logged_in(context)
    table = shown(run("people", "sessions", "ola"))
    assert first.row.session_id in table
    assert "10.0.0.7" in table
    assert "\u202e" not in table
    found = json.loads(shown(run("people", "sessions", "ola", "--json")))
    assert {one["id"] for one in found} == {first.row.session_id, second.row.session_id}
    assert (found[0]["by"], found[0]["factor_at"], found[0]["address"]) == ("password", None, "10.0.0.7")
    ended = json.loads(shown(run("people", "end-sessions", "ola", "--session", first.row.session_id, "--json")))
    assert ended == {"person": "ola", "ended": 1}
    assert session_of(context, first.cookie) is None
    assert "that were ended: 1." in shown(run("people", "end-sessions", "ola"))
    assert session_of(context, second.cookie) is None
    refused(run("people", "end-sessions", "ola", "--session", "x"), "people sessions ola", FaultKind.BAD_INPUT)


def test_each_sees_their_own_alone(context: Context, run: Run) -> None:
    logged_in(context)
    for command in ("sessions", "keys", "end-sessions"):
        refused(run("--as", "eve", "people", command, "ola", typed=f"{PASSWORD}\n\n"), "'people'", FaultKind.REFUSED)
        assert run("--as", "ola", "people", command, "ola", typed=f"{PASSWORD}\n\n").exit_code == 0


def test_keys_are_listed_and_taken_away(context: Context, run: Run) -> None:
    assert "ola has no keys." in shown(run("people", "keys", "ola"))
    with context.database() as database:
        database.add_passkey(PasskeyRow("k1", "ola", "blue", b"id", b"cose", 0, FakeClock().wall))
    assert "blue" in shown(run("people", "keys", "ola"))
    (key,) = json.loads(shown(run("people", "keys", "ola", "--json")))
    assert (key["id"], key["name"], key["used_at"]) == ("k1", "blue", None)
    assert "The key blue of ola opens nothing any more." in shown(run("people", "keys", "ola", "--remove", "k1"))
    refused(run("people", "keys", "ola", "--remove", "k1"), "has no key", FaultKind.BAD_INPUT)
