"""Sets of pieces from and to indices."""

from collections.abc import Iterable, Iterator

from p2pdist.shared.identifiers import PieceIndex
from p2pdist.shared.wire.bitfield import PieceSet


def pieces_of(indices: Iterable[int]) -> PieceSet:
    """Return the set that holds exactly ``indices``."""
    pieces = 0
    for index in indices:
        pieces |= 1 << index
    return pieces


def iter_pieces(pieces: PieceSet) -> Iterator[PieceIndex]:
    """Yield the indices in ``pieces``, lowest first."""
    while pieces:
        lowest = pieces & -pieces
        yield PieceIndex(lowest.bit_length() - 1)
        pieces ^= lowest
