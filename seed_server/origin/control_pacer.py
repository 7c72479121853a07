"""The order and pace of a site's control messages: one of each endpoint in turn, as the site's budget allows."""

from collections import deque
from collections.abc import Callable
from typing import Protocol

import trio

from bandwidth.core.units import BytesPerSecond
from seed_server.line.control_budget import ControlBudget, line_bytes


class QueuedOutbox(Protocol):
    """An outbox, as far as its turn is concerned."""

    def release(self) -> int:
        """Let the first message go, and return the bytes of its frame; 0 when there is none any more."""


class ControlPacer:
    """The queue of one site's outboxes; `release` is called whenever time has passed."""

    def __init__(self, budget: ControlBudget, rate: Callable[[float], BytesPerSecond]) -> None:
        """``rate``: what messages to the site may use of its line, at a time of trio's clock."""
        self._budget = budget
        self.rate = rate
        self._queue: deque[QueuedOutbox] = deque()

    @property
    def waiting(self) -> bool:
        """Whether any outbox waits for its turn."""
        return bool(self._queue)

    def ask(self, outbox: QueuedOutbox) -> None:
        """Let one message of ``outbox`` go when it is its turn: now, if no other waits and there is room."""
        self._queue.append(outbox)
        self.release(trio.current_time())

    def count(self, line_bytes: int) -> None:
        """Let what the site's PCs say, because they were asked, use up its turn: the line may be shared both ways."""
        self._budget.spend(line_bytes)

    def forget(self, outbox: QueuedOutbox) -> None:
        """Take the outbox of an endpoint that has left out of the queue."""
        if outbox in self._queue:
            self._queue.remove(outbox)

    def release(self, now: float) -> None:
        """Let go what there is room for now."""
        while self._queue and self._budget.has_room(self.rate(now), now):
            frame_bytes = self._queue.popleft().release()
            if frame_bytes:
                self._budget.spend(line_bytes(frame_bytes))
