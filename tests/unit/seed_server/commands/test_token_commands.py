"""`seed-server token`, `token list`, `token revoke`, and what `deny` does to tokens, as a person runs them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from p2pdist.shared.console import ExitCode
from p2pdist.shared.errors import UserError
from p2pdist.shared.wire.enrolment import decode_token
from seed_server.commands.main import seed_server
from seed_server.settings.home import ServerHome
from seed_server.store.database import Database
from seed_server.store.token_names import token_id_of

ENDPOINT, OTHER = "a" * 26, "b" * 26


class Shell:
    def __init__(self, home: ServerHome) -> None:
        self.home = home

    def __call__(self, *arguments: str) -> str:
        result = CliRunner(env={"SEED_SERVER_HOME": str(self.home.root)}).invoke(seed_server, arguments)
        if isinstance(result.exception, UserError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    def enrol(self, endpoint_id: str, token: str, hostname: str = "pc") -> None:
        with Database.open(self.home.database) as database:
            database.add_endpoint(endpoint_id, hostname, 1.0)
            database.add_enrolment(endpoint_id, token_id_of(decode_token(token).secret), 1.0)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    shell = Shell(ServerHome(tmp_path / "home"))
    shell("init", "--name", "hq", "--address", "127.0.68.1")
    return shell


@pytest.mark.parametrize("words", [("token",), ("token", "new"), ("token", "--uses", "3"), ("token", "--ttl=2h")])
def test_a_token_is_printed_alone_on_a_line_whichever_way_it_is_asked_for(shell: Shell, words: tuple[str, ...]) -> None:
    printed = shell(*words)
    assert printed == printed.strip() + "\n"
    assert decode_token(printed).address == "127.0.68.1"


def test_options_come_before_or_without_the_default_command(shell: Shell) -> None:
    for words in (("token", "--json", "--uses", "7"), ("token", "new", "--json", "--uses", "7")):
        made = json.loads(shell(*words))
        assert (made["uses"], made["approval"]) == (7, False)
        assert made["id"] == token_id_of(decode_token(made["token"]).secret)


def test_the_list_is_of_whom_each_has_enrolled_and_has_no_secret(shell: Shell) -> None:
    assert "No tokens yet" in shell("token", "list")
    token = shell("token", "--uses", "3", "--tag", "kiosk", "--approve").strip()
    shell.enrol(ENDPOINT, token)
    (row,) = json.loads(shell("token", "list", "--json"))
    secret = decode_token(token).secret
    assert (row["state"], row["uses_left"], row["tags"], row["enrolled"]) == ("open", 3, ["kiosk"], [ENDPOINT])
    assert (row["approval"], row["revoked_at"]) == (True, None)
    assert row["made_by"].endswith("(local user)")
    table = shell("token", "list")
    for text in (row["id"], "open, asks for approval", "kiosk", ENDPOINT, row["made_by"]):
        assert text in table
    for text in (token, secret.hex()):
        assert text not in table + json.dumps(row)


def test_revoked_by_its_id(shell: Shell) -> None:
    made = json.loads(shell("token", "--json"))
    assert f"Token {made['id']} is revoked. It has enrolled 0 PCs." in shell("token", "revoke", made["id"])
    assert json.loads(shell("token", "list", "--json"))[0]["state"] == "revoked"
    with pytest.raises(UserError, match="There is no token '000'"):
        shell("token", "revoke", "000")
    with pytest.raises(UserError, match="There is no token"):
        shell("token", "revoke", made["token"])


def test_deny_revokes_the_token_and_says_so(shell: Shell) -> None:
    token = shell("token", "--uses", "20").strip()
    shell.enrol(ENDPOINT, token)
    shell.enrol(OTHER, token)
    said = shell("deny", ENDPOINT)
    assert "is revoked: it was good for 20 more, and had enrolled 1 other PC." in said
    assert json.loads(shell("token", "list", "--json"))[0]["state"] == "revoked"
    assert "is revoked" not in shell("deny", OTHER), "there is nothing left to revoke"


def test_deny_keeps_the_token_when_told(shell: Shell) -> None:
    shell.enrol(ENDPOINT, shell("token").strip())
    assert "stays open" in shell("deny", ENDPOINT, "--keep-token")
    assert json.loads(shell("token", "list", "--json"))[0]["state"] == "open"


def test_deny_of_a_pc_from_before_tokens_were_recorded(shell: Shell) -> None:
    with Database.open(shell.home.database) as database:
        database.add_endpoint(ENDPOINT, "pc", 1.0)
    assert "not known which token" in shell("deny", ENDPOINT)


def test_names_that_several_pcs_claim_are_shown(shell: Shell) -> None:
    token = shell("token").strip()
    shell.enrol(ENDPOINT, token, "reception")
    assert "the name of" not in shell("endpoints")
    shell.enrol(OTHER, token, "Reception")
    shell.enrol("c" * 26, token, "other")
    assert shell("endpoints").count("has the name of 1 other PC") == 2
    shell("deny", OTHER)
    assert f"has the name of {OTHER}, which is denied" in shell("endpoints")
    rows = {row["id"]: row["same_name"] for row in json.loads(shell("endpoints", "--json"))}
    assert rows == {ENDPOINT: [OTHER], OTHER: [ENDPOINT], "c" * 26: []}


def test_help_is_of_the_group_and_of_each_command(shell: Shell) -> None:
    assert {"new", "list", "revoke"} <= set(shell("token", "--help").split())
    assert "--approve" in shell("token", "new", "-h")
    wrong = CliRunner().invoke(seed_server, ["token", "lst"])
    assert wrong.exit_code == ExitCode.USAGE
