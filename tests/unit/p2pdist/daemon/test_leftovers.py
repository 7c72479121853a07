"""`p2pdist.daemon.leftovers`: killed before each rename of its files, an endpoint leaves nothing for good.

That a daemon calls it when it starts is seen in `tests/faults/test_processes.py`.
"""

import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing

from p2pdist.daemon.leftovers import NOT_YET_SECONDS, SWEEP_SECONDS, DailySweep, remove_leftovers
from p2pdist.install.process_records import write_record
from p2pdist.settings import EndpointHome
from p2pdist.shared import durable_files
from p2pdist.shared.wire.news_torrent import describe_news, make_torrent

# lives that write each kind of file of an endpoint's home; the n-th dies before its n-th rename
LIFE = """
import os, signal, sys
from pathlib import Path
import trio
from p2pdist.identity.store import load_or_create_key
from p2pdist.install.journal import save_journal
from p2pdist.install.kept_files import keep_payload
from p2pdist.install.lifecycle import Journal, KeptFile
from p2pdist.pc.last_site import save_site
from p2pdist.settings import EndpointHome
from p2pdist.transfer.files import publish_verified, save_records
from p2pdist.trust.files import TrustFiles
from p2pdist.trust.floor import VerifiedMetadata
replace, left = os.replace, 0
def counted(*arguments, **named):
    global left
    left -= 1
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(*arguments, **named)
os.replace = counted
async def life(home):
    load_or_create_key(home.root)
    trust = TrustFiles(home.trust)
    trust.load()
    trust.keep_document("a" * 64, b"document")
    trust.keep_verified(VerifiedMetadata())
    home.cache.mkdir(exist_ok=True)
    payload = home.cache / ("b" * 64)
    payload.write_bytes(b"payload")
    await publish_verified(payload, home.patches / "acme" / "1" / "file")
    await keep_payload(payload, home.kept / "acme", KeptFile(version="1", file_name="file", sha256="b" * 64))
    await save_records(home.records, [])
    await save_journal(home.installs, Journal())
    save_site(home.last_site, "hq")
for number in range(1, int(sys.argv[2]) + 1):
    child = os.fork()
    if not child:
        left = number
        trio.run(life, EndpointHome(Path(sys.argv[1]) / str(number)))
        os._exit(0)
    print(os.waitpid(child, 0)[1])
"""
WRITES = 8


def temporary(home: EndpointHome) -> list[str]:
    return [str(path.relative_to(home.root)) for path in home.root.rglob("*.tmp")]


async def test_killed_before_each_rename_nothing_is_left_after_the_next_start(tmp_path: Path) -> None:
    places = set()
    command = [sys.executable, "-c", LIFE, str(tmp_path), str(WRITES + 1)]
    lives = await trio.to_thread.run_sync(partial(subprocess.run, command, check=True, stdout=subprocess.PIPE))
    assert [int(word) for word in lives.stdout.split()] == [signal.SIGKILL] * WRITES + [0]
    for number in range(1, WRITES + 2):
        home = EndpointHome(tmp_path / str(number))
        left = temporary(home)
        assert len(left) == (number <= WRITES), left
        places |= {name.split("/")[0] for name in left}
        await remove_leftovers(home)
        assert temporary(home) == []
        if number >= 5:
            assert (home.cache / ("b" * 64)).stat().st_nlink <= (2 if number <= 5 else 3)
    assert places == {"identity", "trust", "patches", "kept", "state"}


LEFT = (
    ".daemon.lock.0123456789ab.tmp",
    "cache/.trial",
    "cache/.f.0123456789ab.tmp",
    "upgrade/.order.json.0123456789ab.tmp",
    f"upgrade/.progress.json.{1 << 30}",
    "scratch/.f.0123456789ab.tmp",
    "scratch/run-0123456789ab/payload.msi",
)
USED = ("upgrade/order.json", f"upgrade/.said.json.{os.getpid()}", "cache/" + "a" * 64, "scratch/installing")


def make(home: EndpointHome, *names: str) -> None:
    for name in names:
        path = home.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100)


def there(home: EndpointHome) -> set[str]:
    return {str(path.relative_to(home.root)) for path in home.root.rglob("*") if path.is_file()}


async def test_leftovers_go_wherever_parts_of_the_daemon_write(tmp_path: Path) -> None:
    home = EndpointHome(tmp_path)
    make(home, *LEFT, *USED)
    await remove_leftovers(home)
    assert there(home) == set(USED)
    assert not (home.scratch / "run-0123456789ab").exists()


async def test_what_an_installer_runs_from_that_outlived_its_daemon_stays(tmp_path: Path) -> None:
    home = EndpointHome(tmp_path)
    make(home, "scratch/run-0123456789ab/payload.msi")
    assert write_record(home.scratch / "running", os.getpid())
    await remove_leftovers(home)
    assert (home.scratch / "run-0123456789ab" / "payload.msi").exists()


async def test_a_running_daemon_removes_what_was_there_the_day_before_too(tmp_path: Path) -> None:
    home = EndpointHome(tmp_path)
    make(home, "state/.old.0123456789ab.tmp", "state/.again.0123456789ab.tmp", *USED)
    sweep = DailySweep(home, cast("Any", None))
    await sweep.sweep()
    assert "state/.old.0123456789ab.tmp" in there(home)
    (home.root / "state/.again.0123456789ab.tmp").rename(
        home.root / "state/kept"
    )  # so that its inode is not used again
    make(home, "state/.again.0123456789ab.tmp", "state/.new.0123456789ab.tmp")
    await sweep.sweep()
    assert there(home) == {
        *USED, "state/kept", "state/.again.0123456789ab.tmp", "state/.new.0123456789ab.tmp",
    }  # fmt: skip


async def test_what_nothing_belongs_to_is_looked_for_once_it_is_known_what_does(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    asked: list[float] = []

    class Played:
        async def remove_unclaimed(self) -> bool:
            asked.append(trio.current_time())
            return len(asked) > 2

    with trio.move_on_after(2.5 * SWEEP_SECONDS):
        await DailySweep(EndpointHome(tmp_path), cast("Any", Played())).run()
    first = 2 * NOT_YET_SECONDS
    assert asked == [0, NOT_YET_SECONDS, first, first + SWEEP_SECONDS, first + 2 * SWEEP_SECONDS]


async def test_what_cannot_be_removed_is_said_and_the_rest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = EndpointHome(tmp_path)
    make(home, "trust/.f.0123456789ab.tmp", "patches/.f.0123456789ab.tmp")
    find = durable_files.find_leftovers

    def refused(place: Path, *, below: bool) -> list[Path]:
        if place == home.trust:
            raise PermissionError(13, "Permission denied")
        return find(place, below=below)

    monkeypatch.setattr(durable_files, "find_leftovers", refused)
    await remove_leftovers(home)
    assert temporary(home) == ["trust/.f.0123456789ab.tmp"]
    said = capsys.readouterr().out
    assert "cannot be looked for" in said
    assert "removed what killed processes left" in said


async def test_news_that_a_killed_daemon_shared_go_and_payloads_stay(tmp_path: Path) -> None:
    home = EndpointHome(tmp_path)
    home.cache.mkdir(parents=True)
    news = make_torrent(describe_news(b"news")).name
    for name in (news, "a" * 64):
        (home.cache / name).write_bytes(b"x")
    await remove_leftovers(home)
    assert [path.name for path in home.cache.iterdir()] == ["a" * 64]
