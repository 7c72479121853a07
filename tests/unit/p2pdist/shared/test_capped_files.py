"""`p2pdist.shared.capped_files`: at the cap and over it; missing, unreadable, not text."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from p2pdist.shared.capped_files import FileTooLargeError, read_capped, read_given_text, read_home_text
from p2pdist.shared.errors import FaultKind, UserError


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.txt"
    path.write_bytes(b"x" * 10)
    return path


def test_a_file_at_the_cap_is_read(song: Path) -> None:
    assert read_capped(song, 10) == b"x" * 10
    assert read_home_text(song, 10, "it is no song.") == "x" * 10
    assert read_given_text("song", song, 10, "split it.") == "x" * 10


def test_a_file_over_the_cap_is_not(song: Path) -> None:
    with pytest.raises(FileTooLargeError, match="more than 9 bytes"):
        read_capped(song, 9)
    with pytest.raises(UserError) as in_home:
        read_home_text(song, 9, "it is no song.")
    assert in_home.value.message == f"{song} is over 9 bytes: it is no song."
    with pytest.raises(UserError) as given:
        read_given_text("song", song, 9, "split it.")
    assert given.value.message == f"{song} is over 9 bytes: split it."
    assert in_home.value.kind is given.value.kind is FaultKind.BAD_INPUT


@pytest.mark.parametrize("name", ["none", "song.txt/none"])
def test_what_is_not_there_is_nothing_in_a_home_and_a_mistake_in_a_command(song: Path, name: str) -> None:
    path = song.parent / name
    assert read_home_text(path, 10, "") is None
    with pytest.raises(UserError, match=r"Cannot read song .*Check the path") as caught:
        read_given_text("song", path, 10, "")
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_what_the_disk_does_not_give_is_its_fault_in_a_home(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UserError, match="Check its permissions") as caught:
        read_home_text(tmp_path / "loop", 10, "")
    assert caught.value.kind is FaultKind.STORAGE


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_not_waited_for_in_a_home(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "song.txt")
    with pytest.raises(UserError, match=r"song\.txt is no file\. Write one in its place, or remove it\.") as caught:
        read_home_text(tmp_path / "song.txt", 10, "")
    assert caught.value.kind is FaultKind.STORAGE
