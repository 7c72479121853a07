import hashlib
from pathlib import Path

import pytest

from bench.delta import files
from bench.delta.files import CannotBeHadError, command_for, files_of
from bench.delta.pairs import Pair, Release, pair_named

CONTENT = {"1.0": b"former", "2.0": b"new"}


def pair_of(*, kind: str = "wheel") -> Pair:
    former, new = (Release(version, hashlib.sha256(data).hexdigest()) for version, data in CONTENT.items())
    return Pair("small", "deb" if kind == "deb" else "wheel", former, new)


@pytest.fixture
def path_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs in the place of the machine's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def program(folder: Path, text: str) -> None:
    path = folder / "apt-get"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


GIVES = """case "$3" in *=1.0) printf former > small_1.deb;; *=2.0) printf new > small_2.deb;; esac"""


def test_what_is_downloaded_is_proven_and_kept(tmp_path: Path, path_with: Path) -> None:
    program(path_with, GIVES)
    pair = pair_of(kind="deb")
    former, new = files_of(pair, tmp_path)
    assert (former.read_bytes(), new.read_bytes()) == (b"former", b"new")
    program(path_with, "exit 1")
    assert files_of(pair, tmp_path) == (former, new)
    new.write_bytes(b"changed")  # then it is fetched anew
    with pytest.raises(CannotBeHadError):
        files_of(pair, tmp_path)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("echo 'E: no such version' >&2; exit 100", "no such version"),
        ("printf other > small.deb", "small.deb is another file"),
        ("exit 0", "came as 0 files"),
        ("touch a b", "came as 2 files"),
    ],
)
def test_what_cannot_be_had_is_said(text: str, reason: str, tmp_path: Path, path_with: Path) -> None:
    program(path_with, text)
    with pytest.raises(CannotBeHadError, match=reason):
        files_of(pair_of(kind="deb"), tmp_path)
    assert not [path for path in (tmp_path / "files").rglob("*") if path.is_file()]


def test_a_machine_without_the_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotBeHadError, match="apt-get is not installed"):
        files.download(pair_of(kind="deb"), pair_of().new, tmp_path)


def test_wheels_come_by_pip_for_one_python() -> None:
    numpy = pair_named("numpy")
    command = command_for(numpy, numpy.former)
    assert command[1:4] == ["-m", "pip", "download"]
    assert command[-1] == "numpy==2.4.5"
    assert "--no-deps" in command
