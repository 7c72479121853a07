"""The server's disk: cleaning that is killed at each step, and beside who publishes the same file."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from seed_server.commands.main import seed_server
from seed_server.settings.home import ServerHome
from seed_server.store.content_store import ContentStore
from seed_server.store.database import Database
from tests.helpers.killed_command import killed_at

STEPS = [("rename", 0), ("rename", 1), ("rename", 3), ("unlink", 0), ("unlink", 2), ("fsync", 0), ("fsync", 2)]


@pytest.fixture
def home(tmp_path: Path) -> ServerHome:
    """Return a home where two files are needed, and two are not."""
    home = ServerHome(tmp_path / "home")
    run(home, "init", "--name", "hq", "--address", "127.0.64.8")
    for patch_id, version in (("office", "1"), ("office", "2"), ("driver", "1"), ("driver", "2")):
        publish(home, patch_id, version)
    return home


def run(home: ServerHome, *arguments: object) -> str:
    words = [str(word) for word in (*arguments, "--home", home.root)]
    return CliRunner().invoke(seed_server, words, catch_exceptions=False).stdout


def publish(home: ServerHome, patch_id: str, version: str, *more: str) -> str:
    file = home.root.parent / f"{patch_id}-{version}.msi"
    file.write_bytes(f"payload {patch_id} {version}".encode())
    return run(home, "publish", file, "--patch-id", patch_id, "--version", version, *more)


def here(home: ServerHome) -> set[str]:
    content = ContentStore(home.content)
    with Database.open(home.database) as database:
        return {str(row.ref) for row in database.payloads() if not content.lacks(row) and not row.damaged}


def strays(home: ServerHome) -> list[str]:
    return [path.name for path in home.content.iterdir() if path.name.startswith(".")]


def clean(home: ServerHome) -> dict[str, object]:
    found: dict[str, object] = json.loads(run(home, "disk", "clean", "--all", "--json"))
    return found


@pytest.mark.parametrize(("step", "nth"), STEPS)
def test_a_quota_s_cleaning_that_is_killed_is_gone_on_with(home: ServerHome, step: str, nth: int) -> None:
    assert killed_at(step, nth, "disk", "clean", "--all", "--home", home.root), "it never came so far"
    assert {"office@2", "driver@2"} <= here(home)
    clean(home)
    assert here(home) == {"office@2", "driver@2"}
    assert strays(home) == []
    assert len(list(home.content.iterdir())) == 4
    assert json.loads(run(home, "audit", "verify", "--json"))["whole"]
    assert publish(home, "office", "1")
    assert here(home) == {"office@1", "office@2", "driver@2"}


def test_a_quota_s_cleaning_that_is_killed_at_any_moment_takes_nothing_that_is_needed(home: ServerHome) -> None:
    chance = random.Random(18)
    for _ in range(6):
        if "office@1" not in here(home):
            publish(home, "office", "1")
        words = [sys.executable, "-m", "seed_server.commands.main", "disk", "clean", "--all", "--home", str(home.root)]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.2, 0.9))
        process.kill()
        process.wait(timeout=30)
        assert {"office@2", "driver@2"} <= here(home)
    clean(home)
    assert (here(home), strays(home)) == ({"office@2", "driver@2"}, [])


def test_a_quota_s_cleaning_beside_who_publishes_the_same_file_again_takes_nothing_that_has_come(
    home: ServerHome,
) -> None:
    file, ended = home.root.parent / "office-2.msi", []
    for version in range(3, 11):
        run(home, "withdraw", "office", "--reason", "again", "--for-good")
        # its file is needed by nobody from then on, and comes again at this moment
        words = [sys.executable, "-m", "seed_server.commands.main", "disk", "clean", "--all", "--home", str(home.root)]
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(random.uniform(0.2, 0.8))
        run(home, "publish", file, "--patch-id", "office", "--version", str(version))
        _, said = process.communicate(timeout=60)
        ended.append(process.returncode)
        assert process.returncode in (0, 9), said
        assert f"office@{version}" in here(home)
    assert 0 in ended
