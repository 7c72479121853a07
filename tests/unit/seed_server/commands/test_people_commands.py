"""`seed-server people`, `api-token`, `--as` and API tokens, as a person and a program run them."""

import json
from collections.abc import Callable
from pathlib import Path

import pyotp
import pytest
from click.testing import CliRunner, Result

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.console import ExitCode
from p2pdist.shared.errors import FaultKind
from seed_server.commands import acting
from seed_server.commands.acting import TOKEN_VARIABLE
from seed_server.commands.main import seed_server
from seed_server.fleet.roles import PERMISSIONS
from seed_server.settings.home import ServerHome
from tests.helpers.command_results import refused, shown
from tests.helpers.fake_clock import FakeClock
from tests.helpers.people import PASSWORD, cheap_passwords, copied, new_home

Run = Callable[..., Result]
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("server"))


@pytest.fixture
def run(home: ServerHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return what runs a command line; ``typed`` is typed on a terminal, without it there is none."""
    cheap_passwords(monkeypatch)
    context, _ = copied(home, tmp_path)
    monkeypatch.setattr(SystemClock, "now", lambda _clock: FakeClock().wall)

    def run(*arguments: str, typed: str | None = None, token: str | None = None) -> Result:
        monkeypatch.setattr(acting, "somebody_answers", lambda: typed is not None)
        env = {"SEED_SERVER_HOME": str(context.home.root), TOKEN_VARIABLE: token}
        return CliRunner(env=env).invoke(seed_server, arguments, input=typed)

    return run


def twice(text: str = PASSWORD) -> str:
    return f"{text}\n{text}\n"


def test_an_account_is_made_by_asking_for_its_password(run: Run) -> None:
    assert "No accounts yet" in shown(run("people", "list"))
    result = run("people", "add", "alice", "--role", "operator", "--role", "approver", typed=twice())
    assert "The account alice is made: operator, approver." in shown(result)
    assert PASSWORD not in result.output
    refused(run("people", "add", "bob", "--role", "viewer"), "--password-file FILE", FaultKind.USAGE)
    assert run("people", "add", "bob", "--role", "king").exit_code == ExitCode.USAGE
    (row,) = json.loads(shown(run("people", "list", "--json")))
    assert (row["name"], row["roles"], row["password"], row["second_factor"]) == (
        "alice",
        ["operator", "approver"],
        True,
        False,
    )
    assert row["made_by"].startswith("local:")


def test_a_program_has_an_account_without_a_password_and_a_password_may_be_in_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    shown(run("people", "add", "robot", "--role", "operator", "--no-password"))
    shown(run("people", "add", "alice", "--role", "viewer", "--password-file", str(tmp_path / "password")))
    rows = json.loads(shown(run("people", "list", "--json")))
    assert [row["password"] for row in rows] == [True, False]
    shown(run("--as", "alice", "people", "list", typed=f"{PASSWORD}\n\n"))


def test_show_is_one_page_of_all_that_somebody_may(run: Run) -> None:
    shown(run("people", "add", "nora", "--role", "network-admin", "--site", "oslo", "--tag", "kiosk", "--no-password"))
    page = shown(run("people", "show", "nora"))
    for word in ("nora", "site oslo, tag kiosk", "the whole fleet", *PERMISSIONS):
        assert word in page
    view = json.loads(shown(run("people", "show", "nora", "--json")))
    rights = {row["right"]: row for row in view["rights"]}
    assert {name for name, row in rights.items() if row["has"]} == {"look", "profiles", "stop", "withdraw"}
    assert [rights[name]["whole_fleet"] for name in ("profiles", "stop", "audit")] == [False, True, False]
    refused(run("people", "show", "nobody"), "There is no account nobody", FaultKind.BAD_INPUT)


def test_an_account_is_changed_disabled_and_removed(run: Run) -> None:
    shown(run("people", "add", "alice", "--role", "operator", "--no-password"))
    assert "has the roles: viewer, auditor" in shown(run("people", "role", "alice", "auditor", "viewer"))
    assert "are for: site oslo." in shown(run("people", "scope", "alice", "--site", "oslo"))
    assert "are for: the whole fleet." in shown(run("people", "scope", "alice", "--whole-fleet"))
    for wrong in (("scope", "alice"), ("scope", "alice", "--site", "oslo", "--whole-fleet")):
        assert run("people", *wrong).exit_code == ExitCode.USAGE
    assert "is disabled" in shown(run("people", "disable", "alice"))
    assert json.loads(shown(run("people", "list", "--json")))[0]["disabled"] is True
    assert "disabled" in shown(run("people", "list"))
    assert "is enabled" in shown(run("people", "enable", "alice"))
    assert "is removed" in shown(run("people", "remove", "alice"))
    assert "No accounts yet" in shown(run("people", "list"))


def test_a_command_acts_as_the_account_that_is_named(run: Run) -> None:
    shown(run("people", "add", "vera", "--role", "viewer", typed=twice()))
    shown(run("people", "add", "ann", "--role", "administrator", typed=twice()))
    proven = f"{PASSWORD}\n\n"
    refused(run("--as", "vera", "token", typed=proven), "vera may not make and revoke tokens that enrol PCs")
    refused(run("--as", "vera", "token", typed=proven), "Who has it: ann (operator, administrator)")
    shown(run("--as", "ann", "token", typed=proven))
    (row,) = json.loads(shown(run("token", "list", "--json")))
    assert row["made_by"] == "ann (password)"
    refused(run("--as", "vera", "status", typed="wrong\n\n"), "the password or the code is wrong")
    refused(run("--as", "vera", "status"), TOKEN_VARIABLE, FaultKind.USAGE)
    new = twice("another good one")
    shown(run("--as", "vera", "people", "password", "vera", typed=f"{proven}{new}"))
    shown(run("--as", "vera", "status", typed="another good one\n\n"))


def test_the_audit_log_is_read_by_who_has_that_right(run: Run) -> None:
    for name, role in (("vera", "viewer"), ("otto", "auditor")):
        shown(run("people", "add", name, "--role", role, typed=twice()))
    for words in (("list",), ("verify",), ("export",), ("prove", "0")):
        refused(run("--as", "vera", "audit", *words, typed=f"{PASSWORD}\n\n"), "the right 'audit' is missing")
    shown(run("--as", "otto", "audit", "list", typed=f"{PASSWORD}\n\n"))
    refused(run("--as", "otto", "people", "remove", "vera", typed=f"{PASSWORD}\n\n"), "the right 'people' is missing")


def test_whoever_is_disabled_does_not_even_look(run: Run) -> None:
    shown(run("people", "add", "vera", "--role", "viewer", typed=twice()))
    shown(run("people", "disable", "vera"))
    refused(run("--as", "vera", "status", typed=f"{PASSWORD}\n\n"), "seed-server people enable vera")


def test_a_second_factor_is_set_up_and_taken_away(run: Run) -> None:
    shown(run("people", "add", "vera", "--role", "viewer", typed=twice()))
    refused(run("people", "totp", "vera"), "run this in a terminal", FaultKind.USAGE)
    refused(run("people", "totp", "vera", typed="000000\n"), "not the code of now", FaultKind.BAD_INPUT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyotp, "random_base32", lambda: SEED)
        code = pyotp.TOTP(SEED).at(int(FakeClock().wall))
        page = shown(run("people", "totp", "vera", typed=f"{code}\n"))
    assert "otpauth://totp/" in page
    assert "█" not in page  # no picture in a pipe
    refused(run("--as", "vera", "status", typed=f"{PASSWORD}\n\n"), "the code is wrong")
    assert json.loads(shown(run("people", "list", "--json")))[0]["second_factor"] is True
    assert "No code and no key is asked of vera" in shown(run("people", "totp", "vera", "--remove"))
    shown(run("--as", "vera", "status", typed=f"{PASSWORD}\n\n"))


# --- API tokens --------------------------------------------------------------------------


def test_a_program_acts_by_a_token(run: Run, tmp_path: Path) -> None:
    shown(run("people", "add", "robot", "--role", "operator", "--no-password"))
    made = json.loads(
        shown(run("api-token", "make", "nightly", "--right", "tokens", "--ttl", "30d", "--for", "robot", "--json"))
    )
    assert (made["owner"], made["rights"]) == ("robot", ["look", "tokens"])
    shown(run("token", token=made["token"]))
    (row,) = json.loads(shown(run("token", "list", "--json", token=made["token"])))
    assert row["made_by"] == "robot (token)"
    (tmp_path / "token").write_text(made["token"] + "\n")
    shown(run("--token-file", str(tmp_path / "token"), "status"))
    refused(run("withdraw", "acme", "--reason", "x", token=made["token"]), "the right 'withdraw' is missing")
    (listed,) = json.loads(shown(run("api-token", "list", "--json")))
    assert (listed["id"], listed["state"], listed["label"]) == (made["id"], "open", "nightly")
    assert listed["used_at"] is not None
    assert made["token"] not in shown(run("api-token", "list"))
    assert f"The API token {made['id']} of robot is revoked." in shown(run("api-token", "revoke", made["id"]))
    refused(run("status", token=made["token"]), "is revoked")


def test_a_token_is_printed_alone_on_a_line_and_ends(run: Run) -> None:
    shown(run("people", "add", "alice", "--role", "operator", "--site", "oslo", typed=twice()))
    printed = shown(
        run("--as", "alice", "api-token", "make", "x", "--right", "deny", "--ttl", "1h", typed=f"{PASSWORD}\n\n")
    )
    assert printed.count("\n") == 1
    assert printed.startswith("p2papi_")
    assert json.loads(shown(run("api-token", "list", "--for", "alice", "--json")))[0]["sites"] == ["oslo"]
    assert run("api-token", "make", "x", "--right", "deny", "--for", "alice").exit_code == ExitCode.USAGE  # no end
    assert run("api-token", "make", "x", "--right", "deny", "--ttl", "366d").exit_code == ExitCode.USAGE


def test_two_that_are_named_are_none_and_a_wrong_file_is_told(run: Run, tmp_path: Path) -> None:
    assert run("--as", "a", "--token-file", "b", "status").exit_code == ExitCode.USAGE
    refused(run("--token-file", str(tmp_path / "no"), "status"), "Cannot read the token file", FaultKind.BAD_INPUT)
    refused(run("status", token="nonsense"), "no API token")


def test_what_is_the_machines_own_asks_nobody(run: Run, tmp_path: Path) -> None:
    """A token in the environment does not keep a new server from being made."""
    made = run("init", "--home", str(tmp_path / "new"), "--name", "b", "--address", "127.0.0.1", token="nonsense")
    assert made.exit_code == ExitCode.OK


# --- approvers ---------------------------------------------------------------------------


def test_approvers_are_named_from_their_own_keys(run: Run, tmp_path: Path) -> None:
    assert "PCs want nobody's word" in shown(run("approver", "list"))
    (tmp_path / "passphrase").write_text("correct horse battery\n")
    for name in ("alice", "bob"):
        made = run(
            "approver", "new-key", "--keys", str(tmp_path / name), "--passphrase-file", str(tmp_path / "passphrase")
        )
        assert "it is encrypted" in shown(made)
        (tmp_path / name / "approver.pub").rename(tmp_path / f"{name}.pub")
    (tmp_path / "list.toml").write_text('required = 1\n[keys]\nalice = "alice.pub"\nbob = "bob.pub"\n')
    assert "PCs want the word of 1 of: alice, bob." in shown(run("approver", "set", str(tmp_path / "list.toml")))
    assert "1 must approve a patch, 1 in an emergency." in shown(run("approver", "list"))
    found = json.loads(shown(run("approver", "list", "--json")))
    assert (found["required"], [row["name"] for row in found["approvers"]]) == (1, ["alice", "bob"])
    for wrong in ((), (str(tmp_path / "list.toml"), "--nobody")):
        assert run("approver", "set", *wrong).exit_code == ExitCode.USAGE
    shown(run("approver", "set", str(tmp_path / "list.toml"), "--prepare", str(tmp_path / "bundle")))
    assert "nobody's word any more" in shown(run("approver", "set", "--nobody"))
