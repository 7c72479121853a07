"""`seed_server.origin.coding_ahead`, with the real cache and coder."""

import random
from pathlib import Path

import pytest
import trio

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.identifiers import PieceIndex, Sha256Hex, TorrentHash
from seed_server.deltas.coded_cache import NO_BASE, CodedCache, Pair
from seed_server.deltas.piece_coding import BEST_LEVEL, PieceCoding
from seed_server.origin.coded_forms import CodedForms
from seed_server.origin.coding_ahead import RECENT_SECONDS, CodingAhead, work
from seed_server.origin.outside_log import OutsideLog
from seed_server.store.content_store import ContentStore
from seed_server.store.piece_source import PieceSource
from tests.helpers.aligning import aligned_here
from tests.helpers.stored_payloads import PIECE_LENGTH, TEXT, store_payload

VERSIONS = [
    TEXT[: 5 * PIECE_LENGTH],
    TEXT[: 6 * PIECE_LENGTH],
    TEXT[: 6 * PIECE_LENGTH] + b"new",
    random.Random(1).randbytes(3 * PIECE_LENGTH),
]


class Server:
    def __init__(self, root: Path, max_bytes: int = 1 << 30) -> None:
        (root / "content").mkdir()
        self.content = ContentStore(root / "content")
        self.cache = CodedCache(root / "coded", max_bytes=max_bytes, min_free_bytes=0)
        coding = PieceCoding(self.content, aligned_here(self.content, root / "coded"), self.cache)
        self.forms = CodedForms(coding, PieceSource(self.content), OutsideLog())
        self.rows = [store_payload(self.content, data, at + 1) for at, data in enumerate(VERSIONS)]
        self.late, self.busy = 0.0, False
        self.ahead = CodingAhead(self.forms, SystemClock(), is_busy=lambda: self.busy, late_seconds=lambda: self.late)

    def lacking(self, at: int, base: str) -> int:
        row = self.rows[at]
        return len(self.cache.lacking(Pair(TorrentHash(row.torrent_hash), base), row.piece_count, level=BEST_LEVEL))


@pytest.fixture
def server(tmp_path: Path) -> Server:
    return Server(tmp_path)


async def test_the_newest_former_version_first_then_alone_then_two_more(server: Server) -> None:
    await server.forms.learn(server.rows, server.rows[2:])
    shown = [(row.version, base) for row, base in work(server.forms.served, server.forms.former, 1.0)]
    sha256s = [row.sha256 for row in server.rows]
    assert shown == [
        ("4.0", sha256s[2]), ("4.0", NO_BASE), ("3.0", sha256s[1]), ("3.0", NO_BASE),
        ("4.0", sha256s[1]), ("4.0", sha256s[0]), ("3.0", sha256s[0]), ("3.0", sha256s[3]),
    ]  # fmt: skip
    assert list(work(server.forms.served, server.forms.former, RECENT_SECONDS)) == []


async def test_all_that_gets_smaller_is_coded_at_the_best_level_and_once(server: Server) -> None:
    await server.forms.learn(server.rows, server.rows[2:])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.forms.run)
        await server.ahead.code(work(server.forms.served, server.forms.former, 1.0))
        assert [server.lacking(2, server.rows[at].sha256) for at in (0, 1)] == [0, 0]
        assert server.lacking(2, NO_BASE) == 0
        assert server.lacking(3, NO_BASE) == server.rows[3].piece_count, "random bytes are left alone"
        assert server.lacking(3, server.rows[2].sha256) == 0, "they have nothing in common, and that is known"
        before = sorted(server.cache.directory.rglob("*-*"))
        await server.ahead.code(work(server.forms.served, server.forms.former, 1.0))
        assert sorted(server.cache.directory.rglob("*-*")) == before
        nursery.cancel_scope.cancel()


async def test_what_was_coded_in_haste_is_replaced(server: Server) -> None:
    await server.forms.learn(server.rows, [server.rows[2]])
    row = server.rows[2]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.forms.run)
        await server.forms.made(row, PieceIndex(0), NO_BASE, 9, server.forms.threads)
        assert server.cache.level(Pair(TorrentHash(row.torrent_hash), NO_BASE), PieceIndex(0)) == 9
        await server.ahead.code([(row, NO_BASE)])
        assert server.lacking(2, NO_BASE) == 0
        nursery.cancel_scope.cancel()


async def test_what_cannot_be_read_holds_nothing_up_and_is_tried_again(server: Server) -> None:
    await server.forms.learn(server.rows, [server.rows[2]])
    path, gone = server.content.path(Sha256Hex(server.rows[1].sha256)), server.rows[3]
    server.content.path(Sha256Hex(gone.sha256)).unlink()
    pairs = [(gone, NO_BASE), (server.rows[1], NO_BASE)]
    hidden = path.rename(path.with_suffix(".hidden"))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.forms.run)
        assert await server.ahead.code(pairs)
        hidden.rename(path)
        server.forms.served = {TorrentHash(server.rows[1].torrent_hash): server.rows[1]}
        assert await server.ahead.code(pairs)
        assert server.lacking(1, NO_BASE) == 0
        nursery.cancel_scope.cancel()


async def test_a_huge_one_leaves_room_for_the_others(tmp_path: Path) -> None:
    server = Server(tmp_path, max_bytes=40 * 4096)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.forms.run)
        server.forms.served = {TorrentHash(row.torrent_hash): row for row in server.rows}
        server.cache.max_bytes = 8 * 4096
        assert await server.ahead.code([(server.rows[2], NO_BASE)])
        pair = Pair(TorrentHash(server.rows[2].torrent_hash), NO_BASE)
        assert 2 * 4096 < server.cache.bytes_of(pair) <= 6 * 4096
        assert server.lacking(2, NO_BASE) > 0
        nursery.cancel_scope.cancel()


async def test_where_there_is_no_room_it_ends(tmp_path: Path) -> None:
    server = Server(tmp_path, max_bytes=2 * 4096)
    await server.forms.learn(server.rows, [server.rows[2]])
    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.forms.run)
        with trio.fail_after(10):
            assert not await server.ahead.code(work(server.forms.served, server.forms.former, 1.0))
        assert server.cache.bytes <= 2 * 4096
        nursery.cancel_scope.cancel()


async def test_while_controllers_are_late_it_waits(server: Server, autojump_clock: object) -> None:
    server.busy = True
    server.late = 1.0
    await server.ahead._rest(0.1)
    assert trio.current_time() > 0
    began = trio.current_time()
    await server.ahead._rest(1.0)
    assert trio.current_time() - began >= 6.0
