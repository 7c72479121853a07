import shutil
import threading

import pytest

from p2pdist.shared.coded_pieces import PrefixRange
from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from seed_server.deltas.coded_cache import AHEAD_LEVEL, NO_BASE, CodedCache, Kept, Pair, drop_base, pairs_kept
from seed_server.deltas.coder import Coded
from tests.helpers.small_disk import small_disk

BASE = "b" * 64
PAIR, OTHER = Pair(TorrentHash("a" * 64), BASE), Pair(TorrentHash("c" * 64), NO_BASE)
CODED = Coded("zstd", BASE, (PrefixRange(5, 10), PrefixRange(1 << 40, 7)), b"frame")
ONE = PieceIndex(1)


@pytest.fixture
def cache(tmp_path):
    return opened(tmp_path)


def opened(path, **limits):
    cache = CodedCache(path / "coded", **({"min_free_bytes": 0} | limits))
    cache.load()
    return cache


def names(path):
    return sorted(str(one.relative_to(path / "coded")) for one in (path / "coded").rglob("*-*"))


def test_what_is_kept_is_found_again_also_after_a_restart(cache, tmp_path):
    whole, slow = PieceIndex(2), Coded("lzma2_x86", "", (), b"other frame")
    assert cache.keep(PAIR, ONE, 9, CODED)
    assert cache.keep(PAIR, whole, 19, None)
    assert cache.keep(OTHER, ONE, 19, slow)
    for each in (cache, opened(tmp_path)):
        assert each.read(PAIR, ONE) == Kept(CODED, 9)
        assert each.read(PAIR, whole) == Kept(None, 19)
        assert each.read(OTHER, ONE) == Kept(slow, 19)
        assert each.read(OTHER, whole) is None
        assert [each.level(PAIR, piece) for piece in (ONE, whole, PieceIndex(3))] == [9, 19, 0]
        assert each.lacking(PAIR, 4, level=19) == [0, 1, 3]
        assert each.bytes == 3 * 4096
    assert pairs_kept(tmp_path / "coded", [PAIR.torrent, OTHER.torrent], 19) == {PAIR: 1, OTHER: 1}
    assert pairs_kept(tmp_path / "coded", [OTHER.torrent, TorrentHash("e" * 64)], 19) == {OTHER: 1}


def test_what_a_killed_process_was_writing_goes_at_the_next_start_and_nothing_else(cache, tmp_path):
    coded = tmp_path / "coded"
    cache.keep(PAIR, ONE, 9, CODED)
    (coded / f"{BASE}.anchors").write_bytes(b"kept")
    left = [coded / f".{BASE}.anchors.0123456789ab.tmp", coded / PAIR.torrent / BASE / ".2-9.0123456789ab.tmp"]
    for path in left:
        path.write_bytes(b"half of it")
    assert opened(tmp_path).read(PAIR, ONE) == Kept(CODED, 9)
    assert not [path for path in left if path.exists()]
    assert (coded / f"{BASE}.anchors").exists()


def test_a_better_one_takes_the_place_and_a_worse_one_does_not(cache, tmp_path):
    better = CODED._replace(data=b"less")
    cache.keep(PAIR, ONE, 9, CODED)
    cache.keep(PAIR, ONE, 19, better)
    cache.keep(PAIR, ONE, 12, CODED)
    assert cache.read(PAIR, ONE) == Kept(better, 19)
    assert names(tmp_path) == [f"{PAIR.torrent}/{BASE}/1-19"]
    assert cache.bytes == 4096


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: d + b"x", lambda _: b"", lambda d: bytes(len(d))])
def test_a_damaged_one_is_removed_and_can_be_made_anew(cache, tmp_path, damage):
    cache.keep(PAIR, ONE, 9, CODED)
    path = tmp_path / "coded" / names(tmp_path)[0]
    path.write_bytes(damage(path.read_bytes()))
    assert cache.read(PAIR, ONE) is None
    assert not path.exists()
    assert cache.keep(PAIR, ONE, 9, CODED)
    assert cache.read(PAIR, ONE) == Kept(CODED, 9)


def test_the_pair_that_was_not_used_for_longest_goes_first(tmp_path):
    cache = opened(tmp_path, max_bytes=3 * 4096)
    third = Pair(TorrentHash("d" * 64), BASE)
    cache.keep(PAIR, ONE, 9, CODED)
    cache.keep(OTHER, ONE, 9, CODED)
    assert cache.read(PAIR, ONE)
    cache.keep(third, ONE, 9, CODED)
    assert cache.bytes == 3 * 4096
    cache.keep(third, PieceIndex(2), 9, CODED)
    assert cache.read(OTHER, ONE) is None
    assert cache.read(PAIR, ONE)
    assert cache.bytes == 3 * 4096
    assert not (tmp_path / "coded" / OTHER.torrent).exists()


