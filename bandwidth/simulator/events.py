"""The discrete-event core: a heap of due calls and a virtual clock."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

Callback = Callable[[Any], None]


class Simulator:
    """Runs callbacks in order of their time; those of one moment in the order in which they were added.

    There is no other source of order and no clock, so a run is a function of
    its inputs, bit for bit. Randomness is a `random.Random` that is passed to
    whoever needs one.
    """

    __slots__ = ("_heap", "_order", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callback, Any]] = []
        self._order = 0

    def at(self, when: float, callback: Callback, argument: Any = None) -> None:
        """Call ``callback(argument)`` at ``when`` (seconds); a time in the past means now."""
        self._order += 1
        heappush(self._heap, (when, self._order, callback, argument))

    def after(self, delay_seconds: float, callback: Callback, argument: Any = None) -> None:
        """Call ``callback(argument)`` in ``delay_seconds``."""
        self._order += 1
        heappush(self._heap, (self.now + delay_seconds, self._order, callback, argument))

    def run(self, until: float) -> None:
        """Run everything that is due up to and including ``until``, then set the clock to it."""
        heap = self._heap
        while heap and heap[0][0] <= until:
            when, _, callback, argument = heappop(heap)
            if when > self.now:  # noqa: PLR1730 (a call to max for each event is dear)
                self.now = when
            callback(argument)
        self.now = max(self.now, until)
