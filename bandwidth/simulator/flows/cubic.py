"""CUBIC, RFC 9438, with HyStart++ (RFC 9406), which its section 4.10 recommends."""

import math
from collections.abc import Callable
from typing import Any, Final

from bandwidth.simulator.flows.tcp import INITIAL_WINDOW, PACKET_BYTES, TcpSender
from bandwidth.simulator.path import NetworkPath

INFINITE: Final = float("inf")  # a call of float for each packet is expensive
CUBIC_C: Final = 0.4  # section 5.1
BETA: Final = 0.7  # section 4.6: multiplicative decrease
ALPHA: Final = 3 * (1 - BETA) / (1 + BETA)  # section 4.3: the Reno-friendly increase
LEAST_WINDOW: Final = 2.0
# RFC 9406 section 4.3
LEAST_THRESHOLD_SECONDS: Final = 0.004
MOST_THRESHOLD_SECONDS: Final = 0.016
ROUND_SAMPLES: Final = 8
CONSERVATIVE_DIVISOR: Final = 4
CONSERVATIVE_ROUNDS: Final = 5


class CubicSender(TcpSender):
    """A TCP sender with CUBIC."""

    __slots__ = (
        "_acked_at",
        "_baseline_rtt",
        "_conservative_rounds",
        "_epoch_at",
        "_k",
        "_last_round_rtt",
        "_reno_window",
        "_round_ends_at",
        "_round_rtt",
        "_round_samples",
        "_window_before",
        "_window_max",
        "slow_start_threshold",
    )

    def __init__(
        self,
        path: NetworkPath,
        *,
        packets: int | None = None,
        packet_bytes: int = PACKET_BYTES,
        on_done: Callable[[TcpSender], None] | None = None,
    ) -> None:
        super().__init__(path, packets=packets, packet_bytes=packet_bytes, on_done=on_done)
        self.slow_start_threshold = INFINITE
        self._window_max = 0.0
        self._window_before = 0.0  # RFC 9438's cwnd_prior
        self._k = 0.0
        self._epoch_at = -1.0
        self._reno_window = 0.0
        self._acked_at = 0.0
        self._round_ends_at = 0
        self._round_rtt = self._last_round_rtt = self._baseline_rtt = INFINITE
        self._round_samples = 0
        self._conservative_rounds = -1  # not in conservative slow start

    def acknowledged(self, rtt: float, packets: int, state: Any, limited: bool) -> None:  # noqa: ARG002
        """Grow, by section 4.2 to 4.5, but not in recovery, nor while the window is not the limit (RFC 7661)."""
        now = self._simulator.now
        since = now - self._acked_at
        self._acked_at = now
        if self.in_recovery:
            return
        window = self.window
        if window < self.slow_start_threshold:
            if self.slow_start_threshold == INFINITE:  # RFC 9406 section 4.3: in the first slow start only
                self._hystart(rtt)
            if limited or window < 2 * self.flight:
                self.window = window + (packets if self._conservative_rounds < 0 else packets / CONSERVATIVE_DIVISOR)
            return
        if not limited:
            if self._epoch_at >= 0:
                self._epoch_at += since  # section 5.8: idle time does not count for growth
            return
        if self._epoch_at < 0:
            self._begin_epoch(now)
        elapsed = now - self._epoch_at
        # section 4.3: Reno's average window, with α = 1 above the window of the last loss
        alpha = ALPHA if self._reno_window < self._window_before else 1.0
        self._reno_window += alpha * packets / window
        cubic = CUBIC_C * math.pow(elapsed - self._k, 3.0) + self._window_max
        if cubic < self._reno_window:
            self.window = max(window, self._reno_window)
            return
        # section 4.2: the curve's value one round trip from now, at most one and a half times the window
        target = CUBIC_C * math.pow(elapsed + self.smoothed_rtt - self._k, 3.0) + self._window_max
        target = min(max(target, window), 1.5 * window)
        self.window = window + (target - window) * packets / window

    def _hystart(self, rtt: float) -> None:
        """RFC 9406 section 4.2: slow down when a round's least round trip has grown, and go on if it was noise."""
        if self._expected > self._round_ends_at:
            self._round_ends_at = self._next_number
            self._last_round_rtt, self._round_rtt, self._round_samples = self._round_rtt, INFINITE, 0
            if self._conservative_rounds >= 0:
                self._conservative_rounds += 1
                if self._conservative_rounds >= CONSERVATIVE_ROUNDS:
                    self.slow_start_threshold = self.window
        self._round_rtt = min(self._round_rtt, rtt)
        self._round_samples += 1
        if self._round_samples < ROUND_SAMPLES or self._last_round_rtt == INFINITE:
            return
        if self._conservative_rounds < 0:
            allowed = max(LEAST_THRESHOLD_SECONDS, min(self._last_round_rtt / 8, MOST_THRESHOLD_SECONDS))
            if self._round_rtt >= self._last_round_rtt + allowed:
                self._baseline_rtt = self._round_rtt
                self._conservative_rounds = 0
        elif self._round_rtt < self._baseline_rtt:
            self._baseline_rtt = INFINITE
            self._conservative_rounds = -1

    def _begin_epoch(self, now: float) -> None:
        self._epoch_at = now
        self._reno_window = self.window
        if self._window_max > self.window:
            self._k = ((self._window_max - self.window) / CUBIC_C) ** (1 / 3)
        else:
            self._k = 0.0
            self._window_max = self.window

    def lost(self, packets: int, new_event: bool) -> None:  # noqa: ARG002
        """Section 4.6, with fast convergence (4.7)."""
        if new_event:
            self._reduce()
            self.window = self.slow_start_threshold

    def _reduce(self) -> None:
        window = self.window
        self._window_before = window
        self._window_max = window * (1 + BETA) / 2 if window < self._window_max else window
        self.slow_start_threshold = max(LEAST_WINDOW, window * BETA)
        self._epoch_at = -1.0

    def idle_ended(self) -> None:
        """RFC 5681 section 4.1: a new slow start, up to at least three quarters of the window before (RFC 2861)."""
        self.slow_start_threshold = max(self.slow_start_threshold, 0.75 * self.window)
        self.window = min(self.window, INITIAL_WINDOW)
        self._conservative_rounds = -1
        self._epoch_at = -1.0

    def renew_window(self) -> None:
        """Begin slow start anew from the present window, as a new connection would: old losses no longer count."""
        self.slow_start_threshold = INFINITE
        self._conservative_rounds = -1
        self._baseline_rtt = self._last_round_rtt = INFINITE
        self._epoch_at = -1.0
        self.window = max(self.window, INITIAL_WINDOW)

    def timed_out(self) -> None:
        """Section 4.8: as Reno does, with CUBIC's factor; the next epoch starts from the window at that time."""
        self._window_before = self.window
        self._window_max = 0.0
        self.slow_start_threshold = max(LEAST_WINDOW, self.window * BETA)
        self.window = 1.0
        self._epoch_at = -1.0
