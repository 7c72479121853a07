"""`seed-server backup` and `restore`: what they print, and how they end."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from p2pdist.shared.errors import FaultKind
from seed_server.commands import backup_commands
from seed_server.commands.main import seed_server
from tests.helpers.command_results import refused, shown
from tests.helpers.rollout_company import Company

PASSPHRASE = "correct horse battery"


def run(*words: object, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(seed_server, [str(word) for word in words])


@pytest.fixture
def passphrase(tmp_path: Path) -> Path:
    (tmp_path / "pass").write_text(f"{PASSPHRASE}\n")
    return tmp_path / "pass"


def test_a_backup_is_made_verified_and_restored(company: Company, tmp_path: Path, passphrase: Path) -> None:
    home, backup, restored = company.context.home.root, tmp_path / "backup", tmp_path / "restored"
    first = shown(run("backup", backup, "--home", home, "--passphrase-file", passphrase))
    assert "offline keys among them" in first
    again = json.loads(shown(run("backup", backup, "--home", home, "--passphrase-file", passphrase, "--json")))
    assert again["new_files"] == 1, "the keys are sealed anew"
    assert "it is also proven" in shown(run("backup", "--verify", backup))
    assert "nobody has exchanged any" in shown(run("backup", "--verify", backup, "--passphrase-file", passphrase))
    told = shown(run("restore", backup, "--home", restored, SEED_SERVER_BACKUP_PASSPHRASE=PASSPHRASE))
    assert "Void from now on: 0 tokens" in told
    assert f"seed-server serve --home {restored}" in told
    refused(
        run("restore", backup, "--home", restored, "--passphrase-file", passphrase), "is not empty", FaultKind.BAD_INPUT
    )


def test_where_nobody_can_be_asked_the_passphrase_is_an_option(company: Company, tmp_path: Path) -> None:
    home = company.context.home.root
    refused(run("backup", tmp_path / "b", "--home", home), "--passphrase-file", FaultKind.USAGE)
    assert "NOT in it" in shown(run("backup", tmp_path / "b", "--home", home, "--without-keys"))
    refused(run("restore", tmp_path / "b", "--home", tmp_path / "r"), "made without keys", FaultKind.USAGE)
    restored = json.loads(
        shown(run("restore", tmp_path / "b", "--home", tmp_path / "r", "--keys", home / "keys", "--json"))
    )
    assert restored["server"] == "hq"


def test_on_a_terminal_the_passphrase_is_asked_for(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backup_commands, "somebody_answers", lambda: True)
    here = ("backup", str(tmp_path / "b"), "--home", str(company.context.home.root))
    twice = f"{PASSPHRASE}\n{PASSPHRASE}\n"
    shown(CliRunner().invoke(seed_server, here, input=twice))
    there = ("restore", str(tmp_path / "b"), "--home", str(tmp_path / "r"))
    refused(CliRunner().invoke(seed_server, there, input="something else\n"), "do not open")
    shown(CliRunner().invoke(seed_server, there, input=f"{PASSPHRASE}\n"))


def test_what_is_damaged_is_named_and_ends_with_1(company: Company, tmp_path: Path) -> None:
    home = company.context.home
    payload = company.database.payloads()[0].sha256
    (home.content / payload).write_bytes(b"damaged")
    made = run("backup", tmp_path / "b", "--home", home.root, "--without-keys")
    assert made.exit_code == 1
    assert "1 files of the home are missing or damaged" in made.stderr
    next((tmp_path / "b" / "objects").glob("*/*")).write_bytes(b"x")
    verified = run("backup", "--verify", tmp_path / "b")
    assert verified.exit_code == 1
    assert "NOT as they were written" in verified.stderr
    assert "content" not in verified.stdout
    told = shown(run("restore", *restorable(company, tmp_path)))
    assert "The file of office 1" in told or "The file of office@1" in told


def restorable(company: Company, folder: Path) -> tuple[object, ...]:
    home = company.context.home.root
    run("backup", folder / "c", "--home", home, "--without-keys")
    return (folder / "c", "--home", folder / "r", "--keys", home / "keys")


def test_what_was_cut_off_is_counted(company: Company, tmp_path: Path) -> None:
    run("backup", tmp_path / "b", "--home", company.context.home.root, "--without-keys")
    (tmp_path / "b" / "incoming" / "half").write_bytes(b"x")
    told = shown(run("backup", "--verify", tmp_path / "b"))
    assert "1 files are of a backup that was cut off" in told
    assert "The private keys are not in it" in told
