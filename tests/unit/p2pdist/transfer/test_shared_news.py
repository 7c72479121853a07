"""`p2pdist.transfer.shared_news` on `made_torrents` with a played engine and a played server.

With real processes: `tests/swarm/test_shared_news.py`; with an origin port: `tests/faults/origin_port/test_news.py`.
"""

import dataclasses
import random
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import trio
import trio.testing

from p2pdist.shared.identifiers import PieceIndex, Sha256Hex, TorrentHash
from p2pdist.shared.wire import bitfield
from p2pdist.shared.wire.messages import FromEndpoint, News, PieceRejected, PieceStored, Want
from p2pdist.shared.wire.news_torrent import NEWS_PIECE_BYTES, NewsTorrent, describe_news, make_torrent
from p2pdist.transfer.cache import Cache
from p2pdist.transfer.faults import TransferFault
from p2pdist.transfer.made_torrents import ALONE_SECONDS, IDLE_LOOK_SECONDS, MadeTorrents
from p2pdist.transfer.shared_news import AFTER_FAILURE_SECONDS, NEWS_TERMS, SharedNews
from p2pdist.transfer.states import giving_up
from p2pdist.transfer.torrent_engine import EngineError, PeerSnapshot, TransferSnapshot

NEWS = random.Random(1).randbytes(2 * NEWS_PIECE_BYTES + 1)
TOLD = describe_news(NEWS)
MADE = make_torrent(TOLD)
ALL = 0b111
PIECE = PieceIndex(0)


