"""`seed_server.store.database_errors`: SQLite's own numbers, and a disk that is really full."""

import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from p2pdist.shared.errors import FaultKind
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store import database_errors
from seed_server.store.database_errors import sqlite_error
from tests.helpers.small_disk import small_disk


def test_the_numbers_are_those_of_sqlite() -> None:
    named = {
        "SQLITE_BUSY": "SQLITE_BUSY",
        "SQLITE_LOCKED": "SQLITE_LOCKED",
        "SQLITE_IO_ERROR": "SQLITE_IOERR",
        "SQLITE_CORRUPT": "SQLITE_CORRUPT",
        "SQLITE_FULL": "SQLITE_FULL",
        "SQLITE_CANNOT_OPEN": "SQLITE_CANTOPEN",
        "SQLITE_NOT_A_DATABASE": "SQLITE_NOTADB",
    }
    assert {ours: getattr(database_errors, ours) for ours in named} == {
        ours: getattr(sqlite3, theirs) for ours, theirs in named.items()
    }


@pytest.mark.parametrize(
    ("code", "outside", "kind", "words"),
    [
        (sqlite3.SQLITE_BUSY_SNAPSHOT, "", FaultKind.BUSY, "for 5 s"),
        (sqlite3.SQLITE_FULL, "", FaultKind.STORAGE, "is full"),
        (sqlite3.SQLITE_CORRUPT_VTAB, "", FaultKind.STORAGE, "is damaged"),
        (sqlite3.SQLITE_IOERR_READ, "disk I/O error", FaultKind.STORAGE, "disk I/O error"),
        (sqlite3.SQLITE_CANTOPEN, "unable to open", FaultKind.STORAGE, "unable to open"),
    ],
)
def test_words(tmp_path: Path, code: int, outside: str, kind: FaultKind, words: str) -> None:
    error = sqlite_error(tmp_path / "state.db", code, outside, waited_seconds=5.0)
    assert error is not None
    assert (error.kind, words in error.message) == (kind, True)


def test_a_fault_of_our_own_stays_one(tmp_path: Path) -> None:
    assert sqlite_error(tmp_path / "state.db", sqlite3.SQLITE_CONSTRAINT, "", waited_seconds=5.0) is None


@pytest.fixture
def full_home(tmp_path: Path) -> Iterator[ServerHome]:
    with small_disk(tmp_path / "disk", 1) as disk:
        home = ServerHome(disk / "home")
        initialise(home, ServerSettings(name="hq", address="127.0.64.1"), passphrase=None, now=1_900_000_000.0)
        with (disk / "fill").open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4_096))
        yield home


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="a small tmpfs needs root on Linux")
@pytest.mark.parametrize("command", ["status", "token", "serve"])
def test_a_full_disk_is_called_full(full_home: ServerHome, command: str) -> None:
    words = [sys.executable, "-m", "seed_server.commands.main", command, "--home", str(full_home.root)]
    result = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert result.returncode == 8
    assert "is full. Free some space" in result.stderr
    assert "Traceback" not in result.stderr
