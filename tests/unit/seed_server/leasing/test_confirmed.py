"""`seed_server.leasing.confirmed`: what is remembered, and for how long. In a ledger: `test_site_ledger.py`."""

from p2pdist.shared.identifiers import EndpointId, PieceIndex, TorrentHash
from seed_server.leasing.confirmed import ConfirmedLately

FIRST, SECOND = TorrentHash("aa" * 32), TorrentHash("bb" * 32)
PC, OTHER = EndpointId("a" * 26), EndpointId("b" * 26)


def test_each_piece_counts_for_its_own_time() -> None:
    confirmed = ConfirmedLately(5.0)
    confirmed.ended(FIRST, {PC: {PieceIndex(0): 1.0, PieceIndex(2): 3.0}, OTHER: {PieceIndex(1): 3.0}})
    assert confirmed.pieces(PC, FIRST, 5.9) == 0b101
    assert confirmed.pieces(PC, FIRST, 6.0) == 0b100
    assert confirmed.pieces(OTHER, FIRST, 6.0) == 0b010
    assert confirmed.pieces(PC, SECOND, 6.0) == 0
    assert confirmed.pieces(PC, FIRST, 8.0) == 0


def test_what_is_old_is_kept_no_longer() -> None:
    confirmed = ConfirmedLately(5.0)
    for number in range(100):
        confirmed.ended(TorrentHash(f"{number:064x}"), {PC: {PieceIndex(0): float(number)}})
        confirmed.pieces(PC, FIRST, float(number))
    assert len(confirmed._ended) <= 5


def test_who_leaves_or_gives_up_is_forgotten_and_others_are_not() -> None:
    confirmed = ConfirmedLately(5.0)
    for torrent in (FIRST, SECOND):
        confirmed.ended(torrent, {PC: {PieceIndex(0): 0.0}, OTHER: {PieceIndex(0): 0.0}})
    confirmed.gave_up(PC, FIRST)
    assert [confirmed.pieces(PC, torrent, 1.0) for torrent in (FIRST, SECOND)] == [0, 1]
    confirmed.left(PC)
    assert [confirmed.pieces(OTHER, torrent, 1.0) for torrent in (FIRST, SECOND)] == [1, 1]
    assert confirmed.pieces(PC, SECOND, 1.0) == 0
    confirmed.forget(FIRST)
    assert confirmed.pieces(OTHER, FIRST, 1.0) == 0
