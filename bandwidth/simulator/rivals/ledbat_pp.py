"""LEDBAT++, draft-irtf-iccrg-ledbat-plus-plus; the sections are those of its version 01.

Where the draft is silent (losses and timeouts), this is TCP as in RFC 5681.
"""

from collections import deque
from math import ceil
from typing import Any

from bandwidth.simulator.flows.tcp import TcpSender
from bandwidth.simulator.path import NetworkPath
from bandwidth.simulator.rivals.delay import LeastDelay

TARGET_SECONDS = 0.06  # section 4.5
LARGEST_GAIN_DIVISOR = 16  # section 4.2
CURRENT_FILTER = 4
LEAST_WINDOW = 2.0
SLOW_START_EXIT = 0.75  # section 4.1: of the target
SLOWDOWN_ROUNDS = 2  # section 4.4: to wait before the first one, and to stay at the least window
SLOWDOWN_EVERY = 9  # section 4.4: times the last one's duration, so that at most a tenth of the time is in them


class LedbatPlusPlusSender(TcpSender):
    """Round trips instead of one-way delays, a reduced gain, multiplicative decrease, and periodic slowdowns."""

    __slots__ = (
        "_base",
        "_current",
        "_decreased_at",
        "_held_until",
        "_slow_start",
        "_slowdown_at",
        "_slowdown_began",
        "_target",
        "_threshold",
    )

    def __init__(self, path: NetworkPath, target_seconds: float = TARGET_SECONDS) -> None:
        super().__init__(path)
        self.window = LEAST_WINDOW
        self._target = target_seconds
        self._base = LeastDelay()
        self._current: deque[float] = deque(maxlen=CURRENT_FILTER)
        self._slow_start = True
        self._threshold = float("inf")
        self._decreased_at = 0.0
        self._slowdown_at = float("inf")  # when the next one begins
        self._slowdown_began = -1.0  # not in one
        self._held_until = -1.0

    def acknowledged(self, rtt: float, packets: int, state: Any, limited: bool) -> None:  # noqa: ARG002
        """Slowdowns, modified slow start, then additive increase or multiplicative decrease."""
        now = self._simulator.now
        self._base.add(rtt, now)
        self._current.append(rtt)
        queue = min(self._current) - self._base.seconds
        if self._held_until >= 0:
            if now < self._held_until:
                return
            self._held_until = -1.0
            self._slow_start = True
        elif now >= self._slowdown_at and not self._slow_start:
            self._begin_slowdown(now)
            return
        gain = 1 / min(LARGEST_GAIN_DIVISOR, ceil(2 * self._target / self._base.seconds))
        if self._slow_start:
            self._grow_fast(gain * packets, queue, now)
        elif queue <= self._target:
            self.window += gain * packets / self.window
        elif now - self._decreased_at >= self.smoothed_rtt:
            # section 4.3, once per round trip, with its constant at 1; below the target the window grows by the gain
            self._decreased_at = now
            change = max(gain - self.window * (queue / self._target - 1), -self.window / 2)
            self.window = max(LEAST_WINDOW, self.window + change)

    def _grow_fast(self, growth: float, queue: float, now: float) -> None:
        first = self._threshold == float("inf")
        self.window += growth
        # section 4.1: by delay only the first time; section 4.4: later up to the window before the slowdown
        if (first and queue > SLOW_START_EXIT * self._target) or self.window >= self._threshold:
            self._leave_slow_start(now)

    def _leave_slow_start(self, now: float) -> None:
        self._slow_start = False
        if self._slowdown_began >= 0:
            self._slowdown_at = now + SLOWDOWN_EVERY * (now - self._slowdown_began)
            self._slowdown_began = -1.0
        elif self._slowdown_at == float("inf"):
            self._slowdown_at = now + SLOWDOWN_ROUNDS * self.smoothed_rtt  # the initial slowdown
        self._threshold = min(self._threshold, self.window)

    def _begin_slowdown(self, now: float) -> None:
        self._threshold = max(self.window, LEAST_WINDOW)
        self._slowdown_began = now
        self._slowdown_at = float("inf")
        self._held_until = now + SLOWDOWN_ROUNDS * self.smoothed_rtt
        self.window = LEAST_WINDOW

    def lost(self, packets: int, new_event: bool) -> None:  # noqa: ARG002
        """Halve, at most once a round trip, and leave slow start."""
        if new_event and self._held_until < 0:
            self.window = max(LEAST_WINDOW, self.window / 2)
            if self._slow_start:
                self._leave_slow_start(self._simulator.now)

    def timed_out(self) -> None:
        """As RFC 5681 section 3.1: one packet, then slow start up to half of what was in flight."""
        self._threshold = max(LEAST_WINDOW, self.window / 2)
        self._slow_start = True
        self.window = 1.0
