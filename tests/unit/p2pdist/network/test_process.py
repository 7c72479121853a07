"""`p2pdist.network.process` with real processes: the real network part, and others that behave badly.

The real one is `p2pdist.network.part` with `p2pdist.network.services`, started by `p2pdist.network.__main__`.
"""

import base64
import os
import signal
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.lowlevel
import trio.testing

from p2pdist.identity.servers import AddressTurns
from p2pdist.neighbours.finder import PeerFound
from p2pdist.neighbours.known_peer import Announcement
from p2pdist.network.messages import (
    AddTorrent,
    PartIdentity,
    SetMoving,
    Start,
)
from p2pdist.network.process import Launch, NetworkPart, open_network_part
from p2pdist.network.remote_engine import RemoteEngine
from p2pdist.network.remote_finder import RemoteFinder
from p2pdist.network.remote_http import RemoteHttp
from p2pdist.network.remote_origin import RemoteOrigin
from p2pdist.network.rights import PartUser
from p2pdist.origin.connection import Disconnected
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import EndpointId, TorrentHash
from p2pdist.shared.server_address import ServerAddress
from p2pdist.shared.wire.messages import ControlHello
from p2pdist.transfer.torrent_engine import EngineError, TransferSnapshot
from p2pdist.trust.http_answers import HttpError
from tests.helpers.pki import TestCA
from tests.helpers.swarm_endpoints import Payload

ADDRESS = "127.0.75.11"
TURNS = AddressTurns([ServerAddress("127.0.75.1", 1, 2)])
WITHIN_SECONDS = 40.0  # a process starts in a second; on a busy machine in several
ME = PartUser("me", os.geteuid(), os.getegid(), separate=False)


def start(ca: TestCA, *, address: str = ADDRESS, port: int = 0) -> Start:
    leaf = ca.issue("*")
    return Start(
        listen_address=address,
        listen_port=port,
        local_address=address,
        server_address="127.0.75.1",
        origin_port=1,  # nothing listens there
        identity=PartIdentity(
            control_ca=ca.pem,
            control_certificate=leaf.certificate,
            swarm_ca=ca.pem,
            swarm_certificate=leaf.certificate,
            key=leaf.key,
        ),
    )


def hello() -> ControlHello:
    return ControlHello(
        protocol=1,
        software="t",
        hostname="pc",
        addresses=[],
        lan_port=7691,
        on_mains=True,
        wired=True,
        uptime_seconds=1,
        instance="0" * 32,
    )


@asynccontextmanager
async def running(directory: Path, ca: TestCA, program: str | None = None) -> AsyncIterator[NetworkPart]:
    """The real network part, or a Python program in its place."""
    directory.mkdir(exist_ok=True)
    launch = Launch(ME, directory, "info")
    if program is not None:
        launch = Launch(ME, directory, "info", (sys.executable, "-c", textwrap.dedent(program)), 0.2)
    with trio.fail_after(WITHIN_SECONDS):
        async with open_network_part(launch, lambda: start(ca)) as part:
            yield part


async def until(engine: RemoteEngine, payload: Payload, phase: str) -> TransferSnapshot:
    while True:
        await engine.refresh()
        snapshot = engine.snapshot(payload.torrent_hash)
        if snapshot.phase == phase:
            return snapshot
        await trio.sleep(0.05)


async def gone(part: NetworkPart, life: int) -> None:
    while part.life == life or not part.running:  # noqa: ASYNC110 - plain attributes
        await trio.sleep(0.02)


