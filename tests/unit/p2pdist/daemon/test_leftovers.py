"""`p2pdist.daemon.leftovers`: killed before each rename of its files, an endpoint leaves nothing for good.

That a daemon calls it when it starts is seen in `tests/faults/test_processes.py`.
"""

import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import trio

from p2pdist.daemon.leftovers import remove_leftovers
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


async def test_what_cannot_be_removed_is_said_and_the_rest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = EndpointHome(tmp_path)
    for place in (home.trust, home.patches):
        place.mkdir()
        (place / ".f.0123456789ab.tmp").touch()
    remove = durable_files.remove_leftovers

    def refused(place: Path) -> int:
        if place == home.trust:
            raise PermissionError(13, "Permission denied")
        return remove(place)

    monkeypatch.setattr(durable_files, "remove_leftovers", refused)
    await remove_leftovers(home)
    assert temporary(home) == ["trust/.f.0123456789ab.tmp"]
    said = capsys.readouterr().out
    assert "cannot be removed" in said
    assert "removed what a killed daemon left" in said


async def test_news_that_a_killed_daemon_shared_go_and_payloads_stay(tmp_path: Path) -> None:
    home = EndpointHome(tmp_path)
    home.cache.mkdir(parents=True)
    news = make_torrent(describe_news(b"news")).name
    for name in (news, "a" * 64):
        (home.cache / name).write_bytes(b"x")
    await remove_leftovers(home)
    assert [path.name for path in home.cache.iterdir()] == ["a" * 64]
