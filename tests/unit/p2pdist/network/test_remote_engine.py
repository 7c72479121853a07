"""`p2pdist.network.remote_engine`: what is told to a new process. The process itself is played by the test."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

import trio

from p2pdist.network.messages import (
    AddTorrent,
    Done,
    Failed,
    LanBytes,
    LimitLan,
    PartMessage,
    RemoveTorrent,
    SetMoving,
    Snapshot,
)
from p2pdist.network.remote_engine import RemoteEngine
from p2pdist.shared.channel import ChannelEndedError
from p2pdist.shared.errors import FaultKind
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.transfer.torrent_engine import PeerSnapshot

HASH, OTHER = TorrentHash("a" * 64), TorrentHash("b" * 64)


class Part:
    """Remembers what it is told, and answers every question."""

    def __init__(self) -> None:
        self.told: list[PartMessage] = []
        self.handlers: dict[type[PartMessage], Callable[[Any], None]] = {}
        self.starts: list[Callable[[], Awaitable[None]]] = []
        self.ends: list[Callable[[], None]] = []
        self.running = True
        self.refuses = False
        self.is_asked = trio.Event()
        self.lan = (0, 0)

    def on(self, kind: type[PartMessage], handler: Callable[[Any], None]) -> None:
        self.handlers[kind] = handler

    def at_each_start(self, hook: Callable[[], Awaitable[None]]) -> None:
        self.starts.append(hook)

    def at_each_end(self, hook: Callable[[], None]) -> None:
        self.ends.append(hook)

    def tell(self, message: PartMessage) -> None:
        self.told.append(message)

    async def send(self, message: PartMessage) -> None:
        self.told.append(message)

    async def ask(self, question: Callable[[int], PartMessage], *, seconds: float) -> PartMessage:
        assert seconds > 0
        self.is_asked.set()
        for _ in range(5):  # others have their turns meanwhile
            await trio.lowlevel.checkpoint()
        if not self.running:
            raise ChannelEndedError("it is not running")
        self.told.append(question(7))
        if self.refuses:
            return Failed(7, FaultKind.BAD_INPUT, "It is not acceptable.")
        return LanBytes(7, *self.lan) if type(self.told[-1]).__name__ == "CountLan" else Done(7)

    def says(self, message: PartMessage) -> None:
        self.handlers[type(message)](message)

    async def starts_anew(self) -> None:
        for end in self.ends:
            end()
        self.told.clear()
        self.lan = (0, 0)
        for begin in self.starts:
            await begin()


def snapshot(torrent_hash: TorrentHash, phase: Any, received: int) -> Snapshot:
    peers = (PeerSnapshot("10.0.0.2", 7_691, received, 0),)
    return Snapshot(torrent_hash, phase, 8, b"\xf0", b"\xff", received, 0, 0, 0.5, peers, None)


def engine_of(part: Part) -> RemoteEngine:
    return RemoteEngine(cast("Any", part))


async def test_a_new_process_is_told_limits_first_and_then_every_torrent() -> None:
    part = Part()
    engine = engine_of(part)
    await engine.limit_lan(upload=0, download=0, serve=False)
    engine.set_moving(True)
    await engine.add(b"one", expected_hash=HASH, assume_complete=False)
    await engine.add(b"other", expected_hash=OTHER, assume_complete=False)
    part.says(snapshot(HASH, "complete", 100))
    part.says(snapshot(OTHER, "downloading", 40))
    await part.starts_anew()
    assert part.told == [
        LimitLan(0, 0, serve=False),
        SetMoving(moving=True),
        AddTorrent(7, b"one", HASH, assume_complete=True),
        AddTorrent(7, b"other", OTHER, assume_complete=False),
    ]
    assert engine.snapshot(OTHER).phase == "checking"
    assert engine.snapshot(OTHER).peers == ()


async def removed_while_a_new_process_is_told(*, delete_files: bool) -> Part:
    part = Part()
    engine = engine_of(part)
    await engine.add(b"one", expected_hash=HASH, assume_complete=False)
    await engine.add(b"other", expected_hash=OTHER, assume_complete=False)
    part.is_asked = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(part.starts_anew)
        await part.is_asked.wait()
        await engine.remove(OTHER, delete_files=delete_files)
    return part


async def test_what_is_removed_while_a_new_process_is_told_is_not_added_there() -> None:
    part = await removed_while_a_new_process_is_told(delete_files=False)
    assert [one.torrent_hash for one in part.told if isinstance(one, AddTorrent)] == [HASH]


async def test_what_is_removed_with_its_file_is_added_there_only_so_that_the_file_goes() -> None:
    part = await removed_while_a_new_process_is_told(delete_files=True)
    of_it = [one for one in part.told if isinstance(one, AddTorrent | RemoveTorrent) and one.torrent_hash == OTHER]
    # as complete: nothing is read, and nothing fetched
    assert of_it == [
        AddTorrent(7, b"other", OTHER, assume_complete=True),
        RemoveTorrent(7, OTHER, delete_files=True),
    ]


async def test_counts_go_on_across_processes() -> None:
    part = Part()
    engine = engine_of(part)
    await engine.add(b"one", expected_hash=HASH, assume_complete=False)
    part.says(snapshot(HASH, "downloading", 40))
    part.lan = (500, 50)
    assert await engine.lan_bytes() == (500, 50)
    await part.starts_anew()
    part.says(snapshot(HASH, "downloading", 2))
    assert engine.snapshot(HASH).bytes_from_peers == 42
    part.lan = (1, 2)
    assert await engine.lan_bytes() == (501, 52)


async def test_what_is_added_while_nothing_runs_is_told_to_the_next() -> None:
    part = Part()
    engine = engine_of(part)
    part.running = False
    await engine.add(b"one", expected_hash=HASH, assume_complete=True)
    assert engine.snapshot(HASH).phase == "complete"
    assert engine.snapshot(HASH).piece_count == 0
    part.running = True
    await part.starts_anew()
    assert AddTorrent(7, b"one", HASH, assume_complete=True) in part.told


async def test_a_torrent_that_the_next_process_refuses_has_failed() -> None:
    part = Part()
    engine = engine_of(part)
    await engine.add(b"one", expected_hash=HASH, assume_complete=False)
    part.refuses = True
    await part.starts_anew()
    fault = engine.snapshot(HASH).fault
    assert fault is not None
    assert fault.text == "It is not acceptable."


async def test_news_of_a_torrent_that_is_not_ours_is_dropped() -> None:
    part = Part()
    engine_of(part)
    part.says(snapshot(HASH, "complete", 1))


async def test_one_that_failed_is_removed_and_added_again_and_its_counts_go_on() -> None:
    part = Part()
    engine = engine_of(part)
    await engine.add(b"one", expected_hash=HASH, assume_complete=False)
    part.says(snapshot(HASH, "error", 100))
    part.told.clear()
    await engine.resume(HASH)
    assert part.told == [RemoveTorrent(7, HASH, delete_files=False), AddTorrent(7, b"one", HASH, assume_complete=False)]
    resumed = engine.snapshot(HASH)
    assert (resumed.phase, resumed.have, resumed.fault, resumed.bytes_from_peers) == ("checking", 0, None, 100)
    part.says(snapshot(HASH, "downloading", 30))
    assert engine.snapshot(HASH).bytes_from_peers == 130
