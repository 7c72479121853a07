"""`p2pdist.shared.trusted_paths`: each component is looked at; who else could change one is named, with the mend.

Directories of another user's are in `tests/adversary/test_hostile_directory.py`.
"""

import os
import shutil
import stat
from pathlib import Path

import pytest

from p2pdist.shared import trusted_paths
from p2pdist.shared.folder import Folder
from p2pdist.shared.trusted_paths import UntrustedPathError, check_program, open_directory

pytestmark = pytest.mark.skipif(os.name == "nt", reason="owners and modes")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "root"
    path.mkdir()
    path.chmod(0o755)
    return path


def directory(path: Path, mode: int = 0o755) -> Path:
    path.mkdir(parents=True)
    path.chmod(mode)
    return path


def program(path: Path, text: str = "", mode: int = 0o755) -> str:
    path.write_text(text)
    path.chmod(mode)
    return "/" + path.name


@pytest.mark.parametrize("umask", [0, 0o077])
def test_what_is_missing_is_made_for_all_to_read_and_us_to_change(root: Path, umask: int) -> None:
    root.rmdir()
    before = os.umask(umask)
    try:
        with open_directory(root, "/opt/acme", create=True) as opened:
            opened.create("f").close()
    finally:
        os.umask(before)
    assert (root / "opt/acme/f").exists()
    assert [stat.S_IMODE((root / name).stat().st_mode) for name in (".", "opt", "opt/acme")] == [0o755] * 3
    with open_directory(root, "/opt/acme") as opened:
        assert opened.names() == ["f"]
        assert opened.path == root / "opt/acme"


def test_nothing_is_made_unless_asked_and_no_file_is_a_directory(root: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_directory(root, "/opt/acme")
    program(root / "f")
    for path in ("/f", "/f/g"):
        with pytest.raises(NotADirectoryError):
            open_directory(root, path, create=True)
    assert [path.name for path in root.iterdir()] == ["f"]


def test_what_leads_to_a_root_is_looked_at_too_and_sticky_is_enough_there(root: Path, tmp_path: Path) -> None:
    place = directory(tmp_path / "place", 0o1777)
    (tmp_path / "link").symlink_to("place")
    open_directory(tmp_path / "link/root", "/opt", create=True).close()
    assert (place / "root/opt").is_dir()
    place.chmod(0o777)
    for path in ("/opt", "/new"):
        with pytest.raises(UntrustedPathError, match="place may be changed by everybody"):
            open_directory(tmp_path / "link/root", path, create=True)
    assert not (place / "root/new").exists()


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757, 0o1777])
@pytest.mark.parametrize("at", ["", "opt", "opt/acme"])
def test_a_component_that_others_may_change_is_refused(root: Path, mode: int, at: str) -> None:
    directory(root / "opt/acme")
    (root / at).chmod(mode)
    with pytest.raises(UntrustedPathError, match=str(root / at)):
        open_directory(root, "/opt/acme/new", create=True)
    assert not (root / "opt/acme/new").exists()


def test_trusted_links_are_followed_as_the_system_does(root: Path) -> None:
    directory(root / "var/opt/acme")
    (root / "opt").symlink_to("var/../var/opt")
    (root / "up").symlink_to("..")
    with open_directory(root, "/opt/acme", create=True) as opened:
        assert opened.path == root / "var/opt/acme"
    with open_directory(root, "/var/opt/acme/../../opt/acme") as opened:
        assert opened.path == root / "var/opt/acme"
    (root / "var/opt").chmod(0o777)
    with pytest.raises(UntrustedPathError, match="var/opt may be changed"):
        open_directory(root, "/opt/acme")


def test_an_absolute_link_is_followed_from_the_root_of_the_system(root: Path) -> None:
    (root / "bin").symlink_to("/usr/bin")
    with open_directory(root, "/bin") as opened:
        assert opened.path == Path("/usr/bin")
    (root / "tmp").symlink_to("/tmp")
    with pytest.raises(UntrustedPathError, match="put files into /tmp; choose another place"):
        open_directory(root, "/tmp/x", create=True)


