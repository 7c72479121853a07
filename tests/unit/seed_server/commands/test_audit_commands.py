"""`seed-server audit`, as an auditor runs it; and its proofs, checked by the program that the documentation shows."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner, Result

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.witness import AuditAlarm
from seed_server.commands.main import seed_server
from seed_server.settings.home import ServerHome
from seed_server.store.database import Database
from seed_server.store.tables_audit import AUDIT_ENTRIES
from tests.helpers.sources import ROOT

VERIFIER = re.compile(r"```python\n(# check a proof .*?)```", re.DOTALL)


class Shell:
    def __init__(self, home: ServerHome) -> None:
        self.home = home

    def run(self, *arguments: object) -> Result:
        words = [str(one) for one in arguments]
        return CliRunner(env={"SEED_SERVER_HOME": str(self.home.root)}).invoke(seed_server, words)

    def __call__(self, *arguments: object) -> str:
        result = self.run(*arguments)
        if isinstance(result.exception, UserError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Return a home in which five things were done."""
    folder = tmp_path_factory.mktemp("audit")
    shell = Shell(ServerHome(folder / "home"))
    shell("init", "--name", "hq", "--address", "127.0.69.1")
    (folder / "office.msi").write_text("payload")
    shell("token", "--uses", 3)
    shell("publish", folder / "office.msi", "--patch-id", "office", "--version", "1")
    shell("withdraw", "office", "--reason", "crashes at start")
    shell("offer", "office")
    shell("token")
    structlog.reset_defaults()  # the commands have set it
    return shell


def test_what_was_done_is_listed_the_newest_first(filled: Shell) -> None:
    found = json.loads(filled("audit", "list", "--json"))
    assert [(one["number"], one["operation"]) for one in found] == [
        (4, "make token"), (3, "offer"), (2, "withdraw"), (1, "publish"), (0, "make token"),
    ]  # fmt: skip
    assert (found[2]["subject"], found[2]["reason"], found[2]["known_by"]) == (
        "office", "crashes at start", "local user",
    )  # fmt: skip
    assert found[4]["details"]["uses"] == "3"
    text = filled("audit", "list", "--operation", "withdraw")
    assert "crashes at start" in text
    assert "publish" not in text
    of_office = json.loads(filled("audit", "list", "--subject", "office", "--limit", "2", "--json"))
    assert [one["number"] for one in of_office] == [3, 2]
    assert "no such entry" in filled("audit", "list", "--actor", "nobody")


def test_a_whole_log_is_verified(filled: Shell, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_bytes(filled.home.audit_checkpoint.read_bytes())
    said = filled("audit", "verify", "--checkpoint", kept)
    assert "The audit log is whole. It has 5 entries" in said
    assert str(kept) in said
    shown = json.loads(filled("audit", "verify", "--json"))
    assert (shown["whole"], shown["entries"], shown["problems"]) == (True, 5, [])
    assert shown["vouched_by"] == [str(filled.home.audit_checkpoint), "what is signed for PCs"]


def test_a_log_that_was_changed_is_found(filled: Shell, tmp_path: Path) -> None:
    with Database.open(filled.home.database) as database:
        kept = database.audit_entry(2)
        changes = (b"other", kept)
        for number, change in enumerate(changes):
            with database._writing() as connection:
                ours = AUDIT_ENTRIES.c.number == 2
                connection.execute(AUDIT_ENTRIES.update().where(ours).values(entry=change))
            result = filled.run("audit", "verify")
            assert result.exit_code == (1, 0)[number]
            assert ("entries 2 to 3 do not have the hash" in result.stdout) is (number == 0)
    with pytest.raises(UserError, match="Cannot read the checkpoint"):
        filled("audit", "verify", "--checkpoint", tmp_path / "nowhere")
    bad = tmp_path / "bad"
    bad.write_text("x")
    shown = json.loads(filled.run("audit", "verify", "--checkpoint", bad, "--json").stdout)
    assert (shown["whole"], len(shown["problems"])) == (False, 1)


@pytest.mark.parametrize("number", range(5))
def test_the_program_in_the_documentation_checks_a_proof(filled: Shell, tmp_path: Path, number: int) -> None:
    (program,) = VERIFIER.findall((ROOT / "docs" / "operations.md").read_text())
    assert program.count("\n") <= 30
    assert "p2pdist" not in program
    (tmp_path / "check.py").write_text(program)
    proof = json.loads(filled("audit", "prove", number, "--json"))
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(proof))
    proof["number"] = (number + 1) % 5
    bad.write_text(json.dumps(proof))
    results = [
        subprocess.run([sys.executable, tmp_path / "check.py", file], check=False, capture_output=True, text=True)
        for file in (good, bad)
    ]
    assert [result.returncode == 0 for result in results] == [True, False], results[0].stderr
    assert results[0].stdout.startswith(f"entry {number} of 5")


