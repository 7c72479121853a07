"""LEDBAT, RFC 6817 (section 2.4.2 has its sender).

Delays are round trips: the way back is constant here, so it is part of the base
too, and cancels out of the queueing delay as a one-way clock offset does.
"""

from collections import deque
from typing import Any

from bandwidth.simulator.flows.tcp import TcpSender
from bandwidth.simulator.path import NetworkPath
from bandwidth.simulator.rivals.delay import LeastDelay

TARGET_SECONDS = 0.1  # section 2.5: at most 100 ms
GAIN = 1.0  # at most 1
CURRENT_FILTER = 4  # samples, of which the least counts (one of the filters that the RFC allows)
ALLOWED_INCREASE = 1.0
INITIAL_WINDOW = LEAST_WINDOW = 2.0  # INIT_CWND, MIN_CWND


class LedbatSender(TcpSender):
    """Section 2.4.2; ``target_seconds`` is lower in some implementations."""

    __slots__ = ("_base", "_current", "_target")

    def __init__(self, path: NetworkPath, target_seconds: float = TARGET_SECONDS) -> None:
        super().__init__(path)
        self.window = INITIAL_WINDOW
        self._target = target_seconds
        self._base = LeastDelay()
        self._current: deque[float] = deque(maxlen=CURRENT_FILTER)

    def acknowledged(self, rtt: float, packets: int, state: Any, limited: bool) -> None:  # noqa: ARG002
        """Move the window in proportion to the queue's distance from the target."""
        self._base.add(rtt, self._simulator.now)
        self._current.append(rtt)
        off_target = (self._target - (min(self._current) - self._base.seconds)) / self._target
        window = self.window + GAIN * off_target * packets / self.window
        # flightsize is the one before this acknowledgement
        self.window = max(LEAST_WINDOW, min(window, self.flight + packets + ALLOWED_INCREASE))

    def lost(self, packets: int, new_event: bool) -> None:  # noqa: ARG002
        """Halve, at most once a round trip."""
        if new_event:
            self.window = max(LEAST_WINDOW, self.window / 2)

    def timed_out(self) -> None:
        """Section 2.4.2, the congestion timeout: one packet; the next acknowledgement brings back the least window."""
        self.window = 1.0
