"""The discrete-event core: a heap of due events and a virtual clock."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

Callback = Callable[[Any], None]


class Event(ABC):
    """Something that happens at its time."""

    __slots__ = ()

    @abstractmethod
    def happen(self) -> None:
        """Do what is due."""


class TimedCall(Event):
    """A call of ``callback`` with ``argument``; a repeated call can add the same object each time."""

    __slots__ = ("_argument", "_callback")

    def __init__(self, callback: Callback, argument: Any = None) -> None:
        self._callback = callback
        self._argument = argument

    def happen(self) -> None:
        """Call."""
        self._callback(self._argument)


class Simulator:
    """Lets events happen in order of their time; those of one moment in the order in which they were added.

    There is no other source of order and no clock, so a run is a function of
    its inputs, bit for bit. Parts that need randomness are given a
    `random.Random`.
    """

    __slots__ = ("_heap", "_order", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Event]] = []
        self._order = 0

    def add(self, when: float, event: Event) -> None:
        """Let ``event`` happen at ``when`` (seconds); a time in the past means now."""
        heappush(self._heap, (when, self.next_order(), event))

    def next_order(self) -> int:
        """Reserve a place among the events of one moment, for `put`."""
        self._order += 1
        return self._order

    def put(self, when: float, order: int, event: Event) -> None:
        """As `add`, in a place that `next_order` reserved earlier."""
        heappush(self._heap, (when, order, event))

    def at(self, when: float, callback: Callback, argument: Any = None) -> None:
        """Call ``callback(argument)`` at ``when``, as `add`."""
        self.add(when, TimedCall(callback, argument))

    def after(self, delay_seconds: float, callback: Callback, argument: Any = None) -> None:
        """Call ``callback(argument)`` in ``delay_seconds``."""
        self.add(self.now + delay_seconds, TimedCall(callback, argument))

    def run(self, until: float) -> None:
        """Run everything that is due up to and including ``until``, then set the clock to it."""
        heap = self._heap
        while heap:
            when, order, event = heappop(heap)
            if when > until:
                # not due yet: put it back
                heappush(heap, (when, order, event))
                break
            if when > self.now:  # noqa: PLR1730 (a call to max for each event is expensive)
                self.now = when
            event.happen()
        self.now = max(self.now, until)