def test_a_proof_for_people(filled: Shell) -> None:
    said = filled("audit", "prove", 1)
    assert "publish" in said
    assert filled.home.audit_checkpoint.read_text().strip() in said
    with pytest.raises(UserError, match="has no entry 5; it has 5, from 0 on") as caught:
        filled("audit", "prove", 5)
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_all_is_exported_a_line_each(filled: Shell) -> None:
    lines = [json.loads(line) for line in filled("audit", "export").splitlines()]
    assert [one["number"] for one in lines] == [0, 1, 2, 3, 4]
    assert [json.loads(line)["number"] for line in filled("audit", "export", "--from", 3).splitlines()] == [3, 4]
    assert filled("audit", "export", "--from", 99) == ""


def test_a_new_home_has_an_empty_log(tmp_path: Path) -> None:
    shell = Shell(ServerHome(tmp_path / "home"))
    shell("init", "--name", "hq", "--address", "127.0.69.1")
    assert "is whole. It has 0 entries" in shell("audit", "verify")
    assert "no such entry" in shell("audit", "list")
    assert json.loads(shell("audit", "list", "--json")) == []


@pytest.fixture
def alarmed(tmp_path: Path) -> Shell:
    """Return a home whose PCs have seen another log before."""
    shell = Shell(ServerHome(tmp_path / "home"))
    shell("init", "--name", "hq", "--address", "127.0.69.1")
    shell("token")
    with Database.open(shell.home.database) as database:
        for number in range(6):
            database.add_endpoint(f"{number}" * 26, f"pc-{number}", 1.0)
        said = {f"{number}" * 26: AuditAlarm("shorter", 9, 1) for number in range(6)}
        database.save_witness_alarms(said, 1_900_000_000.0)
    structlog.reset_defaults()
    return shell


def test_alarms_of_pcs_are_in_the_status_and_listed(alarmed: Shell) -> None:
    text = " ".join(alarmed("status").split())
    assert "PCs have seen another audit log before (6: pc-0, pc-1, pc-2, pc-3, …)" in text
    (problem,) = [one for one in json.loads(alarmed("status", "--json"))["problems"] if "audit" in one["text"]]
    assert (problem["mend"], problem["urgent"]) == ("seed-server audit alarms", True)
    found = json.loads(alarmed("audit", "alarms", "--json"))
    assert [(one["hostname"], one["fault"], one["known"], one["told"]) for one in found][:1] == [
        ("pc-0", "shorter", 9, 1)
    ]
    assert len(found) == 6
    listed = " ".join(alarmed("audit", "alarms").split())
    assert "the log has fewer entries than it had" in listed
    assert "seed-server audit new-key --after-restore" in listed


def test_no_alarm_is_said_so(filled: Shell) -> None:
    assert "No PC has seen another audit log before" in filled("audit", "alarms")
    assert json.loads(filled("audit", "alarms", "--json")) == []


def test_another_key_for_the_log(alarmed: Shell) -> None:
    before = json.loads(alarmed("audit", "verify", "--json"))
    said = json.loads(alarmed("audit", "new-key", "--reason", "the server was stolen", "--json"))
    assert (said["number"], said["begins_again"], said["entries"]) == (1, False, before["entries"] + 1)
    again = alarmed("audit", "new-key", "--reason", "a disk failed", "--after-restore")
    assert "It begins again with" in again
    found = json.loads(alarmed("audit", "list", "--json"))
    assert [(one["operation"], one["reason"]) for one in found[:4]] == [
        ("sign audit key", "a disk failed"), ("new audit key", "a disk failed"),
        ("sign audit key", "the server was stolen"), ("new audit key", "the server was stolen"),
    ]  # fmt: skip
    assert json.loads(alarmed("audit", "verify", "--json"))["whole"]
