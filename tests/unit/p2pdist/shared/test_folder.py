"""`p2pdist.shared.folder`: names are relative to what was opened; both ways of doing that do the same."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from p2pdist.shared.folder import Folder


@pytest.fixture(params=["descriptor", "path"])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Folder]:
    """Return an empty directory, opened as everywhere else, or as on Windows."""
    path = tmp_path / "folder"
    path.mkdir()
    with Folder(path, None) if request.param == "path" else Folder.open(path) as folder:
        yield folder


def test_what_is_made_is_found(folder: Folder) -> None:
    folder.make("d", 0o755).close()
    folder.make("d/e", 0o755).close()
    with folder.create("d/e/f") as file:
        file.write(b"content")
    folder.link_hard("d/e/f", "d/g")
    folder.link("d/e", "l", to_directory=True)
    folder.link("nowhere", "m")
    folder.write_durably("n", b"new", mode=0o644)
    assert sorted(folder.names()) == ["d", "l", "m", "n"]
    assert (folder.path / "d/g").read_bytes() == b"content"
    assert [folder.has_directory(name) for name in ("d", "d/e", "l", "n", "o", "n/x")] == [True, True, *[False] * 4]
    assert [folder.has(name) for name in ("d", "l", "m", "n", "o", "n/x")] == [*[True] * 4, False, False]
    assert [folder.read_link(name) for name in ("l", "m", "d", "n", "o")] == ["d/e", "nowhere", None, None, None]
    assert {str(place.path.relative_to(folder.path)): sorted(files) for place, files in folder.tree()} == {
        ".": ["n"],
        "d": ["g"],
        "d/e": ["f"],
    }
    folder.fsync()
    assert folder.free_bytes() > 0
    folder.rename("l", "d/l")
    folder.rename("n", "m")
    assert sorted(folder.names()) == ["d", "m"]
    for name in ("d", "m", "o"):
        folder.remove(name)
    assert folder.names() == []


def test_links_are_not_followed(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/file").write_bytes(b"old")
    folder.link("../victim", "l")
    folder.link("../victim/file", "f")
    with pytest.raises(OSError, match="Not a directory|symbolic links"):
        folder.child("l")
    with pytest.raises(FileExistsError):
        folder.create("f")
    if folder._descriptor is not None or os.name == "nt":
        with pytest.raises(OSError, match="symbolic links"):
            folder.open_file("f", os.O_RDONLY)
    assert [place.path for place, _ in folder.tree()] == [folder.path]
    folder.remove("l")
    folder.remove("f")
    assert (tmp_path / "victim/file").read_bytes() == b"old"


@pytest.mark.skipif(os.name == "nt", reason="directories are opened")
def test_what_takes_the_place_of_its_path_gets_nothing(tmp_path: Path) -> None:
    (tmp_path / "place").mkdir()
    (tmp_path / "his").mkdir()
    with Folder.open(tmp_path / "place") as folder:
        (tmp_path / "place").rename(tmp_path / "moved")
        (tmp_path / "place").symlink_to("his")
        folder.make("d", 0o755).close()
        folder.write_durably("f", b"new", mode=0o600)
        folder.create("g").close()
        folder.link("d", "l")
        folder.rename("g", "h")
        assert (
            sorted(folder.names())
            == sorted(path.name for path in (tmp_path / "moved").iterdir())
            == ["d", "f", "h", "l"]
        )
    assert list((tmp_path / "his").iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="modes")
@pytest.mark.parametrize("umask", [0, 0o077])
def test_modes_are_as_asked_whatever_the_umask_is(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with Folder.open(tmp_path) as folder:
            folder.make("d", 0o755).close()
            folder.create("f").close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o755
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o600


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors")
def test_nothing_stays_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    with Folder.open(tmp_path) as folder:
        folder.make("a", 0o755).close()
        for _ in folder.tree():
            pass
        with pytest.raises(OSError, match="exists"):
            folder.make("a", 0o755)
        with pytest.raises(FileNotFoundError):
            folder.child("b")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
