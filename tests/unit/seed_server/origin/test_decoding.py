"""`seed_server.origin.decoding`."""

from p2pdist.shared.identifiers import PieceIndex, Sha256Hex, TorrentHash
from p2pdist.shared.wire.fields import HELD_BYTES
from seed_server.leasing.site_ledger import LeasedPiece
from seed_server.origin.decoding import MAX_UNDECODED, Decoding

A, B, C = (Sha256Hex(letter * 64) for letter in "abc")


def beginnings(*payloads: str) -> bytes:
    return b"".join(bytes.fromhex(one)[:HELD_BYTES] for one in payloads)


def leased(piece: int) -> LeasedPiece:
    return LeasedPiece(TorrentHash("d" * 64), PieceIndex(piece))


def test_what_is_told_last_counts_in_the_order_that_is_asked_for() -> None:
    decoding = Decoding()
    assert (decoding.has_bases, decoding.bases([A])) == (False, [])
    decoding.told(beginnings(A, B))
    assert (decoding.has_bases, decoding.bases([C, B, A])) == (True, [B, A])
    decoding.told(beginnings(C))
    assert decoding.bases([A, B, C]) == [C]
    decoding.told(b"")
    assert not decoding.has_bases


def test_a_base_that_it_could_not_decode_by_is_used_no_more_though_it_is_told_again() -> None:
    decoding = Decoding()
    decoding.told(beginnings(A, B))
    assert decoding.undecoded(leased(1), A)
    assert not decoding.undecoded(leased(2), A)
    decoding.told(beginnings(A, B))
    assert decoding.bases([A, B]) == [B]
    assert [decoding.takes(leased(piece)) for piece in (1, 2, 3)] == [False, False, True]
    assert decoding.takes_alone()
    assert decoding.undecoded(leased(3), "")
    assert not decoding.takes_alone()


def test_after_some_dozens_it_is_sent_nothing_coded_any_more() -> None:
    decoding = Decoding()
    decoding.told(beginnings(A))
    for piece in range(MAX_UNDECODED):
        decoding.undecoded(leased(piece), B)
    assert decoding.takes(leased(1_000))
    assert decoding.bases([A]) == [A]
    for piece in range(MAX_UNDECODED, 10 * MAX_UNDECODED):
        decoding.undecoded(leased(piece), f"{piece:064}")
    assert not decoding.takes(leased(1_000))
    assert decoding.bases([A]) == []
    assert decoding._refused is not None
    assert len(decoding._refused) <= MAX_UNDECODED + 1