async def test_what_it_is_told_outlives_the_process(
    ca: TestCA, payload_of: Any, tmp_path: Path, open_endpoint: Any
) -> None:
    whole, half = payload_of(600_000), payload_of(600_001)
    async with running(tmp_path / "cache", ca) as part, open_endpoint() as neighbour:
        engine = RemoteEngine(part)
        await part.begin()
        whole.write(tmp_path / "cache")
        await engine.limit_lan(upload=None, download=None, serve=True)
        await engine.add(whole.torrent, expected_hash=whole.torrent_hash, assume_complete=False)
        await engine.add(half.torrent, expected_hash=half.torrent_hash, assume_complete=False)
        assert (await until(engine, whole, "complete")).piece_count == whole.count
        await until(engine, half, "downloading")
        await neighbour.add(half, complete=True)
        await neighbour.until(half, lambda s: s.phase == "complete")
        engine.connect_peer(half.torrent_hash, neighbour.address, neighbour.engine.listen_port)
        await until(engine, half, "complete")
        assert part.pid is not None
        os.kill(part.pid, signal.SIGKILL)
        await gone(part, 1)
        assert (await until(engine, whole, "complete")).have == (1 << whole.count) - 1
        after = await until(engine, half, "complete")
        assert after.bytes_from_peers > 0, "counts go on"
        await engine.remove(half.torrent_hash, delete_files=True)
        await vanished(tmp_path / "cache" / half.name)  # at once, unless the new process is still being told
        with pytest.raises(EngineError, match="no torrent"):
            engine.snapshot(half.torrent_hash)


async def vanished(file: Path) -> None:
    while file.exists():  # noqa: ASYNC110 - a file
        await trio.sleep(0.02)


async def test_what_is_removed_while_no_process_runs_goes_when_the_next_one_is_up(
    ca: TestCA, payload_of: Any, tmp_path: Path
) -> None:
    removed, kept, again = payload_of(600_000), payload_of(600_001), payload_of(600_002)
    async with running(tmp_path / "cache", ca) as part:
        engine = RemoteEngine(part)
        await part.begin()
        for payload in (removed, kept, again):
            payload.write(tmp_path / "cache")
            await engine.add(payload.torrent, expected_hash=payload.torrent_hash, assume_complete=True)
        assert part.pid is not None
        os.kill(part.pid, signal.SIGKILL)
        while part.running:  # noqa: ASYNC110 - a plain attribute
            await trio.sleep(0.01)
        await engine.remove(removed.torrent_hash, delete_files=True)
        await engine.remove(again.torrent_hash, delete_files=True)
        await engine.add(again.torrent, expected_hash=again.torrent_hash, assume_complete=True)
        await gone(part, 1)
        await vanished(tmp_path / "cache" / removed.name)
        for payload in (kept, again):
            assert (await until(engine, payload, "complete")).have == (1 << payload.count) - 1
            assert (tmp_path / "cache" / payload.name).exists()