class Played:
    """Engine and server."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        self.torrents: dict[TorrentHash, TransferSnapshot] = {}
        self.answer: News | None = News(files=b"", torrent=TOLD)
        self.sent: list[FromEndpoint] = []
        self.looked_for: list[TorrentHash] = []
        self.broken = False
        self.seen_by_a_second_look: Callable[[], None] | None = None
        """What happens while a look lasts."""
        self.refreshed_at = -1.0

    # the engine
    async def refresh(self) -> None:
        if self.seen_by_a_second_look is not None and trio.current_time() == self.refreshed_at:
            self.seen_by_a_second_look()
        self.refreshed_at = trio.current_time()

    def snapshot(self, torrent_hash: TorrentHash) -> TransferSnapshot:
        return self.torrents[torrent_hash]

    async def add(self, torrent: bytes, *, expected_hash: TorrentHash, assume_complete: bool) -> None:
        if self.broken:
            raise EngineError("broken")
        assert not assume_complete
        assert torrent == MADE.torrent or expected_hash != MADE.torrent_hash
        self.torrents[expected_hash] = TransferSnapshot(
            torrent_hash=expected_hash, phase="downloading", piece_count=3, have=0, lan_have=0, bytes_from_peers=0,
            bytes_to_peers=0, bytes_wasted=0, progress=0.0, peers=(), fault=None,
        )  # fmt: skip

    async def remove(self, torrent_hash: TorrentHash, *, delete_files: bool) -> None:
        assert delete_files
        del self.torrents[torrent_hash]

    def change(self, torrent_hash: TorrentHash = MADE.torrent_hash, **fields: Any) -> None:
        self.torrents[torrent_hash] = dataclasses.replace(self.torrents[torrent_hash], **fields)

    def complete(self, news: bytes = NEWS) -> None:
        made = make_torrent(describe_news(news))
        (self.cache / made.name).write_bytes(news)
        self.change(made.torrent_hash, phase="complete", have=ALL)

    # the server
    async def ask(self, _root: int, _snapshot: int, *, everything: bool = False) -> News | None:
        self.asked_for_everything = everything
        return self.answer

    async def send(self, message: FromEndpoint) -> None:
        self.sent.append(message)

    @property
    def wants(self) -> list[Want]:
        return [message for message in self.sent if isinstance(message, Want)]

    def look_for(self, torrents: Iterable[TransferSnapshot]) -> None:
        self.looked_for = [each.torrent_hash for each in torrents if each.phase == "downloading"]


class PlayedCache(Cache):
    """Without threads: a played clock would not wait for them."""

    async def make_ready(self, _sha256: Sha256Hex, _length_bytes: int) -> TransferFault | None:
        return None

    async def read_unproven(self, name: Sha256Hex, length_bytes: int) -> bytes | None:
        return self.path(name).read_bytes() if self.path(name).exists() else None

    async def remove(self, name: Sha256Hex) -> None:
        self.path(name).unlink(missing_ok=True)


def made_up(played: Played, directory: Path) -> tuple[MadeTorrents, SharedNews]:
    made = MadeTorrents(cast("Any", played), PlayedCache(directory, None), played.send, can_fetch=lambda: True)
    return made, SharedNews(made, played.ask)


class Asked:
    """One question, which may wait for its answer."""

    def __init__(self, news: SharedNews) -> None:
        self.news = news
        self.answers: list[bytes | None] = []

    async def ask(self) -> None:
        self.answers.append(await self.news.ask(1, 2))


@asynccontextmanager
async def running(cache: Path) -> AsyncIterator[tuple[Played, MadeTorrents, Asked]]:
    played = Played(cache)
    shared, news = made_up(played, cache)
    asked = Asked(news)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(shared.run, played.look_for)
        nursery.start_soon(asked.ask)
        await trio.sleep(1)
        yield played, shared, asked
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("answer", "files"), [(None, None), (News(files=b""), None), (News(files=b"small"), b"small")])
async def test_what_the_server_says_by_itself_is_the_answer(
    tmp_path: Path, autojump_clock: object, answer: News | None, files: bytes | None
) -> None:
    played = Played(tmp_path)
    played.answer = answer
    _, news = made_up(played, tmp_path)
    assert await news.ask(1, 2) == files
    assert not played.torrents


async def test_news_are_asked_for_and_looked_for_until_they_are_here_and_then_shared(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with running(tmp_path) as (played, shared, asked):
        assert played.looked_for == [MADE.torrent_hash]
        assert [(bitfield.unpack(want.have, 3), want.can_fetch) for want in played.wants] == [(0, True)]
        await shared.piece_arrived(MADE.torrent_hash, PIECE, "stored")
        played.change(have=0b001)
        await trio.sleep(1)
        assert PieceStored(torrent=MADE.torrent_hash, piece=0) in played.sent
        assert not asked.answers
        played.complete()
        await trio.sleep(1)
        assert asked.answers == [NEWS]
        assert bitfield.unpack(played.wants[-1].have, 3) == ALL, "the server knows who has it"
        await trio.sleep(NEWS_TERMS.shared_seconds / 2)
        assert shared.snapshots(), "neighbours may come later"
        played.change(peers=(PeerSnapshot("127.0.46.2", 7691, 0, 0),))
        await trio.sleep(NEWS_TERMS.shared_seconds)
        assert shared.snapshots(), "a neighbour is taking it"
        played.change(peers=())
        await trio.sleep(2 * IDLE_LOOK_SECONDS)
        assert not played.torrents
        assert played.sent[-1] == giving_up(MADE.torrent_hash), "nobody is to be sent here for it"
        assert not list(tmp_path.iterdir())


async def test_a_bad_piece_is_told_and_a_piece_of_a_patch_is_not_ours(tmp_path: Path, autojump_clock: object) -> None:
    async with running(tmp_path) as (played, shared, _):
        played.sent.clear()
        await shared.piece_arrived(MADE.torrent_hash, PIECE, "rejected")
        await shared.piece_arrived(MADE.torrent_hash, PIECE, "not_stored")
        await shared.piece_arrived(TorrentHash("f" * 64), PIECE, "stored")
        assert played.sent == [PieceRejected(torrent=MADE.torrent_hash, piece=0)]


async def test_the_server_is_told_of_no_end_of_which_it_knows_no_beginning(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    played = Played(tmp_path)
    shared, news = made_up(played, tmp_path)
    asked = Asked(news)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(asked.ask)
        await trio.testing.wait_all_tasks_blocked()
        played.change(phase="checking")
        nursery.start_soon(shared.run, played.look_for)
        await trio.sleep(NEWS_TERMS.patience_seconds + 1)
        assert asked.answers == [None]
        assert not played.sent
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("alone", [True, False])
async def test_who_has_no_neighbour_soon_says_so(
    tmp_path: Path, autojump_clock: trio.testing.MockClock, alone: bool
) -> None:
    async with running(tmp_path) as (played, _, __):
        if not alone:
            played.change(peers=(PeerSnapshot("127.0.46.2", 7691, 0, 0),))
        assert not played.wants[-1].lan_stalled
        await trio.sleep(ALONE_SECONDS)
        assert played.wants[-1].lan_stalled is alone, "the server sends it what others may have"


async def test_what_does_not_come_is_given_up_and_the_next_is_not_waited_for(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(tmp_path) as (played, _, asked):
        await trio.sleep(NEWS_TERMS.patience_seconds - 2)
        played.change(have=0b010)
        await trio.sleep(NEWS_TERMS.patience_seconds - 2)
        assert played.wants[-1].lan_stalled, "the server may send what the neighbours do not"
        assert not asked.answers
        await trio.sleep(4)
        assert asked.answers == [None]
        assert not played.torrents
        assert played.sent[-1] == giving_up(MADE.torrent_hash), "else the server would go on sending, and blame this PC"
        assert await asked.news.ask(1, 2) is None
        await trio.sleep(AFTER_FAILURE_SECONDS)
        with trio.move_on_after(1):
            await asked.news.ask(1, 2)
        assert played.torrents, "later it is tried again"


async def test_what_neighbours_say_that_they_have_lets_nobody_wait_for_longer(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(tmp_path) as (played, _, asked):
        for piece in range(3):
            played.change(lan_have=(1 << piece + 1) - 1)
            await trio.sleep(NEWS_TERMS.patience_seconds / 3)
        assert asked.answers == [None]


async def test_while_pieces_come_nothing_that_neighbours_say_ends_it(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(tmp_path) as (played, shared, asked):
        played.change(lan_have=ALL, peers=(PeerSnapshot("127.0.46.2", 7691, 0, 0),))  # which never comes from there
        for piece in range(2):
            await trio.sleep(NEWS_TERMS.patience_seconds - 5)
            played.change(have=(1 << piece + 1) - 1)
            await shared.piece_arrived(MADE.torrent_hash, PieceIndex(piece), "stored")
        await trio.sleep(NEWS_TERMS.patience_seconds - 5)
        assert not asked.answers
        assert played.wants[-1].lan_stalled, "so the server goes on"
        played.complete()
        await trio.sleep(1)
        assert asked.answers == [NEWS]


async def test_what_has_come_when_patience_ends_is_taken_and_shared(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    async with running(tmp_path) as (played, _, asked):
        played.seen_by_a_second_look = played.complete  # the first one finds that it takes too long
        await trio.sleep(NEWS_TERMS.patience_seconds + 1)
        assert asked.answers == [NEWS]
        assert played.torrents, "neighbours may need it"


async def test_a_server_that_has_forgotten_it_ends_the_wait_unless_a_neighbour_has_it(
    tmp_path: Path, autojump_clock: object
) -> None:
    async with running(tmp_path) as (played, shared, asked):
        shared.forget_wants(takes_holdings=True)
        await trio.sleep(1)
        assert len(played.wants) == 2, "after a restart of the server it is asked again"
        played.change(lan_have=0b100)
        await trio.sleep(1)
        shared.origin_unavailable(MADE.torrent_hash, "not published here")
        await trio.sleep(1)
        shared.origin_unavailable("f" * 64, "not published here")
        await trio.sleep(1)
        assert not asked.answers
        played.change(lan_have=0)
        await trio.sleep(1)
        assert asked.answers == [None]


async def test_a_file_that_cannot_be_read_is_no_news(tmp_path: Path, autojump_clock: object) -> None:
    async with running(tmp_path) as (played, _, asked):
        played.change(phase="complete", have=ALL)
        await trio.sleep(1)
        assert asked.answers == [None]


async def test_a_broken_engine_and_a_strange_answer_leave_it_to_the_web_port(
    tmp_path: Path, autojump_clock: object
) -> None:
    played = Played(tmp_path)
    _, news = made_up(played, tmp_path)
    played.answer = News(files=b"", torrent=NewsTorrent(NEWS_PIECE_BYTES, b""))
    assert await news.ask(1, 2) is None
    played.answer, played.broken = News(files=b"", torrent=TOLD), True
    assert await news.ask(1, 2) is None


async def test_no_more_than_some_are_shared_at_a_time(tmp_path: Path, autojump_clock: object) -> None:
    async with running(tmp_path) as (played, _, asked):
        played.complete()
        async with trio.open_nursery() as nursery:
            for n in range(NEWS_TERMS.most + 2):
                news = random.Random(n + 2).randbytes(3 * NEWS_PIECE_BYTES)
                played.answer = News(files=b"", torrent=describe_news(news))
                nursery.start_soon(asked.ask)
                await trio.sleep(1)
                played.complete(news)
                await trio.sleep(1)
        assert len(asked.answers) == NEWS_TERMS.most + 3
        assert len(played.torrents) == NEWS_TERMS.most
