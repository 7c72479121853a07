"""`p2pdist.install.archive`: whole trees beside each other, hostile archives, cut-off runs, full disks."""

import bz2
import errno
import gzip
import hashlib
import io
import lzma
import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from p2pdist.install import archive as archive_app
from p2pdist.install.limits import DEFAULT_LIMITS, InstallLimits
from p2pdist.install.unpacking import DiskFullError
from p2pdist.shared import durable_files
from p2pdist.shared.archive_members import ArchiveError
from p2pdist.shared.folder import Folder

Entry = tuple[str, str, bytes | str]
"""Name, kind, and content or target."""

TYPES = {
    "file": tarfile.REGTYPE,
    "dir": tarfile.DIRTYPE,
    "sym": tarfile.SYMTYPE,
    "hard": tarfile.LNKTYPE,
    "fifo": tarfile.FIFOTYPE,
    "char": tarfile.CHRTYPE,
    "block": tarfile.BLKTYPE,
}


def tar(*entries: Entry, mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, kind, what in entries:
            info = tarfile.TarInfo(name)
            info.type = TYPES[kind]
            info.mode = mode
            info.mtime = 1_000_000
            if isinstance(what, str):
                info.linkname = what
                archive.addfile(info)
            else:
                info.size = len(what)
                archive.addfile(info, io.BytesIO(what))
    return buffer.getvalue()


def zipped(*entries: Entry, mode: int = 0o644) -> bytes:
    buffer = io.BytesIO()
    forms = {"file": stat.S_IFREG, "dir": stat.S_IFDIR, "sym": stat.S_IFLNK, "fifo": stat.S_IFIFO, "char": stat.S_IFCHR}
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, kind, what in entries:
            info = zipfile.ZipInfo(name)
            info.create_system = 3
            info.external_attr = (forms[kind] | mode) << 16
            archive.writestr(info, what)
    return buffer.getvalue()


def put(
    directory: Path,
    version: str,
    data: bytes,
    *,
    strip_components: int = 0,
    keep_versions: int = 2,
    limits: InstallLimits = DEFAULT_LIMITS,
) -> None:
    durable_files.make_directory(directory)
    with Folder.open(directory) as folder:
        archive_app.install(
            io.BytesIO(data),
            folder,
            version,
            hashlib.sha256(data).hexdigest(),
            strip_components=strip_components,
            keep_versions=keep_versions,
            limits=limits,
        )


def current_version(directory: Path) -> str:
    with Folder.open(directory) as folder:
        return archive_app.current_version(folder)


def roll_back(directory: Path, version: str, previous_version: str) -> None:
    with Folder.open(directory) as folder:
        archive_app.roll_back(folder, version, previous_version)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in (directory / "versions").iterdir() if not path.name.startswith(".payload"))


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return tmp_path / "opt/acme"


GOOD: tuple[Entry, ...] = (
    ("acme-2/", "dir", b""),
    ("acme-2/bin/run", "file", b"#!/bin/sh\n"),
    ("acme-2/lib/data", "file", b"x" * 100_000),
    ("acme-2/bin/data", "sym", "../lib/data"),
    ("acme-2/latest", "sym", "lib"),
)


def packed() -> Iterator[tuple[str, bytes]]:
    whole = tar(*GOOD, mode=0o755)
    yield "tar", whole
    yield "gz", gzip.compress(whole)
    yield "bz2", bz2.compress(whole)
    yield "xz", lzma.compress(whole)
    yield "zip", zipped(*GOOD, mode=0o755)


@pytest.mark.parametrize(("form", "data"), list(packed()), ids=[form for form, _ in packed()])
def test_each_form_is_unpacked_and_current(app: Path, form: str, data: bytes) -> None:
    put(app, "2.0", data, strip_components=1)
    assert str((app / "current").readlink()) == "versions/2.0"
    assert current_version(app) == "2.0"
    assert (app / "current/bin/data").read_bytes() == b"x" * 100_000
    assert str((app / "current/latest").readlink()) == "lib"
    assert os.access(app / "current/bin/run", os.X_OK)
    if form != "zip":
        assert (app / "current/lib/data").stat().st_mtime == 1_000_000
    assert names(app) == ["2.0"]


