"""An unprivileged user of the PC reads and locks nothing in the endpoint's home, and cannot have made it himself."""

import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from p2pdist.daemon.composition import run_daemon
from p2pdist.daemon.home_lock import hold_lock
from p2pdist.identity.store import load_or_create_key
from p2pdist.install.journal import save_journal
from p2pdist.install.lifecycle import Journal
from p2pdist.local_api.socket import serve_local_socket
from p2pdist.pc.last_site import save_site
from p2pdist.settings import EndpointHome
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import SiteName
from p2pdist.transfer.files import prepare_home, save_records
from seed_server.store.file_lock import FileLock

NOBODY = 65_534
AS_NOBODY = """
import fcntl, os, sys
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    {attack}
except OSError as error:
    sys.exit(str(error))
"""
pytestmark = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="acts as another user")


@pytest.fixture
def outside() -> Iterator[Path]:
    """Return a directory that everybody reaches, as /var/lib."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def attack(code: str, path: Path) -> int:
    """Return how a process of nobody's ended that runs ``code``; 0: it did what it wanted."""
    command = [sys.executable, "-I", "-c", AS_NOBODY.format(attack=code), str(path)]
    return subprocess.run(command, check=False, capture_output=True).returncode


@pytest.mark.parametrize("umask", [0, 0o022])
async def test_nobody_reads_or_locks_what_is_in_the_home(outside: Path, umask: int) -> None:
    home = EndpointHome(outside / "new" / "home")
    before = os.umask(umask)
    try:
        load_or_create_key(home.root)  # the first step of an enrolment
        prepare_home(home.cache, home.patches, home.trust, home.scratch)
        await save_journal(home.installs, Journal())
        await save_records(home.records, [])
        save_site(home.last_site, SiteName("hq"))
        with hold_lock(home):
            pass
    finally:
        os.umask(before)
    for path in (home.installs, home.records, home.last_site, home.lock):
        assert attack("open(sys.argv[1]).close()", path)
        assert attack("fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX)", path)
    assert attack("os.listdir(sys.argv[1])", home.root)
    assert attack("open(sys.argv[1] + '/config.toml', 'w')", home.root)
    assert attack("os.mkdir(sys.argv[1] + '/x')", outside / "new")
    for path in (home.root, *home.root.rglob("*")):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def hostile(path: Path) -> None:
    path.mkdir()
    os.chown(path, NOBODY, NOBODY)


def for_all(path: Path) -> None:
    path.mkdir()
    path.chmod(0o777)


def sticky(path: Path) -> None:
    path.mkdir()
    path.chmod(0o1777)


def for_its_group(path: Path) -> None:
    path.mkdir()
    path.chmod(0o770)


def below_his(path: Path) -> None:
    path.mkdir(mode=0o700)
    os.chown(path.parent, NOBODY, NOBODY)


def his_link(path: Path) -> None:
    (path.parent / "real").mkdir()
    path.symlink_to("real")
    os.chown(path, NOBODY, NOBODY, follow_symlinks=False)


@pytest.mark.parametrize("make", [hostile, for_all, sticky, for_its_group, below_his, his_link])
async def test_a_home_that_somebody_else_could_have_filled_is_refused_in_words(
    outside: Path, make: Callable[[Path], None]
) -> None:
    home = EndpointHome(outside / "home")
    make(home.root)
    before = sorted(outside.rglob("*"))
    for start in (lambda: load_or_create_key(home.root), lambda: trio.run(run_daemon, home, None)):
        with pytest.raises(UserError, match=str(outside)) as refused:
            await trio.to_thread.run_sync(start)
        assert refused.value.kind is FaultKind.REFUSED
        assert "ch" in refused.value.message
    assert sorted(outside.rglob("*")) == before


async def test_a_home_that_others_could_read_is_closed_to_them(outside: Path) -> None:
    home = EndpointHome(outside / "home")
    home.root.mkdir()
    home.root.chmod(0o755)
    load_or_create_key(home.root)
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700


@pytest.mark.parametrize("owner", [0, NOBODY])
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o666, 0o602])
def test_a_private_key_that_others_could_read_is_said_and_one_that_they_could_write_refused(
    outside: Path, capsys: pytest.CaptureFixture[str], owner: int, mode: int
) -> None:
    home = outside / "home"
    load_or_create_key(home)
    key = home / "identity/key.pem"
    key.chmod(mode)
    os.chown(key, owner, 0)
    if owner or mode & 0o022:
        with pytest.raises(UserError, match="identity/key.pem .* then: ch"):
            load_or_create_key(home)
        assert stat.S_IMODE(key.stat().st_mode) == mode
        return
    load_or_create_key(home)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert "private key could be read by others" in capsys.readouterr().out


def test_the_server_s_locks_are_for_its_user_alone(outside: Path) -> None:
    (outside / "serve.lock").touch(mode=0o644)  # of an earlier version
    with FileLock(outside / "serve.lock", timeout_seconds=1, busy="busy").held():
        pass
    assert attack("fcntl.flock(open(sys.argv[1]), fcntl.LOCK_EX)", outside / "serve.lock")


async def test_the_local_socket_is_for_its_user_alone_from_its_first_moment_on(
    outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = outside / "daemon.sock", list[int]()
    bind = socket.socket.bind

    def watched(listener: socket.socket, address: str) -> None:
        bind(listener, address)
        seen.append(path.stat().st_mode & 0o077)

    monkeypatch.setattr(socket.socket, "bind", watched)
    before = os.umask(0)
    try:
        async with serve_local_socket(path, []):
            assert os.umask(0) == 0  # as it was
    finally:
        os.umask(before)
    assert seen == [0]
