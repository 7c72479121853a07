"""`p2pdist.transfer.cached_files`: a finished file is out of the network part's reach before it is hashed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from p2pdist.shared.identifiers import Sha256Hex
from p2pdist.transfer.cache import Cache
from p2pdist.transfer.cached_files import SEALED_MODE, Writer, has_changed, lend, lend_directory, publish, seal, sealed

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")

WRITER = Writer(65_534, 65_534)


def as_writer(directory: Path, code: str) -> str:
    """Run Python as the writer, in the directory, which it reaches as the current one."""
    program = f"import os; os.setgroups([]); os.setgid({WRITER.gid}); os.setuid({WRITER.uid})\n{code}"
    return subprocess.run(
        [sys.executable, "-c", program], cwd=directory, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    tmp_path.chmod(0o700)
    directory = tmp_path / "cache"
    directory.mkdir()
    lend_directory(directory, WRITER)
    as_writer(directory, "open('file', 'wb').write(b'x' * 1000)")
    return directory


def test_a_sealed_file_cannot_be_written_any_more(cache: Path) -> None:
    with sealed(cache / "file", WRITER):
        pass
    status = (cache / "file").stat()
    assert (status.st_uid, status.st_mode & 0o777) == (0, SEALED_MODE)
    tried = as_writer(cache, "try: open('file', 'r+b')\nexcept PermissionError: print('refused')\nopen('file', 'rb')")
    assert tried == "refused\n"


def test_a_file_that_the_daemon_made_itself_is_lent_once_it_is_sealed(cache: Path) -> None:
    """As a copy of one that was kept for a rollback: the network part shares it, and mends it where it is damaged."""
    for name, writer in (("sealed", WRITER), ("as it is", None)):
        with (cache / name).open("wb") as file:
            seal(file.fileno(), writer)
        lend(cache / name, WRITER)
    assert (cache / "sealed").stat().st_uid == WRITER.uid
    assert not (cache / "as it is").exists()


async def test_a_writer_that_keeps_it_open_holds_up_the_proof_until_it_lets_go(cache: Path) -> None:
    program = (
        f"import os, sys; os.setgid({WRITER.gid}); os.setuid({WRITER.uid}); file = open('file', 'r+b')\n"
        "print('open', flush=True); sys.stdin.readline(); file.write(b'evil'); file.flush()"
    )
    with subprocess.Popen(  # noqa: ASYNC220 - it answers at once
        [sys.executable, "-c", program], cwd=cache, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == "open\n"
        read: list[bytes] = []

        def take() -> None:
            with sealed(cache / "file", WRITER) as descriptor:
                read.append(os.pread(descriptor, 4, 0))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, take)
            await trio.sleep(0.5)
            assert read == [], "what could still change is not hashed"
            holder.stdin.write("\n")
            holder.stdin.flush()
    assert read == [b"evil"], "the hash sees what it wrote last"


def test_one_that_never_lets_go_is_an_error(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("p2pdist.transfer.cached_files.time.sleep", lambda _: None)
    with (cache / "file").open("r+b"), pytest.raises(OSError, match="open for writing"), sealed(cache / "file", WRITER):
        pass


@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "fifo", "foreign file"])
def test_what_is_not_the_writers_own_file_is_not_taken(cache: Path, tmp_path: Path, kind: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    secret.chmod(0o600)
    planted = cache / "planted"
    if kind == "symbolic link":
        planted.symlink_to(secret)
    elif kind == "hard link":
        planted.hardlink_to(secret)
    elif kind == "fifo":
        os.mkfifo(planted)
    else:
        planted.write_bytes(b"of root")
    with pytest.raises(OSError, match="own file|not a file|symbolic"), sealed(planted, WRITER):
        pass
    lend(planted, WRITER)
    assert planted not in list(cache.iterdir())
    status = secret.stat()
    assert (status.st_uid, status.st_mode & 0o777, secret.read_bytes()) == (0, 0o600, b"secret")


def test_a_lent_file_can_be_repaired_and_a_missing_one_is_no_error(cache: Path) -> None:
    with sealed(cache / "file", WRITER):
        pass
    lend(cache / "file", WRITER)
    lend(cache / "missing", WRITER)
    as_writer(cache, "open('file', 'r+b').write(b'new')")
    assert (cache / "file").read_bytes()[:3] == b"new"


def test_a_published_file_is_never_lent(cache: Path, tmp_path: Path) -> None:
    place = tmp_path / "patches" / "p" / "1" / "file"
    with sealed(cache / "file", WRITER):
        pass
    publish(cache / "file", place, mtime_ns=None, inode=None, writer=WRITER)
    lend(cache / "file", WRITER)
    assert not (cache / "file").exists(), "it comes anew: the published one stays as it is"
    assert place.stat().st_uid == 0


def test_publishing_does_not_wait_for_the_disk(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    source = cache / "file"
    source.write_bytes(b"bytes")
    publish(source, tmp_path / "patches" / "acme" / "1" / "file", mtime_ns=None, inode=None, writer=None)
    assert not synced, "hundreds of small files would wait one after the other; each start publishes again"


def test_what_is_published_is_what_was_proven(cache: Path, tmp_path: Path) -> None:
    place = tmp_path / "patches" / "p" / "1" / "file"
    with sealed(cache / "file", WRITER) as descriptor:
        status = os.fstat(descriptor)
    proven = {"mtime_ns": status.st_mtime_ns, "inode": status.st_ino}
    publish(cache / "file", place, **proven, writer=WRITER)
    assert place.samefile(cache / "file")
    with pytest.raises(OSError, match="changed"):
        publish(cache / "file", place, **{**proven, "mtime_ns": status.st_mtime_ns + 1}, writer=WRITER)


@pytest.mark.parametrize("evil", ["its own", "a sealed one"])
def test_another_file_of_the_same_time_is_not_published_in_its_place(cache: Path, tmp_path: Path, evil: str) -> None:
    mtime_ns = 1_700_000_000_000_000_000
    as_writer(
        cache, f"open('evil', 'wb').write(b'y' * 1000)\nfor n in 'evil', 'file': os.utime(n, ns=({mtime_ns},) * 2)"
    )
    with sealed(cache / "file", WRITER) as descriptor:
        inode = os.fstat(descriptor).st_ino
    if evil == "a sealed one":  # its own proof failed
        with sealed(cache / "evil", WRITER):
            pass
    place = tmp_path / "patches" / "p" / "1" / "file"
    ctime_ns = publish(cache / "file", place, mtime_ns=mtime_ns, inode=inode, writer=WRITER)
    proven = {"length_bytes": 1000, "mtime_ns": mtime_ns, "inode": inode, "ctime_ns": ctime_ns}
    assert not has_changed(cache / "file", **proven, writer=WRITER)
    as_writer(cache, "os.rename('file', 'good'); os.rename('evil', 'file')")
    with pytest.raises(OSError, match="changed"):
        publish(cache / "file", place, mtime_ns=mtime_ns, inode=inode, writer=WRITER)
    assert place.read_bytes()[:1] == b"x"
    assert has_changed(cache / "file", **proven, writer=WRITER)


def test_who_opens_a_file_amid_the_look_for_writers_cannot_end_the_daemon(cache: Path) -> None:
    """The kernel tells of that by a signal: SIGIO, unless another is chosen, ends a process."""
    looks = (
        "import os, sys; from p2pdist.transfer.cached_files import _wait_for_writers as wait\n"
        "descriptor = os.open(sys.argv[1], os.O_RDONLY)\n"
        "for _ in range(500): wait(descriptor, lambda: None)"
    )
    opens = (
        "import os, sys\nprint(flush=True)\n"
        "while True:\n"
        "    try: os.close(os.open(sys.argv[1], os.O_RDWR | os.O_NONBLOCK))\n"
        "    except BlockingIOError: pass"
    )
    with subprocess.Popen([sys.executable, "-c", opens, cache / "file"], stdout=subprocess.PIPE) as opener:
        assert opener.stdout is not None
        opener.stdout.readline()
        try:
            looked = subprocess.run([sys.executable, "-c", looks, cache / "file"], check=False, timeout=60)
        finally:
            opener.kill()
    assert looked.returncode == 0


def test_a_proof_counts_only_as_long_as_the_file_is_out_of_reach(cache: Path) -> None:
    with sealed(cache / "file", WRITER) as descriptor:
        status = os.fstat(descriptor)
    mtime_ns = status.st_mtime_ns
    proven = {"length_bytes": 1000, "mtime_ns": mtime_ns, "ctime_ns": status.st_ctime_ns, "inode": status.st_ino}
    assert not has_changed(cache / "file", **proven, writer=WRITER)
    as_writer(
        cache,
        f"os.rename('file', 'old'); open('file', 'wb').write(b'y' * 1000); os.utime('file', ns=({mtime_ns},) * 2)",
    )
    assert has_changed(cache / "file", **proven, writer=WRITER)


@pytest.mark.parametrize(("content", "read"), [(b"news", b"news"), (b"new", None), (b"newsy", None), (None, None)])
async def test_what_its_writer_may_still_change_is_read_if_it_has_the_length(
    tmp_path: Path, content: bytes | None, read: bytes | None
) -> None:
    name = Sha256Hex("0" * 64)
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert await Cache(tmp_path, None).read_unproven(name, 4) == read


async def test_a_link_in_the_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    name = Sha256Hex("0" * 64)
    (tmp_path / "secret").write_bytes(b"news")
    (tmp_path / name).symlink_to(tmp_path / "secret")
    assert await Cache(tmp_path, None).read_unproven(name, 4) is None
