"""`seed-server login` and `logout`, as a person runs them, with a browser and a provider over real HTTP."""

import json
import webbrowser
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec
import pytest
from click.testing import CliRunner, Result

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.console import ExitCode
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.answers.people import LoginDocument
from seed_server.commands import login_answer, login_commands
from seed_server.commands.main import seed_server
from seed_server.settings.home import ServerHome
from tests.helpers.command_results import refused, shown
from tests.helpers.fake_clock import FakeClock
from tests.helpers.oidc_provider import CLIENT, SECRET, OidcProvider, oidc_provider
from tests.helpers.people import cheap_passwords, copied, new_home

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("server"))


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with oidc_provider(FakeClock().wall) as running:
        yield running


@pytest.fixture
def run(made: ServerHome, provider: OidcProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs a command line of this user, whose browser logs in at the provider."""
    cheap_passwords(monkeypatch)
    home = copied(made, tmp_path)[0].home
    (home.root / "oidc-secret").write_text(SECRET)
    (home.root / "oidc-secret").chmod(0o600)
    with home.settings.open("a") as file:
        file.write(f'[oidc]\nissuer = "{provider.address}"\nclient_id = "{CLIENT}"\n')
        file.write('client_secret_file = "oidc-secret"\n')
        file.write('[[oidc.groups]]\ngroup = "patch-operators"\nroles = ["operator"]\n')
    monkeypatch.setattr(SystemClock, "now", lambda _clock: FakeClock().wall)
    monkeypatch.setattr(login_commands, "_has_browser", lambda: True)
    monkeypatch.setattr(webbrowser, "open", provider.browse)
    env = {"SEED_SERVER_HOME": str(home.root), "XDG_STATE_HOME": str(tmp_path / "state")}
    return lambda *arguments: CliRunner(env=env).invoke(seed_server, arguments)


def test_a_login_in_a_browser_is_used_by_later_commands_until_logout(
    run: Run, provider: OidcProvider, tmp_path: Path
) -> None:
    result = run("login")
    assert "You are alice: operator; for: the whole fleet." in shown(result)
    assert "seed-server --as alice COMMAND" in result.stdout
    assert f"{provider.address}/authorize?" in result.stderr
    (kept,) = (tmp_path / "state" / "seed-server").iterdir()
    token = kept.read_text().strip()
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert token not in result.output
    assert SECRET not in result.output
    shown(run("--as", "alice", "token"))
    (row,) = json.loads(shown(run("token", "list", "--json")))
    assert row["made_by"] == "alice (oidc)"
    refused(run("--as", "alice", "audit", "list"), "right 'audit' is missing")
    (person,) = json.loads(shown(run("people", "list", "--json")))
    assert (person["subject"], person["password"]) == (f"{provider.address} u-17", False)
    log = json.loads(shown(run("audit", "list", "--json")))
    assert [(one["operation"], one["known_by"]) for one in log if one["actor"] == "alice"][-1:] == [("log in", "oidc")]
    assert token not in json.dumps(log)
    kept.chmod(0o640)
    refused(run("--as", "alice", "token"), "Others on this machine can read")
    kept.chmod(0o600)
    assert shown(run("logout")) == "alice is logged out.\n"
    assert not kept.exists()
    refused(run("--as", "alice", "token"), "Do it with: seed-server login")
    assert shown(run("logout")) == "Nobody is logged in here, as this user.\n"
    refused(run("logout", "alice"), "'alice' is not logged in here", FaultKind.BAD_INPUT)
    kept.write_text(token)
    kept.chmod(0o600)
    refused(run("--as", "alice", "token"), "The login of alice has ended")


def test_a_login_prints_a_document_and_names_nobody(run: Run) -> None:
    document = json.loads(shown(run("login", "--json")))
    assert json.loads(msgspec.json.encode(msgspec.convert(document, LoginDocument, strict=True))) == document
    assert document["ends_at"] == FakeClock().wall + 8 * 3_600
    assert (document["name"], document["roles"], document["sites"]) == ("alice", ["operator"], [])
    assert run("--as", "alice", "login").exit_code == ExitCode.USAGE


def test_a_login_by_a_code_needs_no_browser_here(
    run: Run, provider: OidcProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", None)
    provider.device = lambda found: found.update(interval=1)
    result = run("login", "--device")
    assert "You are alice: operator; for: the whole fleet." in shown(result)
    for line in (f"  {provider.address}/go", "  WDJB-MJHT", f"  {provider.address}/go?code=WDJB-MJHT"):
        assert line in result.stderr.splitlines()
    (kept,) = (tmp_path / "state" / "seed-server").iterdir()
    assert kept.read_text().strip() not in result.output
    shown(run("--as", "alice", "token"))
    assert run("login", "--device", "--port", "8400").exit_code == ExitCode.USAGE


async def test_an_answer_with_another_state_is_waited_past() -> None:
    with login_answer.listening(0) as listener, ThreadPoolExecutor(1) as pool:
        address = login_answer.redirect_uri(listener)
        wait = login_answer.AnswerWait(listener, "right", "https://login.example.com/", seconds=0.3)
        forged = pool.submit(httpx.get, f"{address}?state=forged&code=1", trust_env=False)
        with pytest.raises(UserError) as caught:
            await wait.run(open_browser=False)
        assert forged.result().status_code == 400
    assert caught.value.kind is FaultKind.FAILED
    assert "No answer came from the browser" in caught.value.message


def test_who_declines_at_the_provider_is_told_what_it_said(run: Run, provider: OidcProvider) -> None:
    provider.answer = lambda answer: answer.update(code="", error="access_denied")
    refused(run("login"), "let nobody in: access_denied")


def test_the_browser_is_started_with_an_address_that_works_once() -> None:
    with login_answer.listening(0) as listener:
        wait = login_answer.AnswerWait(listener, "right", "https://login.example.com/authorize?state=right")
        assert "right" not in wait.start_address
        host = f"127.0.0.1:{listener.getsockname()[1]}"
        start = wait.start_address.partition(host)[2]

        def ask(target: str, host: str = host) -> bytes:
            return wait.answer_to(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()).partition(b"\r\n")[0]

        assert ask(start, "evil.example") == b"HTTP/1.1 400 Bad Request"
        assert ask(start) == b"HTTP/1.1 302 Found"
        assert ask(start) == b"HTTP/1.1 404 Not Found"
        assert ask("/favicon.ico") == b"HTTP/1.1 404 Not Found"
        assert wait.answer_to(b"POST / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")
        for wrong in (
            "",
            "?code=1",
            "?state=wrong&code=1",
            "?state=right&state=right",
            "?state=%C3%A4",
            "?" + "a=1&" * 30,
        ):
            assert ask(f"/callback{wrong}") == b"HTTP/1.1 400 Bad Request"
        assert ask("/callback?state=right&code=1") == b"HTTP/1.1 200 OK"
        assert ask("/callback?state=right&code=2") == b"HTTP/1.1 400 Bad Request"
        assert wait._answer == {"state": "right", "code": "1"}
        with pytest.raises(UserError) as caught, login_answer.listening(listener.getsockname()[1]):
            pass
    assert caught.value.kind is FaultKind.BUSY


async def test_connections_that_say_nothing_do_not_keep_the_answer_away() -> None:
    with login_answer.listening(0) as listener, ThreadPoolExecutor(1) as pool:
        port = listener.getsockname()[1]
        wait = login_answer.AnswerWait(listener, "right", "https://login.example.com/")

        def browse() -> int:
            import socket

            idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
            with httpx.Client(trust_env=False) as client:
                status = client.get(f"http://127.0.0.1:{port}/callback?state=right&code=1").status_code
            for one in idle:
                one.close()
            return status

        answered: Future[int] = pool.submit(browse)
        assert await wait.run(open_browser=False) == {"state": "right", "code": "1"}
        assert answered.result() == 200
