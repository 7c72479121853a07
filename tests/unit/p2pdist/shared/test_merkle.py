"""`p2pdist.shared.merkle`, against BEP 52 by hand; against libtorrent in test_torrent_builder."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.identifiers import PieceIndex
from p2pdist.shared.merkle import BLOCK_BYTES, piece_count, piece_hash, piece_span, pieces_root, split_hashes

PIECE = 4 * BLOCK_BYTES


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


ZERO = bytes(32)


def test_one_block_is_its_own_root() -> None:
    assert piece_hash(b"x", PIECE, 1) == sha(b"x")
    assert piece_hash(b"x" * BLOCK_BYTES, PIECE, BLOCK_BYTES) == sha(b"x" * BLOCK_BYTES)


def test_a_file_within_one_piece_is_padded_only_to_its_own_power_of_two() -> None:
    data = b"a" * BLOCK_BYTES + b"b"
    assert piece_hash(data, PIECE, len(data)) == sha(sha(b"a" * BLOCK_BYTES) + sha(b"b"))


def test_three_blocks_are_padded_with_a_zero_hash_not_with_the_hash_of_zeros() -> None:
    a, b, c = (letter * BLOCK_BYTES for letter in (b"a", b"b", b"c"))
    expected = sha(sha(sha(a) + sha(b)) + sha(sha(c) + ZERO))
    assert piece_hash(a + b + c, PIECE, 3 * BLOCK_BYTES) == expected


def test_the_last_piece_of_a_longer_file_has_a_tree_of_full_width() -> None:
    expected = sha(sha(sha(b"x") + ZERO) + sha(ZERO + ZERO))
    assert piece_hash(b"x", PIECE, PIECE + 1) == expected


def test_pieces_root_pads_with_the_root_of_an_empty_piece() -> None:
    empty = sha(sha(ZERO + ZERO) + sha(ZERO + ZERO))
    a, b, c = sha(b"a"), sha(b"b"), sha(b"c")
    assert pieces_root([a, b, c], PIECE) == sha(sha(a + b) + sha(c + empty))


@given(st.binary(min_size=1, max_size=3 * BLOCK_BYTES), st.integers(min_value=0))
def test_every_bit_counts(data: bytes, position: int) -> None:
    flipped = bytearray(data)
    flipped[position % len(data)] ^= 1
    assert piece_hash(data, PIECE, len(data)) != piece_hash(bytes(flipped), PIECE, len(data))


def test_a_piece_that_is_too_long_or_empty_is_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        piece_hash(b"x" * (PIECE + 1), PIECE, 10 * PIECE)
    with pytest.raises(ValueError, match="at least one byte"):
        piece_hash(b"", PIECE, 1)


def test_split_hashes() -> None:
    assert split_hashes(ZERO + sha(b"")) == [ZERO, sha(b"")]
    for wrong in (b"", b"x" * 31, b"x" * 33):
        with pytest.raises(ValueError, match="not a list of piece hashes"):
            split_hashes(wrong)


def test_piece_arithmetic() -> None:
    assert [piece_count(n, 10) for n in (1, 9, 10, 11)] == [1, 1, 1, 2]
    assert piece_span(PieceIndex(1), 10, 15) == (10, 5)
    for piece in (-1, 2):
        with pytest.raises(IndexError):
            piece_span(PieceIndex(piece), 10, 15)