def test_a_pair_that_needs_all_the_room_keeps_what_it_has(tmp_path):
    cache = opened(tmp_path, max_bytes=2 * 4096)
    kept = [cache.keep(PAIR, PieceIndex(i), 9, CODED) for i in range(4)]
    assert kept == [True, True, False, False]
    assert cache.read(PAIR, PieceIndex(0))


def test_nothing_is_kept_while_the_disk_has_too_little_room(tmp_path):
    cache = opened(tmp_path, min_free_bytes=1 << 62)
    assert not cache.keep(PAIR, ONE, 9, CODED)
    assert (cache.bytes, cache.read(PAIR, ONE)) == (0, None)


def test_a_full_disk_leaves_no_half_of_anything(tmp_path):
    with small_disk(tmp_path / "disk", 1) as disk:
        cache = opened(disk)
        coded = CODED._replace(data=bytes(300_000))
        kept = [cache.keep(PAIR, PieceIndex(i), 9, coded) for i in range(6)]
        assert kept[0]
        assert not kept[-1]
        assert [cache.read(PAIR, PieceIndex(i)) is not None for i in range(6)] == kept
        assert len(names(disk)) == sum(kept)


def test_what_is_coded_ahead_takes_no_room_from_what_is_recent(tmp_path):
    cache = opened(tmp_path, max_bytes=2 * 4096)
    other = Pair(TorrentHash("d" * 64), BASE)
    cache.keep(PAIR, ONE, 9, CODED)
    cache.keep(OTHER, ONE, 9, CODED)
    cache.recent = {PAIR.torrent, OTHER.torrent, other.torrent}
    assert not cache.keep(other, ONE, AHEAD_LEVEL, CODED)
    assert cache.full
    assert [cache.bytes_of(pair) for pair in (PAIR, OTHER, other)] == [4096, 4096, 0]
    assert cache.keep(other, ONE, AHEAD_LEVEL - 1, CODED), "somebody waits for it"
    assert [cache.bytes_of(pair) for pair in (PAIR, OTHER, other)] == [0, 4096, 4096]
    cache.recent = {other.torrent}
    assert cache.keep(other, PieceIndex(2), AHEAD_LEVEL, CODED)
    assert [cache.bytes_of(pair) for pair in (PAIR, OTHER, other)] == [0, 0, 8192]


def test_folders_are_removed_while_others_look(tmp_path, monkeypatch):
    cache = opened(tmp_path, max_bytes=4096)
    cache.keep(PAIR, ONE, 9, CODED)
    seen = []

    def slowly(folder, **_):
        seen.append((folder.name.startswith("away-"), cache.level(PAIR, ONE), cache.level(OTHER, ONE)))

    monkeypatch.setattr(shutil, "rmtree", slowly)
    assert cache.keep(OTHER, ONE, 9, CODED)
    assert seen == [(True, 0, 0)]
    monkeypatch.undo()
    assert len(list((tmp_path / "coded").glob("away-*"))) == 1
    opened(tmp_path)
    assert not list((tmp_path / "coded").glob("away-*"))


def test_all_that_is_coded_by_a_payload_goes_and_a_server_that_runs_finds_out(tmp_path):
    cache = opened(tmp_path)
    for pair in (PAIR, OTHER, Pair(OTHER.torrent, BASE)):
        cache.keep(pair, ONE, 9, CODED)
    drop_base(tmp_path / "coded", BASE)
    assert names(tmp_path) == [f"{OTHER.torrent}/{NO_BASE}/1-9"]
    assert [cache.read(pair, ONE) for pair in (PAIR, Pair(OTHER.torrent, BASE))] == [None, None]
    assert cache.read(OTHER, ONE) is not None
    assert cache.keep(PAIR, ONE, 9, CODED)
    assert cache.read(PAIR, ONE) == Kept(CODED, 9)
    drop_base(tmp_path / "nothing", BASE)


def test_files_of_others_are_not_ours(tmp_path):
    (tmp_path / "coded" / "x").mkdir(parents=True)
    (tmp_path / "coded" / PAIR.torrent / BASE).mkdir(parents=True)
    (tmp_path / "coded" / PAIR.torrent / BASE / "1-9x").write_bytes(b"x")
    cache = opened(tmp_path)
    assert cache.read(PAIR, ONE) is None
    assert cache.lacking(PAIR, 2, level=1) == [0, 1]


def test_several_threads_may_keep_and_read(tmp_path):
    cache = opened(tmp_path, max_bytes=40 * 4096)

    def work(start):
        for i in range(start, start + 60):
            pair = Pair(TorrentHash(f"{i % 5}" * 64), BASE)
            cache.keep(pair, PieceIndex(i), 9, CODED)
            cache.read(pair, PieceIndex(i - 7))

    threads = [threading.Thread(target=work, args=(100 * n,)) for n in range(4)]  # noqa: TID251
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.bytes == 4096 * len(names(tmp_path)) <= 40 * 4096
