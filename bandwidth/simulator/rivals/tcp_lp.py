"""TCP-LP: Kuzmanovic and Knightly, "TCP-LP: Low-Priority Service via End-Point Congestion Control", 2006."""

from typing import Any

from bandwidth.simulator.flows.tcp import TcpSender
from bandwidth.simulator.path import NetworkPath

DELAY_SHARE = 0.15  # of the range between the least and the greatest one-way delay
SMOOTHING = 1 / 8
INFERENCE_ROUND_TRIPS = 3


class TcpLpSender(TcpSender):
    """Reno's window (RFC 5681), which treats a rise of the one-way delay as congestion.

    The way back is constant here, so round trips stand in for one-way delays. The
    range of delays is learned in the first slow start, up to its first loss;
    until then nothing counts as an early indication.

    Constants and reactions are the paper's as Linux's ``tcp_lp.c`` has them, with
    two differences. Linux forgets the range at each indication (and calls that a
    makeshift); here the range stays. And an indication within the first round trip
    after a cut comes from what was queued before the cut, so only a later one
    within the inference phase counts as the second.
    """

    __slots__ = ("_greatest", "_inference_until", "_least", "_range_known", "_slow_start_threshold", "_smoothed")

    def __init__(self, path: NetworkPath) -> None:
        super().__init__(path)
        self._least = float("inf")
        self._greatest = 0.0
        self._range_known = False
        self._smoothed = 0.0
        self._inference_until = -1.0
        self._slow_start_threshold = float("inf")

    def acknowledged(self, rtt: float, packets: int, state: Any, limited: bool) -> None:  # noqa: ARG002
        """Halve at an early indication and observe; a second one while observing: window 1."""
        now = self._simulator.now
        self._least = min(self._least, rtt)
        self._greatest = max(self._greatest, rtt)
        self._smoothed += SMOOTHING * (rtt - self._smoothed) if self._smoothed else rtt
        early = self._smoothed > self._least + DELAY_SHARE * (self._greatest - self._least)
        observing = now < self._inference_until
        if early and self._range_known:
            if not observing:
                self.window = max(1.0, self.window / 2)
                self._inference_until = now + INFERENCE_ROUND_TRIPS * self.smoothed_rtt
            elif now > self._inference_until - (INFERENCE_ROUND_TRIPS - 1) * self.smoothed_rtt:
                self.window = 1.0
                self._inference_until = now + INFERENCE_ROUND_TRIPS * self.smoothed_rtt
            self._slow_start_threshold = max(2.0, self.window)
            return
        if observing or self.in_recovery:
            return
        self.window += packets if self.window < self._slow_start_threshold else packets / self.window

    def lost(self, packets: int, new_event: bool) -> None:  # noqa: ARG002
        """As Reno."""
        self._range_known = True
        if new_event:
            self.window = self._slow_start_threshold = max(2.0, self.window / 2)

    def timed_out(self) -> None:
        """As Reno."""
        self._slow_start_threshold = max(2.0, self.window / 2)
        self.window = 1.0
