"""`seed_server.fleet.smaller_updates`."""

from pathlib import Path

from p2pdist.shared.identifiers import PatchRef, PieceIndex, TorrentHash
from seed_server.deltas.coded_cache import ALONE, CodedCache, Pair
from seed_server.deltas.piece_coding import BEST_LEVEL, QUICK_LEVEL
from seed_server.fleet.smaller_updates import SmallerUpdate, smaller_updates
from seed_server.settings.home import ServerHome
from seed_server.store.rows import ServedPayload


def row(number: int) -> ServedPayload:
    name = f"{number:064x}"
    return ServedPayload("app", f"{number}.0", "", "high", None, "app", name, 400, name, 100, 4, number, 0.0)


def test_what_is_ready_is_told_by_version_the_newest_first(tmp_path: Path) -> None:
    rows = [row(1), row(2), row(3)]
    cache = CodedCache(tmp_path / "coded", min_free_bytes=0)
    for base, pieces in ((rows[0].sha256, 1), (rows[1].sha256, 3), (ALONE, 4), ("f" * 64, 4)):
        for piece in range(pieces):
            cache.keep(Pair(TorrentHash(rows[2].torrent_hash), base), PieceIndex(piece), BEST_LEVEL, None)
    cache.keep(Pair(TorrentHash(rows[2].torrent_hash), rows[1].sha256), PieceIndex(3), QUICK_LEVEL, None)
    home = ServerHome(tmp_path)
    assert smaller_updates(home, [rows[2]], rows) == [
        SmallerUpdate(PatchRef("app", "2.0"), 0.75),
        SmallerUpdate(PatchRef("app", "1.0"), 0.25),
        SmallerUpdate(None, 1.0),
    ]
    assert smaller_updates(home, [rows[0]], rows) == []
    assert smaller_updates(ServerHome(tmp_path / "nowhere"), [rows[2]], rows) == []