def test_modes_are_plain_whatever_the_archive_and_the_umask_say(app: Path) -> None:
    before = os.umask(0o077)
    try:
        put(app, "1", tar(("d", "dir", b""), ("d/suid", "file", b"x"), mode=0o7777))
        put(app, "2", zipped(("d/suid", "file", b"x"), mode=0o7666))
    finally:
        os.umask(before)
    for version, mode in (("1", 0o755), ("2", 0o644)):
        assert stat.S_IMODE((app / "versions" / version / "d/suid").stat().st_mode) == mode
        for place in (app, app / "versions", app / "versions" / version / "d"):
            assert stat.S_IMODE(place.stat().st_mode) == 0o755


def test_hard_links_lead_to_files_before_them(app: Path) -> None:
    put(app, "1", tar(("p/a", "file", b"same"), ("p/b", "hard", "p/a")), strip_components=1)
    assert (app / "current/b").samefile(app / "current/a")


HOSTILE: dict[str, tuple[Entry, ...]] = {
    "absolute": (("/etc/evil", "file", b"x"),),
    "up": (("../evil", "file", b"x"),),
    "up within": (("a/../../evil", "file", b"x"),),
    "up though harmless": (("a/../b", "file", b"x"),),
    "absolute link": (("a", "sym", "/etc/passwd"),),
    "link up": (("a", "sym", "../evil"),),
    "link up by way of a directory": (("d/a", "sym", "../../evil"),),
    "written through a link": (("a", "sym", ".."), ("a/evil", "file", b"x")),
    "link made through a link": (("a", "sym", ".."), ("a/evil", "sym", "x")),
    "links that lead out together": (("x/y/z", "dir", b""), ("a", "sym", "x/y"), ("b", "sym", "a/../../..")),
    "links before their directories": (("b", "sym", "a/../../.."), ("a", "sym", "x/y"), ("x/y", "dir", b"")),
    "missing, then up": (("a", "sym", "missing/../../evil"),),
    "empty link": (("a", "sym", ""),),
    "long link": (("a", "sym", "b/" * 600),),
    "fifo": (("a", "fifo", b""),),
    "device": (("a", "char", b""),),
    "same name twice": (("a", "file", b"x"), ("a", "file", b"y")),
    "a file as directory": (("a", "file", b"x"), ("a/b", "file", b"y")),
    "a link over a file": (("a", "file", b"x"), ("a", "sym", "b")),
    "long name": (("a/" * 600 + "a", "file", b"x"),),
    "long part": (("a" * 300, "file", b"x"),),
    "nothing": (),
}
HOSTILE_TARS: dict[str, tuple[Entry, ...]] = {
    "hard link out": (("a", "hard", "../evil"),),
    "absolute hard link": (("a", "hard", "/etc/passwd"),),
    "hard link to a link": (("l", "sym", ".."), ("a", "hard", "l")),
    "hard link to nothing": (("a", "hard", "b"),),
    "block device": (("a", "block", b""),),
}
CASES = [(f"{maker.__name__}: {name}", maker, entries) for maker in (tar, zipped) for name, entries in HOSTILE.items()]
CASES += [(f"tar: {name}", tar, entries) for name, entries in HOSTILE_TARS.items()]


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(("maker", "entries"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_hostile_archives_leave_nothing(
    app: Path, tmp_path: Path, maker: Callable[..., bytes], entries: tuple[Entry, ...]
) -> None:
    put(app, "1.0", tar(("a", "file", b"good")))
    before = sorted(path for path in tmp_path.rglob("*"))
    with pytest.raises(ArchiveError):
        put(app, "2.0", maker(*entries))
    assert sorted(path for path in tmp_path.rglob("*")) == before
    assert current_version(app) == "1.0"


def test_a_chain_of_links_of_any_length_is_followed_or_refused(app: Path) -> None:
    chain: list[Entry] = [(f"l{n}", "sym", f"l{n + 1}") for n in range(1_200)]
    with pytest.raises(ArchiveError, match="leads out"):
        put(app, "1", tar(*chain, ("l1200", "sym", "../../evil")))
    loop: tuple[Entry, ...] = (("a", "sym", "b"), ("b", "sym", "a"))
    put(app, "1", tar(*loop))  # useless, and harmless
    assert names(app) == ["1"]


def truncated() -> Iterator[bytes]:
    random = Random(1).randbytes(50_000)
    for data in (tar(("a", "file", random)), gzip.compress(tar(("a", "file", random))), zipped(("a", "file", random))):
        yield data[: len(data) // 2]
    yield b""
    yield b"not an archive at all"
    broken = bytearray(zipped(("a", "file", random)))
    broken[1_000] ^= 1
    yield bytes(broken)
    broken = bytearray(lzma.compress(tar(("a", "file", random))))
    broken[20_000] ^= 1
    yield bytes(broken)


@pytest.mark.parametrize("data", list(truncated()), ids=lambda data: f"{len(data)} bytes")
def test_damaged_archives_are_refused_in_words(app: Path, data: bytes) -> None:
    with pytest.raises(ArchiveError):
        put(app, "1", data)
    assert names(app) == []
    assert current_version(app) == ""


def test_caps_hold_at_the_limit_and_over_it(app: Path) -> None:
    limits = InstallLimits(max_members=3, max_links=1, max_unpacked_bytes=10)
    for maker in (tar, zipped):
        put(app, "1", maker(("a", "file", b"12345"), ("b", "file", b"67890"), ("c", "sym", "a")), limits=limits)
        for entries in (
            [(name, "file", b"") for name in "abcd"],
            [("a", "file", b"123456"), ("b", "file", b"67890")],
            [("a", "sym", "b"), ("c", "sym", "b")],
        ):
            with pytest.raises(ArchiveError, match="more than"):
                put(app, "2", maker(*entries), limits=limits)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_headers_do_not_fill_the_memory(app: Path, kind: bytes) -> None:
    info = tarfile.TarInfo("header")
    info.type, info.size = kind, 1 << 32
    with pytest.raises(ArchiveError, match="header of over 1 MiB"):
        put(app, "1", info.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)


def test_headers_within_headers_are_refused(app: Path) -> None:
    info = tarfile.TarInfo("header")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 512
    with pytest.raises(ArchiveError):
        put(app, "1", (info.tobuf(tarfile.GNU_FORMAT) + b"x" * 512) * 5_000)


def test_a_member_that_says_it_is_small_is_stopped(app: Path) -> None:
    data = zipped(("a", "file", b"x" * 1000))
    lied = data.replace((1000).to_bytes(4, "little") * 2, (1000).to_bytes(4, "little") + (10).to_bytes(4, "little"))
    assert lied != data
    with pytest.raises(ArchiveError):
        put(app, "1", lied)
    assert names(app) == []


def test_previous_versions_are_kept_and_the_rest_goes(app: Path) -> None:
    for number in range(1, 6):
        put(app, f"{number}", tar(("a", "file", b"x")), keep_versions=2)
    assert names(app) == ["3", "4", "5"]
    assert sorted(path.name for path in (app / "versions").glob(".*")) == [".payload-3", ".payload-4", ".payload-5"]
    roll_back(app, "5", "4")
    assert (names(app), current_version(app)) == (["3", "4"], "4")
    put(app, "6", tar(("a", "file", b"x")), keep_versions=1)
    assert names(app) == ["4", "6"]


def test_the_first_version_is_rolled_back_to_nothing_and_again(app: Path) -> None:
    app.mkdir(parents=True)
    roll_back(app, "1", "")  # cut off before anything was there
    put(app, "1", tar(("a", "file", b"x")))
    for _ in range(2):
        roll_back(app, "1", "")
        assert (names(app), current_version(app)) == ([], "")
        assert not os.path.lexists(app / "current")


def test_no_way_back_to_what_is_gone(app: Path) -> None:
    put(app, "2", tar(("a", "file", b"x")))
    with pytest.raises(ArchiveError, match="version 1 is no longer in"):
        roll_back(app, "2", "1")
    assert current_version(app) == "2"


def test_the_same_again_mends_it_and_stays_when_it_is_rolled_back(app: Path) -> None:
    data = tar(("a", "file", b"first"), ("b", "file", b"b"))
    put(app, "1", data)
    (app / "current/a").unlink()
    (app / "current/b").write_bytes(b"damaged")
    put(app, "1", data)
    for _ in range(2):
        assert [(app / "current" / name).read_bytes() for name in "ab"] == [b"first", b"b"]
        assert [path.name for path in (app / "versions").iterdir() if path.name != "1"] == [".payload-1"]
        roll_back(app, "1", "1")
    (app / "current").unlink()
    roll_back(app, "1", "1")
    assert current_version(app) == "1"


def test_the_same_again_that_fails_leaves_what_was_there(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(app, "1", tar(("a", "file", b"first")))
    rename = Folder.rename

    def refused(folder: Folder, old: str, new: str) -> None:
        if old.startswith(".unpacking-"):
            raise OSError("refused")
        rename(folder, old, new)

    monkeypatch.setattr(Folder, "rename", refused)
    with pytest.raises(OSError, match="refused"):
        put(app, "1", tar(("a", "file", b"second")))
    assert (app / "current/a").read_bytes() == b"first"
    assert names(app) == ["1"]


def test_a_version_that_something_else_brought_stays(app: Path) -> None:
    for version in ("1", "2", "3"):
        put(app, version, tar(("a", "file", version.encode())), keep_versions=3)
    for previous in ("1", ""):
        with pytest.raises(ArchiveError, match="3 is current by now: something else upgraded it; it stays"):
            roll_back(app, "2", previous)
    assert (names(app), current_version(app)) == (["1", "2", "3"], "3")


def test_a_tree_that_is_not_current_any_more_is_used_as_is(app: Path) -> None:
    data = tar(("a", "file", b"first"))
    put(app, "1", data)
    inode = (app / "current/a").stat().st_ino
    put(app, "2", data)
    put(app, "1", data)
    assert (app / "current/a").stat().st_ino == inode


def test_another_payload_of_the_same_version_replaces(app: Path) -> None:
    put(app, "1", tar(("a", "file", b"first")))
    put(app, "1", tar(("a", "file", b"second")))
    assert (app / "current/a").read_bytes() == b"second"
    assert names(app) == ["1"]


@pytest.mark.parametrize("target", ["/usr", "elsewhere/1", None])
def test_a_foreign_current_is_left_alone(app: Path, target: str | None) -> None:
    app.mkdir(parents=True)
    if target is None:
        (app / "current").write_text("mine")
    else:
        (app / "current").symlink_to(target)
    with pytest.raises(ArchiveError, match="move it away"):
        put(app, "1", tar(("a", "file", b"x")))
    with pytest.raises(ArchiveError, match="move it away"):
        roll_back(app, "1", "")
    assert os.path.lexists(app / "current")


# --- cut off ---------------------------------------------------------------------------------------

KILLED = """
import hashlib, io, os, pathlib, shutil, signal, sys
from p2pdist.install import archive as archive_app
from p2pdist.shared.folder import Folder
base, old, new = (pathlib.Path(argument) for argument in sys.argv[1:4])
old, new = old.read_bytes(), new.read_bytes()
def put(app, version, data):
    app.mkdir(exist_ok=True)
    with Folder.open(app) as folder:
        archive_app.install(io.BytesIO(data), folder, version, hashlib.sha256(data).hexdigest(), keep_versions=1)
OPERATIONS = ["fsync", "mkdir", "rename", "replace", "symlink", "unlink", "rmdir", "chmod", "fchmod", "link", "utime"]
for number in range(1, 1000):
    app = base / str(number)
    put(app, "0", old)
    put(app, "1", old)
    child = os.fork()
    if not child:
        left = number
        def counted(original):
            def call(*arguments, **named):
                global left
                left -= 1
                if not left:
                    os.kill(os.getpid(), signal.SIGKILL)
                return original(*arguments, **named)
            return call
        for name in OPERATIONS:
            setattr(os, name, counted(getattr(os, name)))
        put(app, sys.argv[5], new)
        if sys.argv[4] == "back":
            with Folder.open(app) as folder:
                archive_app.roll_back(folder, sys.argv[5], "1")
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
"""


@pytest.mark.parametrize("back", ["stay", "back"])
def test_killed_at_each_step_of_the_same_again_a_whole_tree_is_there_after_the_repair(
    tmp_path: Path, back: str
) -> None:
    old, new = tar(("a", "file", b"old"), ("b/c", "file", b"old")), tar(("a", "file", b"new"), ("b/c", "file", b"new"))
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    (tmp_path / "apps").mkdir()
    script = [sys.executable, "-c", KILLED, *(str(tmp_path / name) for name in ("apps", "old", "new")), back, "1"]
    subprocess.run(script, check=True, env={**os.environ, "PYTHONPATH": str(Path(archive_app.__file__).parents[2])})
    apps = list((tmp_path / "apps").iterdir())
    assert len(apps) > 20
    seen = set()
    for app in apps:
        with Folder.open(app) as folder:
            archive_app.clear_leftovers(folder)
        assert current_version(app) == "1"
        content = (app / "current/a").read_bytes() + (app / "current/b/c").read_bytes()
        seen.add(content)
        if back == "back":
            roll_back(app, "1", "1")
        assert (app / "current/a").read_bytes() + (app / "current/b/c").read_bytes() == content
        put(app, "1", new)
        assert (app / "current/b/c").read_bytes() == b"new"
        assert names(app) == ["0", "1"]
        assert [path.name for path in app.iterdir() if path.name.startswith(".")] == []
    assert seen == {b"oldold", b"newnew"}


@pytest.mark.parametrize("back", ["stay", "back"])
def test_killed_at_each_step_the_link_leads_to_a_whole_tree_and_the_next_run_ends_it(tmp_path: Path, back: str) -> None:
    old, new = tar(("a", "file", b"old"), ("b/c", "file", b"old")), tar(("a", "file", b"new"), ("b/c", "file", b"new"))
    (tmp_path / "old").write_bytes(old)
    (tmp_path / "new").write_bytes(new)
    (tmp_path / "apps").mkdir()
    script = [sys.executable, "-c", KILLED, *(str(tmp_path / name) for name in ("apps", "old", "new")), back, "2"]
    subprocess.run(script, check=True, env={**os.environ, "PYTHONPATH": str(Path(archive_app.__file__).parents[2])})
    apps = sorted((tmp_path / "apps").iterdir(), key=lambda path: int(path.name))
    assert len(apps) > 20
    seen = set()
    for app in apps:
        version = current_version(app)
        seen.add(version)
        content = (app / "current/a").read_bytes() + (app / "current/b/c").read_bytes()
        assert content == {"1": b"oldold", "2": b"newnew"}[version]
        if back == "stay":
            put(app, "2", new, keep_versions=1)
            assert names(app) == ["1", "2"]
            assert (app / "current/b/c").read_bytes() == b"new"
        else:
            roll_back(app, "2", "1")
            assert current_version(app) == "1"
            assert "2" not in names(app)
        assert [path.name for path in app.iterdir() if path.name.startswith(".")] == []
        assert {path.name for path in (app / "versions").glob(".*")} <= {".payload-0", ".payload-1", ".payload-2"}
    assert seen == {"1", "2"}


# --- full ----------------------------------------------------------------------------------------


def test_too_little_room_is_said_before_the_disk_is_full(app: Path) -> None:
    put(app, "1", tar(("a", "file", b"x")))
    with pytest.raises(DiskFullError, match="too little room for 'a'"):
        put(app, "2", tar(("a", "file", b"x")), limits=InstallLimits(free_margin_bytes=1 << 60))
    assert (names(app), current_version(app)) == (["1"], "1")


def test_a_disk_that_becomes_full_is_left_as_it_was(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(app, "1", tar(("a", "file", b"x")))

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            put(app, "2", tar(("a", "file", b"x")))
    assert (names(app), current_version(app)) == (["1"], "1")
