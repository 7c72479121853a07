"""What shells complete for `seed-server`, by the mechanism that they use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from seed_server.commands.main import seed_server
from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome
from seed_server.store.people_rows import PersonRow
from seed_server.store.rollout_records import RolloutRow
from seed_server.store.rows import SeenRow, ServedPayload
from tests.helpers.people import copied, new_home

NOW = 1_800_000_000.0


def payload(version: str, sequence: int) -> ServedPayload:
    return ServedPayload(
        patch_id="office", version=version, title="Office", severity="high", cvss=None, file_name="office.msi",
        sha256=64 * "0", length_bytes=1, torrent_hash=f"{sequence:064}", piece_length_bytes=16_384, piece_count=1,
        sequence=sequence, published_at=NOW,
    )  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ServerHome:
    return new_home(tmp_path_factory.mktemp("completing") / "server")


@pytest.fixture
def context(made: ServerHome, tmp_path: Path) -> Context:
    context, _ = copied(made, tmp_path / "server")
    with context.database() as database:
        for endpoint_id, hostname in (
            (64 * "a", "pc-0001"),
            (64 * "b", "pc-0002"),
            (64 * "c", "$(reboot)"),
            (f"{'vwxy2':z<26}", "leeds"),
        ):
            database.add_endpoint(endpoint_id, hostname, NOW)
        for sequence, version in ((1, "1"), (2, "2")):
            database.add_patch(payload(version, sequence))
        database.add_person(PersonRow("alice", ("operator",), (), (), NOW, "root"))
        database.add_rollout(RolloutRow(0, 1, "office", "1", "rings", "root", "", "running", 0, 1, NOW, NOW, b"", b""))
        database.save_seen(
            {64 * "a": SeenRow(site="berlin", address="", software="", connected=True, last_seen_at=NOW)}
        )
    context.home.root.joinpath("sites.toml").write_text(
        '[[site]]\nname = "oslo"\nnetworks = ["192.0.2.0/24"]\n'
        '[[site]]\nname = "leeds"\nnetworks = ["198.51.100.0/24"]\n'
    )
    return context


def completed(context: Context, line: str, shell: str = "bash") -> list[str]:
    words = f"seed-server {line}"
    environment = {
        "_SEED_SERVER_COMPLETE": f"{shell}_complete",
        "SEED_SERVER_HOME": str(context.home.root),
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    result = CliRunner().invoke(seed_server, [], prog_name="seed-server", env=environment)
    assert (result.exit_code, result.stderr) == (0, "")
    return [line for line in result.stdout.splitlines() if line]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("sta", ["plain,status"]),
        ("status of", ["plain,office"]),
        ("status office@", ["plain,office@2", "plain,office@1"]),
        ("status --patch of", ["plain,office"]),
        ("withdraw ", ["plain,office"]),
        ("deny pc-", ["plain,pc-0001", "plain,pc-0002"]),
        ("deny aaaa", [f"plain,{64 * 'a'}"]),
        ("deny $", []),  # a shell would run it
        ("status --endpoint pc-0002", ["plain,pc-0002"]),
        ("status --endpoint vwxy", [f"plain,{'vwxy2':z<26}"]),
        ("status --endpoint leed", ["plain,leeds"]),
        ("status --site l", ["plain,leeds"]),
        ("profile show ", ["plain,berlin", "plain,leeds", "plain,oslo"]),
        ("rollout show ", ["plain,1"]),
        ("rollout start office --template em", ["file,em", "plain,emergency"]),
        ("people show al", ["plain,alice"]),
        ("people add al", []),
        ("template show ", []),
    ],
)
def test_a_shell_completes_what_this_server_knows(context: Context, line: str, found: list[str]) -> None:
    assert completed(context, line) == found


def test_other_shells_show_a_few_words_beside_each(context: Context) -> None:
    assert completed(context, "status of", "zsh") == ["plain", "office", "Office"]


def test_a_home_that_is_not_there_or_older_says_nothing(context: Context, tmp_path: Path) -> None:
    assert completed(Context(ServerHome(tmp_path / "none")), "status of") == []
    before = context.home.database.read_bytes()
    context.home.database.write_bytes(b"no database")
    assert completed(context, "status of") == []
    assert context.home.database.read_bytes() == b"no database"
    context.home.database.write_bytes(before)
    context.home.settings.write_text("port = [")
    assert completed(context, "status of") == []


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="needs bash")
def test_a_real_bash_completes(context: Context, tmp_path: Path) -> None:
    program = tmp_path / "seed-server"
    program.write_text(f"#!{sys.executable}\nfrom seed_server.commands.main import main\nmain()\n")
    program.chmod(0o755)
    script = """
        eval "$(_SEED_SERVER_COMPLETE=bash_source seed-server)"
        COMP_WORDS=(seed-server people show al) COMP_CWORD=3 COMP_LINE="seed-server people show al"
        _seed_server_completion seed-server al show
        echo "${COMPREPLY[@]}"
    """
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SEED_SERVER_HOME": str(context.home.root)}
    ran = subprocess.run(["/bin/bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert (ran.stdout, ran.stderr) == ("alice\n", "")
