"""Sets of pieces on the wire: one bit per piece, the first piece in the high bit of the first byte (BEP 3). Pure.

In memory a set of pieces is an ``int`` in which bit *i* stands for piece *i*. So the
union, difference and count of ten thousand pieces are single operations.
"""

from typing import TypeAlias

from p2pdist.shared.identifiers import PieceIndex

PieceSet: TypeAlias = int

_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class BitfieldError(ValueError):
    """A bitfield's length or spare bits do not fit the torrent's number of pieces."""


def all_pieces(count: int) -> PieceSet:
    """Return the set of pieces 0 to ``count`` − 1."""
    return (1 << count) - 1


def first_piece(pieces: PieceSet) -> PieceIndex | None:
    """Return the lowest index in ``pieces``, or None when it is empty."""
    return PieceIndex((pieces & -pieces).bit_length() - 1) if pieces else None


def pack(pieces: PieceSet, count: int) -> bytes:
    """Return ``pieces`` as ceil(count ÷ 8) bytes for the wire."""
    return pieces.to_bytes((count + 7) // 8, "little").translate(_REVERSED)


def unpack(data: bytes, count: int) -> PieceSet:
    """Return the set that ``data`` carries for a torrent of ``count`` pieces. Raises `BitfieldError`."""
    if len(data) != (count + 7) // 8:
        raise BitfieldError(f"bitfield of {len(data)} bytes for {count} pieces")
    pieces = int.from_bytes(data.translate(_REVERSED), "little")
    if pieces >> count:
        raise BitfieldError(f"bitfield sets bits after its {count} pieces")
    return pieces
