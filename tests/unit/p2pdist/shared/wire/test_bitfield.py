"""Piece sets on the wire, in BEP 3's order of bits."""

import pytest

from p2pdist.shared.wire import bitfield
from p2pdist.shared.wire.bitfield import BitfieldError
from tests.helpers.piece_sets import iter_pieces, pieces_of


def test_the_first_piece_is_the_high_bit_of_the_first_byte() -> None:
    assert bitfield.pack(pieces_of([0]), 9) == b"\x80\x00"
    assert bitfield.pack(pieces_of([8]), 9) == b"\x00\x80"
    assert bitfield.unpack(b"\x81\x00", 9) == pieces_of([0, 7])


@pytest.mark.parametrize(("data", "count"), [(b"", 1), (b"\x00\x00", 8), (b"\x00", 9), (b"\x00", 0)])
def test_a_wrong_length_is_refused(data: bytes, count: int) -> None:
    with pytest.raises(BitfieldError):
        bitfield.unpack(data, count)


def test_bits_after_the_last_piece_are_refused() -> None:
    assert bitfield.unpack(b"\xe0", 3) == 0b111
    with pytest.raises(BitfieldError):
        bitfield.unpack(b"\xf0", 3)


def test_no_pieces() -> None:
    assert bitfield.pack(0, 0) == b""
    assert bitfield.unpack(b"", 0) == 0
    assert bitfield.first_piece(0) is None
    assert list(iter_pieces(0)) == []
    assert bitfield.all_pieces(0) == 0
