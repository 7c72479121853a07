"""When each endpoint of a site is told that there is something new. Pure.

An endpoint that is told fetches some 50 kB of signed metadata over the site's line.
If all did so in step, they would fill the line of a large site and delay business
and the first piece. So those that will fetch pieces are told at once, and the
others one after the other.
"""

from collections import deque
from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

AT_ONCE = 25  # a small site is done before the first piece comes; later fetches would compete with it
SPREAD_SECONDS = 4.0  # for the whole site: a profile is to hold everywhere within five


class Notices(Generic[K]):
    """The order and pace of one notice to a site; ``now`` is any clock in seconds."""

    def __init__(self, ranked: Sequence[K], now: float, *, waiting: Sequence[K] = ()) -> None:
        """``ranked``: all, the likeliest fetcher first; ``waiting``: those that have not heard the previous notice."""
        first = list(ranked[:AT_ONCE])
        known = set(ranked)
        order = dict.fromkeys([*first, *(key for key in waiting if key in known), *ranked])
        self._waiting = deque(order)
        self._count = len(order)
        self._per_second = len(order) / SPREAD_SECONDS
        self._began_at = now

    @property
    def waiting(self) -> Sequence[K]:
        """Those that have not been told yet, in order."""
        return tuple(self._waiting)

    def due(self, now: float) -> list[K]:
        """Return those to tell now; each is returned once."""
        by_now = AT_ONCE + int(max(0.0, now - self._began_at) * self._per_second)
        told = self._count - len(self._waiting)
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), max(0, by_now - told)))]
