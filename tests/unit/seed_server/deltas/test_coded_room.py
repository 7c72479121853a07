"""`seed_server.deltas.coded_room`: what goes first, and a cache that somebody else has emptied."""

import os
from pathlib import Path

from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from seed_server.deltas.beside import ANCHORS, PREDICTED, keep_beside
from seed_server.deltas.coded_cache import NO_BASE, CodedCache, Pair
from seed_server.deltas.coded_room import CodedRoom
from seed_server.deltas.coder import Coded

A, B, C = ("abc"[n] * 64 for n in range(3))
OLD, NEW = Pair(TorrentHash(A), NO_BASE), Pair(TorrentHash(A), B)
BLOCK = 4096


def filled(folder: Path) -> tuple[CodedCache, CodedRoom]:
    """Return a folder with two pairs of a torrent, two blocks each; older anchors, of one; and what is expected."""
    cache = CodedCache(folder / "coded", min_free_bytes=0)
    for at, pair in enumerate((OLD, NEW), start=2):
        for piece in range(2):
            cache.keep(pair, PieceIndex(piece), 9, Coded("zstd", "" if pair is OLD else B, (), b"frame"))
        os.utime(folder / "coded" / pair.torrent / pair.base, (at, at))
    for suffix in (ANCHORS, PREDICTED):
        keep_beside(folder / "coded", C, suffix, b"x")
        os.utime(folder / "coded" / f"{C}{suffix}", (1, 1))
    return cache, CodedRoom(folder / "coded", min_free_bytes=0)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder / "coded")) for path in (folder / "coded").rglob("*") if path.is_file())


def test_as_much_goes_as_is_needed_and_what_was_written_longest_ago_first(tmp_path: Path) -> None:
    _, room = filled(tmp_path)
    assert [(one.of, one.bytes) for one in room.removable()] == [(C, BLOCK), (A, 2 * BLOCK), (A, 2 * BLOCK)]
    assert room.give(5 * BLOCK + 1) == 0  # all of it would not do
    assert room.give(0) == 0
    assert room.give(1) == BLOCK
    assert room.give(BLOCK) == 2 * BLOCK
    assert names(tmp_path) == [f"{A}/{B}/0-9", f"{A}/{B}/1-9", f"{C}.predicted"]
    assert room.give(2 * BLOCK) == 2 * BLOCK
    assert names(tmp_path) == [f"{C}.predicted"]
    assert not (tmp_path / "coded" / A).exists()


def test_what_is_of_payloads_that_have_gone_goes_and_all_where_that_is_asked(tmp_path: Path) -> None:
    _, room = filled(tmp_path)
    assert room.going({A, C}) == []
    assert [one.of for one in room.going({A})] == [C]
    assert [one.of for one in room.going({C})] == [A, A]
    assert room.remove(room.going({A, C}, everything=True)) == 5 * BLOCK
    assert names(tmp_path) == [f"{C}.predicted"]
    assert room.removable() == []


def test_a_disk_with_little_room_gets_all_of_it(tmp_path: Path) -> None:
    filled(tmp_path)
    room = CodedRoom(tmp_path / "coded", min_free_bytes=1 << 60)
    assert len(room.going({A, C})) == 3
    assert CodedRoom(tmp_path / "coded", min_free_bytes=0).give_free() == 0
    assert room.give_free() == 5 * BLOCK
    assert room.give_free() == 0


def test_a_cache_forgets_what_was_removed_beside_it(tmp_path: Path) -> None:
    cache, room = filled(tmp_path)
    loaded = CodedCache(tmp_path / "coded", min_free_bytes=0)
    loaded.load()
    assert cache.bytes == loaded.bytes == 4 * BLOCK
    room.give(5 * BLOCK)
    for each in (cache, loaded):
        assert each.read(OLD, PieceIndex(0)) is None
        assert each.lacking(OLD, 2, level=9) == [0, 1]
        assert each.bytes == 2 * BLOCK
        assert each.keep(NEW, PieceIndex(0), 9, None)
        assert each.bytes == BLOCK
        assert each.lacking(NEW, 2, level=9) == [1]
        room.give(BLOCK)


def test_where_there_is_nothing_nothing_goes(tmp_path: Path) -> None:
    room = CodedRoom(tmp_path / "coded", min_free_bytes=1 << 60)
    assert room.going(set(), everything=True) == []
    assert room.give(1) == room.give_free() == 0
