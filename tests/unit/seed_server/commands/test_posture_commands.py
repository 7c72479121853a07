"""`seed-server posture-check`, as a person or network access control runs it."""

import json
import time
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from p2pdist.identity.signed_statement import sign_statement
from p2pdist.identity.store import Identity
from p2pdist.local_api.install_answers import PostureAnswer, PostureStatement
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.commands.main import seed_server
from seed_server.fleet.context import Context
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.database import SeenRow
from tests.helpers.statements import pc_of, statement


class Desk:
    """An initialised server with one enrolled PC."""

    def __init__(self, directory: Path) -> None:
        self.home = ServerHome(directory / "home")
        self.now = time.time()
        initialise(self.home, ServerSettings(name="hq", address="127.0.65.1"), passphrase=None, now=self.now)
        self.context = Context(self.home)
        self.pc = self.new_pc()
        with self.context.database() as database:
            database.add_endpoint(self.pc.endpoint_id, "pc-7", self.now)

    def new_pc(self) -> Identity:
        return pc_of(self.context.authority(), self.now)

    def check(self, text: str, *options: str) -> Result:
        return CliRunner().invoke(
            seed_server, ["posture-check", "-", "--home", str(self.home.root), *options], input=text
        )


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_compliant_pc_exits_0_and_another_1(desk: Desk) -> None:
    for compliant in (True, False):
        problem = "" if compliant else "old"
        said = statement(desk.pc, desk.now, compliant=compliant, nonce="n1", audience="vpn", problem=problem)
        result = desk.check(sign_statement(desk.pc, said), "--nonce", "n1", "--audience", "vpn")
        assert result.exit_code == (0 if compliant else 1)
        assert result.output.startswith(
            f"pc-köln ({desk.pc.endpoint_id}) is {'compliant' if compliant else 'not compliant: old'}, it says at 20"
        )


def test_what_the_pc_prints_is_taken_as_it_is(desk: Desk) -> None:
    said = msgspec.convert(statement(desk.pc, desk.now, nonce="n1"), PostureStatement)
    answer = PostureAnswer(said, sign_statement(desk.pc, msgspec.to_builtins(said)))
    result = desk.check(msgspec.json.encode(answer).decode(), "--json")
    assert result.exit_code == 0
    assert json.loads(result.output) == {
        "endpoint_id": desk.pc.endpoint_id, "hostname": "pc-köln", "at": int(desk.now), "compliant": True,
        "problem": "", "nonce": "n1", "audience": "",
    }  # fmt: skip


def refused(desk: Desk, identity: Identity, *options: str, age: float = 0.0) -> str:
    result = desk.check(sign_statement(identity, statement(identity, desk.now - age)), *options)
    assert isinstance(result.exception, UserError)
    assert result.exception.kind is FaultKind.REFUSED
    return result.exception.message


def test_what_is_not_to_be_believed_is_refused_with_the_reason(desk: Desk) -> None:
    assert "does not carry the nonce" in refused(desk, desk.pc, "--nonce", "n2")
    assert "is for somebody else" in refused(desk, desk.pc, "--audience", "vpn")
    assert "is too old" in refused(desk, desk.pc, "--max-age", "10s", age=20)


def test_a_pc_that_is_not_enrolled_or_denied_does_not_count(desk: Desk) -> None:
    assert "is not enrolled here" in refused(desk, desk.new_pc())
    with desk.context.database() as database:
        database.set_denied(desk.pc.endpoint_id, True)
    assert "is denied" in refused(desk, desk.pc)


def test_a_statement_of_an_identity_that_several_pcs_show_does_not_count(desk: Desk) -> None:
    seen = SeenRow("oslo", "10.0.0.1", "", connected=True, last_seen_at=desk.now, shared_with="pc-2 at 10.0.0.2")
    with desk.context.database() as database:
        database.save_seen({desk.pc.endpoint_id: seen})
    assert "pc-2 at 10.0.0.2 shows the identity" in refused(desk, desk.pc)
    with desk.context.database() as database:
        database.disconnect_all(desk.now)  # a server that starts does not know who is there
    assert desk.check(sign_statement(desk.pc, statement(desk.pc, desk.now))).exit_code == 0
