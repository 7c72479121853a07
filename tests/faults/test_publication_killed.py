"""`seed-server publish` killed at every step of its writing: what is left, what is said of it, what clears it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from seed_server.commands.main import seed_server
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import load_settings
from seed_server.signing.repository import Repository
from tests.helpers.killed_command import killed_at


@pytest.fixture
def home(tmp_path: Path) -> ServerHome:
    home = ServerHome(tmp_path / "home")
    run(home, "init", "--name", "hq", "--address", "127.0.64.2")
    return home


def run(home: ServerHome, *arguments: object) -> str:
    words = [str(word) for word in (*arguments, "--home", home.root)]
    return CliRunner().invoke(seed_server, words, catch_exceptions=False).output


def publish(home: ServerHome, version: str) -> tuple[object, ...]:
    file = home.root.parent / f"office-{version}.msi"
    file.write_bytes(f"payload {version}".encode())
    return "publish", file, "--patch-id", "office", "--version", version, "--home", home.root


def killed(home: ServerHome, step: str, nth: int, version: str) -> bool:
    """Publish, killed before the ``nth`` call of an `os` function; return whether it came so far."""
    return killed_at(step, nth, *publish(home, version))


def status(home: ServerHome) -> dict[str, bool]:
    return {patch["version"]: patch["announced"] for patch in json.loads(run(home, "status", "--json"))["patches"]}


def leftovers(home: ServerHome) -> list[str]:
    named = b"".join(path.read_bytes() for path in home.tuf_metadata.glob("*.json"))
    files = [path for path in (home.root / "tuf").rglob("*") if path.is_file()]
    temporary = [path.name for path in files if path.name.endswith(".tmp")]
    stray = [
        path.name
        for path in files
        if path.is_relative_to(home.tuf_targets) and path.name.partition(".")[0].encode() not in named
    ]
    return temporary + stray


def test_what_was_not_announced_is_not_shown_as_published_and_nothing_stays_behind(home: ServerHome) -> None:
    run(home, *publish(home, "0")[:-2])
    unannounced, left = 0, 0
    for nth in range(100):
        version = f"1.{nth}"
        if not killed(home, "replace", nth, version):
            break
        announced = {entry.version for entry in Repository.open(home, load_settings(home)).current_rollouts().entries}
        shown = status(home)
        assert shown.get(version, False) is (version in announced)
        if shown.get(version) is False:
            unannounced += 1
            text = run(home, "status")
            assert "not announced: its publication was cut off" in text
        left += len(leftovers(home))
    assert unannounced > 3, "the row stands alone for several steps"
    assert left > 3, "killed writers leave something"
    Repository.open(home, load_settings(home)).remove_leftovers()
    assert leftovers(home) == []
    run(home, *publish(home, "2")[:-2])
    assert status(home)["2"]
