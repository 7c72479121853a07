"""How much of a payload crosses a site's line, as far as a sample of its pieces says, and how sure that is. Pure."""

import bisect
import itertools
import math
import statistics
from collections.abc import Iterator, Sequence

from msgspec import Struct

NINE_TENTHS = 1.645  # standard deviations to each side, within which nine of ten normal numbers lie
LEAST_SPREAD = 0.25  # of what is expected: frames are made at other levels, and a sample misses what is rare


class ExpectedBytes(Struct, frozen=True):
    """What is expected to cross a line."""

    likely: int
    least: int
    """With nine chances in ten it is between this and ``most``."""
    most: int


def drawn_pieces(weights: Sequence[int], most: int) -> Iterator[int]:
    """Yield pieces to be looked at, the more often the heavier, spread over the payload however early one stops.

    A heavy piece may come more than once.
    """
    sums = list(itertools.accumulate(weights))
    count = min(len(weights), most)
    for nth in _halving(count):
        yield bisect.bisect_right(sums, (2 * nth + 1) * sums[-1] / (2 * count))


def expected_bytes(
    drawn: Sequence[tuple[int, int]], weights: Sequence[int], length_bytes: int, *, looked_at: float = 1.0
) -> ExpectedBytes:
    """Return what the whole comes to; ``drawn``: of each piece that `drawn_pieces` gave, the piece and its bytes.

    ``looked_at``: the share of the payload that these pieces were drawn from.
    """
    total = sum(weights) / looked_at
    ratios = [total * count / weights[piece] for piece, count in drawn]
    mean = max(1.0, statistics.fmean(ratios))
    deviation = statistics.stdev(ratios) if len(ratios) > 1 else mean
    spread = max(LEAST_SPREAD * mean, NINE_TENTHS * deviation / math.sqrt(len(ratios)))
    most = mean + spread
    # as many times less as more: there is nothing below nothing
    least, likely, most = (min(length_bytes, max(1, round(count))) for count in (mean * mean / most, mean, most))
    return ExpectedBytes(likely, least, most)


def _halving(count: int) -> list[int]:
    """Return 0 to ``count`` - 1, the middle ones of ever smaller parts in turn."""
    bits = max(1, (count - 1).bit_length())
    mirrored = sorted(range(1 << bits), key=lambda number: int(f"{number:0{bits}b}"[::-1], 2))
    return [number for number in mirrored if number < count]
