"""Divides an allowance among several takers, max-min fair (Bertsekas & Gallager, Data Networks, 6.5.2). Pure."""

from collections.abc import Mapping
from typing import TypeVar

from bandwidth.core.units import BytesPerSecond

K = TypeVar("K")


def share_max_min(total: BytesPerSecond, demands: Mapping[K, BytesPerSecond | None]) -> dict[K, BytesPerSecond]:
    """Return each taker's part of ``total``; None demands all that there is.

    No taker gets more than its demand, and none could get more without taking from
    one that has no more than itself. Exact: the parts sum up to the smaller of
    ``total`` and all demands; the remainder of a division goes, a byte each, to the
    first takers in the mapping's order. Raises `ValueError` for a negative number.
    """
    if total < 0 or any(demand is not None and demand < 0 for demand in demands.values()):
        raise ValueError("an allowance and a demand are not negative")
    parts: dict[K, BytesPerSecond] = dict.fromkeys(demands, BytesPerSecond(0))
    open_takers = sorted(demands, key=lambda taker: (demands[taker] is None, demands[taker] or 0))
    left = int(total)
    while open_takers:
        taker = open_takers[0]
        demand = demands[taker]
        if demand is None or demand * len(open_takers) > left:
            break
        parts[taker] = demand
        left -= demand
        open_takers.pop(0)
    # every taker that is left demands more than an equal part
    still_open = [taker for taker in demands if taker in set(open_takers)]
    for at, taker in enumerate(still_open):
        part, rest = divmod(left, len(still_open))
        parts[taker] = BytesPerSecond(part + (1 if at < rest else 0))
    return parts
