"""Anchors of some of a payload's pieces: a quick look at how much of each is in a base. Pure.

To find all anchors of 100 MB takes half a second, which a publication need not wait for.
"""

import functools
import operator
from array import array
from collections.abc import Iterable, Iterator, Sequence

from seed_server.deltas.anchors import AnchorFinder, Anchors

PROBE_BYTES = 28 << 10  # of a piece: some 20 anchors
WARM_UP_BYTES = 8 << 10  # at its beginning: which places are chosen depends on those before for a while
MAX_PROBED = 1_024  # pieces, evenly over the payload: 28 MB, a sixth of a second
KNOWN_WEIGHT = 6  # of a piece whose places are all in the base: what lies between them may have changed all the same

Found = list[tuple[int, int]]
"""Places of the payload, and their prints."""


def probed_pieces(piece_count: int) -> range:
    """Return which pieces are looked at."""
    return range(0, piece_count, -(-piece_count // MAX_PROBED))


def found_in(data: bytes, start: int) -> Found:
    """Return the anchors in a stretch of the payload from ``start`` on, as all of it would have them."""
    finder = AnchorFinder()
    finder.add(data)
    found = finder.found()
    least = WARM_UP_BYTES if start else 0
    return [(start + at, printed) for at, printed in zip(found.places, found.prints, strict=True) if at >= least]


class BasePrints:
    """The prints of a base, to look up how much of a piece is in it."""

    def __init__(self, base: Anchors) -> None:
        self._prints = frozenset(base.prints)
        every = functools.reduce(operator.or_, base.prints, 0)
        self._left_out = (every & -every) - 1 if every else 0  # of a large base some are not remembered

    def unlike(self, found: Found) -> int:
        """Return how many of these places the base has not, and `KNOWN_WEIGHT`."""
        return KNOWN_WEIGHT + sum(printed not in self._prints for _, printed in found if not printed & self._left_out)


def joined(length_bytes: int, parts: Iterable[Found]) -> Anchors:
    """Return the anchors of a payload, as far as these ``parts`` in its order tell."""
    places, prints = array("Q"), array("Q")
    for place, printed in _in_order(parts):
        places.append(place)
        prints.append(printed)
    return Anchors(length_bytes, places, prints)


def _in_order(parts: Iterable[Sequence[tuple[int, int]]]) -> Iterator[tuple[int, int]]:
    for part in parts:
        yield from part