async def test_what_is_removed_while_it_is_added_is_gone(ca: TestCA, payload_of: Any, tmp_path: Path) -> None:
    payload = payload_of(600_000)
    async with running(tmp_path / "cache", ca) as part:
        engine = RemoteEngine(part)
        await part.begin()
        payload.write(tmp_path / "cache")
        add = partial(engine.add, payload.torrent, expected_hash=payload.torrent_hash, assume_complete=True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(add)
            await trio.testing.wait_all_tasks_blocked()  # it is asked for, and not answered
            await engine.remove(payload.torrent_hash, delete_files=True)
        assert not (tmp_path / "cache" / payload.name).exists()


async def test_errors_of_the_engine_come_back(ca: TestCA, payload_of: Any, tmp_path: Path) -> None:
    payload = payload_of(100_000)
    async with running(tmp_path / "cache", ca) as part:
        engine = RemoteEngine(part)
        await part.begin()
        with pytest.raises(EngineError, match="not acceptable") as caught:
            await engine.add(b"d4:junke", expected_hash=payload.torrent_hash, assume_complete=False)
        assert caught.value.kind is FaultKind.BAD_INPUT
        await engine.add(payload.torrent, expected_hash=payload.torrent_hash, assume_complete=False)
        await until(engine, payload, "downloading")


async def test_http_failures_come_back_whole_and_while_it_is_down_they_say_so(ca: TestCA, tmp_path: Path) -> None:
    async with running(tmp_path / "cache", ca) as part:
        http = RemoteHttp(part, TURNS)
        with pytest.raises(HttpError) as closed:
            await http.get("https://127.0.75.1:1/x", max_bytes=100)
        assert closed.value.failure == "port_closed"
        with pytest.raises(HttpError) as closed:
            await http.post("https://127.0.75.1:1/x", b"{}", max_bytes=100)
        assert closed.value.failure == "port_closed"
        assert part.pid is not None
        os.kill(part.pid, signal.SIGKILL)
        while part.running:  # noqa: ASYNC110 - a plain attribute
            await trio.sleep(0.01)
        with pytest.raises(HttpError) as down:
            await http.get("https://127.0.75.1:1/x", max_bytes=100)
        assert down.value.failure == "network_part_down"
        await gone(part, 1)


async def test_a_server_that_cannot_be_reached_is_told(ca: TestCA, tmp_path: Path) -> None:
    async with running(tmp_path / "cache", ca) as part:
        origin = RemoteOrigin(part, hello, TURNS, replaced=lambda: None)
        await part.begin()
        event = await anext(origin.events)
        assert isinstance(event, Disconnected)
        assert not origin.connected
        assert "next attempt within" in origin.status


def new_id() -> str:
    """An endpoint id that no other daemon on this machine announces."""
    return base64.b32encode(os.urandom(16)).decode().lower().rstrip("=")


def finder(part: NetworkPart, endpoint_id: str) -> RemoteFinder:
    def announcement() -> Announcement:
        return Announcement(EndpointId(endpoint_id), ADDRESS, part.listen_port, "0" * 16, "")

    return RemoteFinder(part, announcement)


async def test_neighbours_are_found(ca: TestCA, tmp_path: Path) -> None:
    async with running(tmp_path / "a", ca) as one, running(tmp_path / "b", ca) as other:
        here_id, there_id = new_id(), new_id()
        here, _there = finder(one, here_id), finder(other, there_id)
        await one.begin()
        await other.begin()
        async for found in here.events:
            if isinstance(found, PeerFound) and found.announcement.endpoint_id == there_id:
                break


async def test_a_port_in_use_is_a_users_error(ca: TestCA, tmp_path: Path) -> None:
    async with running(tmp_path / "a", ca) as part:
        (tmp_path / "b").mkdir()
        taken = start(ca, port=part.listen_port)
        with pytest.raises(UserError, match="in use") as caught:
            await NetworkPart(Launch(ME, tmp_path / "b", "info"), lambda: taken).run()
        assert caught.value.kind is FaultKind.BUSY


async def test_secrets_in_the_environment_are_not_passed_on(
    ca: TestCA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "secret")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    does = "    sys.exit(3 if 'SECRET_TOKEN' in os.environ else 4)\n"
    async with running(tmp_path / "cache", ca, HOSTILE + does) as part:
        while not part.problem:  # noqa: ASYNC110 - a plain attribute
            await trio.sleep(0.01)
        assert "status 4" in part.problem


async def test_a_process_that_cannot_be_made_now_is_made_later(ca: TestCA, tmp_path: Path) -> None:
    """A PC without memory or descriptors left for it."""
    program = tmp_path / "program"

    def make() -> None:
        program.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        program.chmod(0o700)

    make()
    script = textwrap.dedent(HOSTILE) + "os.unlink(sys.argv[1])\nsys.exit(3)"
    launch = Launch(ME, tmp_path, "info", (str(program), "-c", script, str(program)), 0.2)
    with trio.fail_after(WITHIN_SECONDS):
        async with open_network_part(launch, lambda: start(ca)) as part:
            while "cannot be started" not in part.problem:  # noqa: ASYNC110 - a plain attribute
                await trio.sleep(0.01)
            assert "starts again" in part.problem
            make()
            await gone(part, part.life)


# --- a network part that was taken over ----------------------------------------------------

HOSTILE = """
    import os, sys, time
    from p2pdist.network.messages import *
    from p2pdist.origin.connection import Disconnected
    from p2pdist.shared.wire import codec
    from p2pdist.shared.wire.frames import encode_frame
    def send(message):
        os.write(1, encode_frame(codec.encode(message), max_bytes=MAX_MESSAGE_BYTES))
    def flood():
        for _ in range(1_000):
            send(FromOrigin(Disconnected("x"), connected=False, status="y"))
    send(Started(7691))
    time.sleep(0.3)
"""


@pytest.mark.parametrize(
    ("does", "words"),
    [
        ("os.write(1, b'\\\\xff' * 10_000)", "cap"),
        ("os.write(1, encode_frame(codec.encode(EndProcess()), max_bytes=99))", "must not"),
        ("os.abort()", "SIGABRT"),
        ("sys.exit(3)", "status 3"),
        ("os.close(1); time.sleep(60)", "has ended"),
        ("flood(); time.sleep(60)", "window"),
    ],
    ids=["no frame", "a wrong message", "a crash", "an exit", "it closes its end", "more than its window"],
)
async def test_whatever_it_does_the_daemon_goes_on_and_starts_it_again(
    ca: TestCA, tmp_path: Path, does: str, words: str
) -> None:
    async with running(tmp_path / "cache", ca, HOSTILE + "    " + does.replace("\\\\", "\\") + "\n") as part:
        RemoteOrigin(part, hello, TURNS, replaced=lambda: None)
        await part.begin()
        while not part.problem:  # noqa: ASYNC110 - a plain attribute
            await trio.sleep(0.01)
        assert words in part.problem
        assert "starts again" in part.problem
        while part.life < 2:  # noqa: ASYNC110 - a plain attribute
            await trio.sleep(0.01)


async def test_one_that_reads_nothing_is_ended(ca: TestCA, tmp_path: Path) -> None:
    async with running(tmp_path / "cache", ca, HOSTILE + "    time.sleep(600)\n") as part:
        while part.running and part.life == 1:
            part.tell(AddTorrent(0, bytes(1_000_000), "a" * 64, assume_complete=False))
            part.tell(SetMoving(moving=True))
            await trio.lowlevel.checkpoint()
        while not part.problem:  # noqa: ASYNC110 - a plain attribute
            await trio.sleep(0.01)
        assert "reads nothing" in part.problem


async def test_counts_never_sink_and_answers_are_not_longer_than_asked_for(ca: TestCA, tmp_path: Path) -> None:
    program = HOSTILE + textwrap.indent(
        textwrap.dedent(
            """
            snapshot = Snapshot("a" * 64, "downloading", 8, b"\\xff", b"\\xff", 10**6, 5, 5, 0.5, (), None)
            send(snapshot)
            send(msgspec.structs.replace(snapshot, bytes_from_peers=1, bytes_wasted=0))
            for call in range(1, 9): send(HttpDone(call, 200, bytes(2_000)))
            time.sleep(0.5)
            for call in range(1, 9): send(HttpDone(call, 200, bytes(2_000)))
            time.sleep(60)
            """
        ),
        "    ",
    ).replace("snapshot = ", "import msgspec\n    snapshot = ", 1)
    async with running(tmp_path / "cache", ca, program) as part:
        engine, torrent_hash = RemoteEngine(part), TorrentHash("a" * 64)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(engine.add, b"", expected_hash=torrent_hash, assume_complete=False))
            with pytest.raises(HttpError) as caught:
                await RemoteHttp(part, TURNS).get("https://server/x", max_bytes=1_999)
            assert caught.value.failure == "too_large"
            snapshot = engine.snapshot(torrent_hash)
            assert (snapshot.bytes_from_peers, snapshot.bytes_wasted) == (10**6, 5)
            nursery.cancel_scope.cancel()
