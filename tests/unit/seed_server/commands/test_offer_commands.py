"""`seed-server withdraw`, `offer` and `list`, as a person runs them."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from p2pdist.shared.console import ExitCode
from seed_server.commands.main import seed_server
from seed_server.fleet.context import Context
from seed_server.settings.server_toml import load_settings
from seed_server.signing.repository import Repository
from seed_server.store.rows import SeenRow
from tests.unit.seed_server.commands.test_recipe_commands import Shell


@pytest.fixture
def shell(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    return Shell(tmp_path, capsys, monkeypatch)


def publish(shell: Shell, version: str, name: str, *options: str, patch_id: str = "acme") -> str:
    return shell("publish", shell.folder / name, "--patch-id", patch_id, "--version", version, *options)


def listed(shell: Shell) -> dict[str, tuple[str, str | None]]:
    return {
        f"{one['id']}@{one['version']}": (one["state"], one["reason"]) for one in json.loads(shell("list", "--json"))
    }


def test_a_patch_is_withdrawn_and_offered_again_without_the_offline_keys(shell: Shell) -> None:
    assert "No patches yet" in shell("list")
    publish(shell, "2.0", "acme.deb")
    publish(shell, "1", "other.deb", "--requires", "acme", patch_id="suite")
    keys = shell.home.offline_keys
    keys.rename(keys.with_name("in the safe"))
    printed = shell("withdraw", "acme@2.0", "--reason", "crashes on start")
    assert "acme@2.0 is withdrawn. Where it is installed, it stays." in printed
    assert "Waiting for it, where it is not installed: suite@1." in printed
    assert "it can be offered again by whoever has this server" in printed
    assert listed(shell)["acme@2.0"] == ("withdrawn", "crashes on start")
    assert "crashes on start" in shell("list")
    assert "withdrawn: crashes on start" in shell("status")
    assert json.loads(shell("status", "--json"))["patches"][0]["withdrawn"] == "crashes on start"
    assert shell("offer", "acme") == "acme@2.0 is offered again.\n"
    assert listed(shell) == {"acme@2.0": ("offered", None), "suite@1": ("offered", None)}
    assert json.loads(shell("status", "--json"))["patches"][0]["withdrawn"] is None


def test_withdrawn_for_good_only_a_new_publication_brings_it_back(shell: Shell) -> None:
    publish(shell, "2.0", "acme.deb")
    (told,) = re.findall(r"'seed-server ([^']*)'", shell("withdraw", "acme", "--reason", "crashes"))
    assert "acme is withdrawn for good." in shell(*told.split()), "the command that was named can be run as it stands"
    assert "for good" in shell("list")
    (publications,) = Repository.open(shell.home, load_settings(shell.home)).publication_order().patches.values()
    assert (publications.newest, publications.lowest) == (1, 2)
    assert "Publish it again" in shell("offer", "acme", code=ExitCode.REFUSED)
    for patch in ("acme", "acme@1.0", "a/b"):
        shell("withdraw", patch, "--reason", "x", "--for-good", code=ExitCode.BAD_INPUT)
    assert "Published acme 2.0" in publish(shell, "2.0", "acme.deb")
    assert listed(shell) == {"acme@2.0": ("offered", None)}


def test_what_is_not_there_is_neither_withdrawn_nor_offered(shell: Shell) -> None:
    publish(shell, "2.0", "acme.deb")
    assert "acme@2.0 is." in shell("withdraw", "acme@1.0", "--reason", "x", code=ExitCode.BAD_INPUT)
    assert "offered already" in shell("offer", "acme", code=ExitCode.BAD_INPUT)
    assert "No word is known here" in shell("offer", "word", code=ExitCode.BAD_INPUT)
    assert "--for-good only" in shell("withdraw", "acme", "--reason", "x", "--offline-keys", "y", code=ExitCode.USAGE)
    assert "--reason" in shell("withdraw", "acme", code=ExitCode.USAGE)


def test_what_is_withdrawn_at_a_site_alone_is_listed_with_it_until_it_is_offered_there_again(shell: Shell) -> None:
    publish(shell, "2.0", "acme.deb")
    with Context(shell.home).database() as database:
        database.add_endpoint("pc-1", "pc-1", 1.0, [])
        database.save_seen({"pc-1": SeenRow("oslo", "10.0.0.1", "p2pdist/1", True, 2.0)})
    shell("withdraw", "acme", "--site", "oslo", "--reason", "no printing")
    (row,) = json.loads(shell("list", "--json"))
    assert (row["state"], row["withdrawn_sites"]) == ("offered", ["oslo"])
    assert "withdrawn at oslo: no printing" in shell("list")
    shell("offer", "acme", "--site", "oslo")
    assert "withdrawn at oslo" not in shell("list")


def test_ring_site_and_roll_back_do_not_go_with_what_contradicts_them(tmp_path: Path) -> None:
    init = ["init", "--name", "hq", "--address", "127.0.0.1", "--home", str(tmp_path / "home")]
    assert CliRunner().invoke(seed_server, init).exit_code == 0
    for words in (
        ("--ring", "a", "--site", "b"),
        ("--roll-back", "--ring", "a", "--site", "b"),
        ("--site", "b", "--for-good"),
        ("--roll-back", "--for-good"),
    ):
        asked = ["withdraw", "acme", "--reason", "bad", *words, "--home", str(tmp_path / "home")]
        result = CliRunner().invoke(seed_server, asked)
        assert (result.exit_code, "Usage" in result.output) == (2, True), result.output
