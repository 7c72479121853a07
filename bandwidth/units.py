"""Rates with their units in the type."""

import math
from typing import NewType

BytesPerSecond = NewType("BytesPerSecond", int)


def line_share(line_mbit: float, share: float) -> BytesPerSecond:
    """Return ``share`` (0 < share ≤ 1) of a line of ``line_mbit`` Mbit/s (10^6 bit) as a whole rate.

    Never 0 for a positive line: a rate of 0 means "stopped" to nobody and
    "unlimited" to some kernels. Raises `ValueError` for a line or share outside its range.
    """
    if not 0 < line_mbit < math.inf:
        raise ValueError(f"line rate {line_mbit} Mbit/s is not a positive number")
    if not 0 < share <= 1:
        raise ValueError(f"share {share} is not above 0 and at most 1")
    return BytesPerSecond(max(1, int(line_mbit * 1_000_000 / 8 * share)))
