"""When each endpoint of a site is told that there is something new. Pure.

Whoever is told fetches some 50 kB of signed metadata over the site's line. If all
did so in step, a large site's line would be full of it, in the way of business
and of the first piece. So those that will fetch are told at once, and the others
one after the other.
"""

from collections import deque
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

AT_ONCE = 25  # a small site is done with it before the first piece comes, and that would meet what comes later
SPREAD_SECONDS = 4.0  # for the whole site: a profile is to hold everywhere within five


class Notices(Generic[K]):
    """Made when something is new; ``now`` is any clock in seconds."""

    def __init__(self, ranked: Sequence[K], now: float, *, waiting: Sequence[K] = ()) -> None:
        """``ranked``: everybody, the likeliest fetcher first; ``waiting``: who was still to hear of the news before."""
        first = list(ranked[:AT_ONCE])
        known = set(ranked)
        order = dict.fromkeys([*first, *(key for key in waiting if key in known), *ranked])
        self._waiting = deque(order)
        self._count = len(order)
        self._per_second = len(order) / SPREAD_SECONDS
        self._began_at = now

    @property
    def waiting(self) -> Sequence[K]:
        """Who has not been told yet, in order."""
        return tuple(self._waiting)

    def due(self, now: float) -> list[K]:
        """Return who is to be told now; each is returned once."""
        by_now = AT_ONCE + int(max(0.0, now - self._began_at) * self._per_second)
        told = self._count - len(self._waiting)
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), max(0, by_now - told)))]
