"""A median and how sure it is: the bootstrap over cells (Efron, 1979), the same on every machine and every time."""

import random
from collections.abc import Sequence
from functools import lru_cache

RESAMPLES = 400  # the ends of a 95 % interval are then the 10th from either side
CONFIDENCE = 0.95


def median_of(values: Sequence[float]) -> float:
    """Return the middle of ``values``; of an even number the lower one of the two, so that it was measured."""
    return sorted(values)[(len(values) - 1) // 2]


@lru_cache(maxsize=4_096)
def resampled_medians(values: tuple[float, ...]) -> tuple[float, ...]:
    """Return the median of each resample.

    For the same number of values the same places are drawn. So where two
    senders' values are of the same cells in the same order, the differences of
    these medians are those of paired resamples.
    """
    look_up = values.__getitem__
    middle = (len(values) - 1) // 2
    return tuple(sorted(map(look_up, places))[middle] for places in _draws(len(values)))


def interval(medians: Sequence[float]) -> tuple[float, float]:
    """Return the percentile interval of resampled figures."""
    ranked = sorted(medians)
    outside = int(len(ranked) * (1 - CONFIDENCE) / 2)
    return ranked[outside], ranked[len(ranked) - 1 - outside]


@lru_cache(maxsize=64)
def _draws(count: int) -> tuple[tuple[int, ...], ...]:
    randomness = random.Random(count)
    return tuple(tuple(randomness.choices(range(count), k=count)) for _ in range(RESAMPLES))