def test_links_without_an_end_are_refused(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with pytest.raises(UntrustedPathError, match="more than 40 links"):
        open_directory(root, "/a", create=True)
    with pytest.raises(UntrustedPathError, match="more than 40 links"):
        check_program(root, "/a")


@pytest.mark.parametrize("moment", ["before it is opened", "after it was opened"])
def test_a_component_that_is_swapped_meanwhile_is_not_followed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """What a component was replaced by is looked at itself: it is opened once, and never by its path again."""
    directory(root / "opt/acme")
    his = directory(tmp_path / "his/acme").parent
    child, swapped = Folder.child, list[str]()

    def swapping(folder: Folder, name: str, *, to_pass: bool = False) -> Folder:
        if name != "opt" or swapped:
            return child(folder, name, to_pass=to_pass)
        swapped.append(name)
        opened = child(folder, name, to_pass=to_pass) if moment == "after it was opened" else None
        (root / "opt").rename(root / "moved")
        (root / "opt").symlink_to(his)
        return opened or child(folder, name, to_pass=to_pass)

    monkeypatch.setattr(Folder, "child", swapping)
    if moment == "before it is opened":
        with pytest.raises(OSError, match="Not a directory|symbolic links"):
            open_directory(root, "/opt/acme/new", create=True)
    else:
        open_directory(root, "/opt/acme/new", create=True).close()
        assert (root / "moved/acme/new").is_dir()
    assert not (his / "acme/new").exists()


# --- programs ------------------------------------------------------------------------------------


def test_programs_of_the_system_may_be_run() -> None:
    for name in ("sh", "true", "cat", "id"):
        path = shutil.which(name)
        assert path is not None
        check_program(Path("/"), path)
        check_program(Path("/"), f"/bin/{name}")  # by a link to /usr/bin, on most systems


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757])
def test_a_program_that_others_may_change_is_refused(root: Path, mode: int) -> None:
    path = program(root / "run", mode=mode)
    with pytest.raises(UntrustedPathError, match="run may be changed"):
        check_program(root, path)


def test_only_files_are_programs(root: Path) -> None:
    os.mkfifo(root / "pipe", 0o700)
    with pytest.raises(UntrustedPathError, match="pipe is no program"):
        check_program(root, "/pipe")
    for path in ("/", "/."):
        with pytest.raises(IsADirectoryError):
            check_program(root, path)
    directory(root / "d")
    with pytest.raises(IsADirectoryError):
        check_program(root, "/d")
    with pytest.raises(FileNotFoundError):
        check_program(root, "/missing")


def test_a_script_s_interpreter_is_looked_at_as_well(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for first_line in ("#!/bin/sh\n", "#! /usr/bin/env python3\n", "no script\n", "", "#!\n", "\x7fELF"):
        check_program(root, program(root / "run", first_line))
    with pytest.raises(FileNotFoundError):
        check_program(root, program(root / "run", "#!/missing/interpreter -x\n"))
    with pytest.raises(UntrustedPathError, match="/tmp"):
        check_program(root, program(root / "run", "#!/tmp/interpreter\n"))
    monkeypatch.setattr(trusted_paths._Walk, "program", lambda *_: "/run")
    with pytest.raises(UntrustedPathError, match="too many to look at"):
        check_program(root, program(root / "run", "#!/run\n"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts descriptors")
def test_nothing_stays_open(root: Path) -> None:
    program(root / "run")
    directory(root / "open", 0o777)
    before = len(list(Path("/proc/self/fd").iterdir()))
    open_directory(root, "/a/b/c", create=True).close()
    check_program(root, "/run")
    for path in ("/missing", "/run", "/open/x"):
        with pytest.raises((OSError, UntrustedPathError)):
            open_directory(root, path)
        with pytest.raises((OSError, UntrustedPathError)):
            check_program(root, f"{path}/x")
    assert len(list(Path("/proc/self/fd").iterdir())) == before
