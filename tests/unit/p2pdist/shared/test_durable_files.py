"""The durable writer: the old content or the new, never a part, whatever fails."""

import errno
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from p2pdist.shared import durable_files

CALLS = ["open", "fsync", "replace"]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Return a switch that makes the n-th call of an `os` function fail with ENOSPC."""

    def switch(name: str, nth: int) -> None:
        real, left = getattr(os, name), [nth]

        def call(*arguments: object, **options: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **options)

        monkeypatch.setattr(os, name, call)

    return switch


def test_a_file_holds_what_was_written(tmp_path: Path) -> None:
    durable_files.write_file(tmp_path / "f", b"one")
    durable_files.write_file(tmp_path / "f", iter([b"t", b"", b"wo"]))
    assert (tmp_path / "f").read_bytes() == b"two"
    assert names(tmp_path) == ["f"]


def test_the_mode_holds_from_the_first_byte_on(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        (temporary,) = tmp_path.iterdir()
        assert stat.S_IMODE(temporary.stat().st_mode) == 0o600
        yield b"secret"

    durable_files.write_file(tmp_path / "f", chunks(), mode=0o600)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", CALLS)
def test_a_failing_call_leaves_the_old_content_and_no_temporary_file(
    tmp_path: Path, failing: Callable[[str, int], None], name: str
) -> None:
    (tmp_path / "f").write_bytes(b"old")
    failing(name, 0)
    with pytest.raises(OSError, match="No space"):
        durable_files.write_file(tmp_path / "f", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"old"}


def test_data_that_fails_half_way_leaves_the_old_content(tmp_path: Path) -> None:
    def chunks() -> Iterator[bytes]:
        yield b"part"
        raise KeyboardInterrupt

    (tmp_path / "f").write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt):
        durable_files.write_file(tmp_path / "f", chunks())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"f": b"old"}


def test_file_and_directory_are_synced_in_that_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def noting_fsync(descriptor: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        fsync(descriptor)

    def noting_replace(source: Path, target: Path) -> None:
        steps.append("rename")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(os, "replace", noting_replace)
    durable_files.write_file(tmp_path / "f", b"x")
    assert steps == ["file", "rename", "directory"]


def test_a_name_of_the_longest_length_can_be_written(tmp_path: Path) -> None:
    durable_files.write_file(tmp_path / ("n" * 255), b"x")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"x"


def test_a_symlink_is_replaced_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"old")
    (tmp_path / "f").symlink_to("victim")
    durable_files.write_file(tmp_path / "f", b"new")
    assert (tmp_path / "victim").read_bytes() == b"old"
    assert not (tmp_path / "f").is_symlink()


def test_a_link_shares_the_bytes_and_replaces_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"new")
    (tmp_path / "f").write_bytes(b"old")
    for _ in range(2):  # again: both names are one file already
        durable_files.link_file(tmp_path / "source", tmp_path / "f")
        assert (tmp_path / "f").samefile(tmp_path / "source")
        assert names(tmp_path) == ["f", "source"]


@pytest.mark.parametrize("name", ["link", "replace"])
def test_a_failing_link_leaves_the_old_content(tmp_path: Path, failing: Callable[[str, int], None], name: str) -> None:
    (tmp_path / "source").write_bytes(b"new")
    (tmp_path / "f").write_bytes(b"old")
    failing(name, 0)
    with pytest.raises(OSError, match="No space"):
        durable_files.link_file(tmp_path / "source", tmp_path / "f")
    assert (tmp_path / "f").read_bytes() == b"old"
    assert names(tmp_path) == ["f", "source"]


def test_a_name_or_content_is_synced_unless_it_need_not_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "source").write_bytes(b"bytes")
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    for name, lasting, syncs in (("a", True, 3), ("b", False, 0)):
        synced.clear()
        durable_files.make_directory(tmp_path / name / "below", lasting=lasting)
        durable_files.link_file(tmp_path / "source", tmp_path / name / "below" / "file", lasting=lasting)
        assert (tmp_path / name / "below" / "file").read_bytes() == b"bytes"
        assert len(synced) == syncs
        synced.clear()
        durable_files.write_file(tmp_path / name / "written", b"bytes", lasting=lasting)
        assert (tmp_path / name / "written").read_bytes() == b"bytes"
        assert len(synced) == (2 if lasting else 0)


def test_directories_are_made_with_their_parents_and_kept(tmp_path: Path) -> None:
    durable_files.make_directory(tmp_path / "a" / "b", mode=0o700)
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700
    durable_files.make_directory(tmp_path / "a" / "b", mode=0o755)
    assert stat.S_IMODE((tmp_path / "a" / "b").stat().st_mode) == 0o700


def test_a_directory_where_a_file_is_fails(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"")
    with pytest.raises(OSError, match="exists"):
        durable_files.make_directory(tmp_path / "f")


KILLED_BEFORE_RENAME = """
import os, signal, sys
from pathlib import Path
from p2pdist.shared import durable_files
os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
source, target = map(Path, sys.argv[2:])
durable_files.link_file(source, target) if sys.argv[1] == "link" else durable_files.write_file(target, b"new")
"""


@pytest.mark.parametrize("way", ["write", "link"])
def test_what_a_killed_writer_leaves_is_removed_and_nothing_else(tmp_path: Path, way: str) -> None:
    folder, outside = tmp_path / "home" / "patches" / "1.0", tmp_path / "outside"
    durable_files.make_directory(folder)
    durable_files.make_directory(outside)
    target, source = folder / f"{'n' * 120}.json", tmp_path / "source"
    source.write_bytes(b"payload")
    target.write_bytes(b"old")
    command = [sys.executable, "-c", KILLED_BEFORE_RENAME, way, str(source), str(target)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    (left,) = set(folder.iterdir()) - {target}
    others = ["notes.tmp", ".notes.tmp", ".a.0123456789ab.tmp.txt", ".a.0123456789AB.tmp", "a.0123456789ab.tmp"]
    for name in others:
        (folder / name).write_bytes(b"")
    (outside / left.name).write_bytes(b"")
    (tmp_path / "home" / "link").symlink_to(outside)
    assert durable_files.remove_leftovers(tmp_path / "home") == 1
    assert names(folder) == sorted([*others, target.name])
    assert target.read_bytes() == b"old"
    assert (outside / left.name).exists()
    assert durable_files.remove_leftovers(tmp_path / "home") == 0


def test_a_missing_directory_has_no_leftovers_and_an_unreadable_one_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert durable_files.remove_leftovers(tmp_path / "none") == 0

    def refused(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(PermissionError):
        durable_files.remove_leftovers(tmp_path)
