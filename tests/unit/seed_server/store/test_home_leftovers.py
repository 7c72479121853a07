"""`seed_server.store.home_leftovers`: the kind, wherever in the home it lies, and never one that is being written."""

import os
from pathlib import Path

import pytest

from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.settings.home import ServerHome
from seed_server.store.home_leftovers import LEFT_SECONDS, leftovers_of, remove_old_leftovers

NOW = 1_800_000_000.0
PLACES = (
    "",
    "tuf/metadata",
    "tuf/targets/patches",
    "archive",
    "prepared",
    "presented/metadata",
    "keys/online",
    "coded/" + "a" * 64 + "/alone",
    "content",
)


@pytest.fixture
def home(tmp_path: Path) -> ServerHome:
    return ServerHome(tmp_path / "home")


def left_half(path: Path, at: float, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a file as the server does, killed before it gets its name; return what is left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = set(path.parent.iterdir())
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", _killed)
        patch.setattr(os, "unlink", lambda *_, **__: None)
        with pytest.raises(KeyboardInterrupt):
            durable_files.write_file(path, b"x")
    (left,) = set(path.parent.iterdir()) - before
    os.utime(left, (at, at))
    return left


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_what_was_left_anywhere_goes_when_it_is_a_day_old(home: ServerHome, monkeypatch: pytest.MonkeyPatch) -> None:
    old = [left_half(home.root / place / "file.json", NOW - LEFT_SECONDS, monkeypatch) for place in PLACES]
    young = [left_half(home.root / place / "file.json", NOW - LEFT_SECONDS + 1, monkeypatch) for place in PLACES]
    ahead = left_half(home.root / "other", NOW + 5, monkeypatch)
    for name in ("server.toml", "state.db-wal", ".hidden", "x.tmp", f".{'a' * 12}.tmp"):
        (home.root / name).write_text("")
        os.utime(home.root / name, (0.0, 0.0))
    assert leftovers_of(home) == {*old, *young, ahead}
    in_content = [path for path in old if path.parent == home.content]
    assert remove_old_leftovers(home, NOW) == len(old) - len(in_content), "a lock says what is in use there"
    assert leftovers_of(home) == {*in_content, *young, ahead}
    assert remove_old_leftovers(home, NOW) == 0
    assert (home.root / "x.tmp").exists()


def test_folders_of_the_content_store_count(home: ServerHome) -> None:
    (home.content / ".incoming.0123456789abcdef").mkdir(parents=True)
    (home.content / ".removed.0123456789abcdef").write_text("")
    assert {path.name.split(".")[1] for path in leftovers_of(home)} == {"incoming", "removed"}


def test_a_home_that_cannot_be_looked_through_is_an_error_in_words(
    home: ServerHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(durable_files, "find_leftovers", refused)
    for look in (lambda: leftovers_of(home), lambda: remove_old_leftovers(home, NOW)):
        with pytest.raises(UserError, match="run this as the server's user") as caught:
            look()
        assert caught.value.kind is FaultKind.STORAGE
