"""What a path delivers: the rate by draft-cheng-iccrg-delivery-rate-estimation, and its maximum over BBR's rounds."""

from collections import deque
from typing import Final

BANDWIDTH_ROUNDS: Final = 10  # BBR 4.1.1.2: BtlBwFilterLen


class SendState:
    """What was known when a packet was sent (3.1.2)."""

    __slots__ = ("delivered", "delivered_at", "first_sent_at", "limited", "sent_at")

    def __init__(
        self, delivered: int, delivered_at: float, first_sent_at: float, sent_at: float, limited: bool
    ) -> None:
        self.delivered = delivered
        self.delivered_at = delivered_at
        self.first_sent_at = first_sent_at
        self.sent_at = sent_at
        self.limited = limited


class DeliveryRate:
    """Estimates at each acknowledgement; ``delivered`` is the flow's bytes so far, with the packet acknowledged."""

    __slots__ = (
        "_delivered_at",
        "_first_sent_at",
        "_limited_until",
        "_rates",
        "_round_ends_at",
        "highest",
        "round",
    )

    def __init__(self) -> None:
        self._rates: deque[tuple[int, float]] = deque()  # falling, so that the first is the maximum
        self._delivered_at = self._first_sent_at = 0.0
        self._limited_until = 0  # delivered bytes up to which rates say nothing about the path
        self._round_ends_at = 0
        self.round = 0
        self.highest = 0.0
        """Bytes per second, of the last rounds; 0: not known."""

    def begin(self, now: float) -> None:
        """Note that sending begins."""
        self._delivered_at = self._first_sent_at = now

    def sent(self, delivered: int, flight: int, now: float) -> SendState:
        """Return what to attach to a packet that is sent now; ``flight`` has it already."""
        if flight <= 1:
            self._first_sent_at = self._delivered_at = now
        return SendState(delivered, self._delivered_at, self._first_sent_at, now, delivered < self._limited_until)

    def acknowledged(self, state: SendState, delivered: int, rtt: float, min_rtt: float, now: float) -> bool:
        """Take in a packet's acknowledgement; return whether a round begins."""
        self._first_sent_at = state.sent_at
        self._delivered_at = now
        new_round = state.delivered >= self._round_ends_at
        if new_round:
            self.round += 1
            self._round_ends_at = delivered
        interval = max(now - state.delivered_at, state.sent_at - state.first_sent_at)
        if interval >= min(min_rtt, rtt):
            rate = (delivered - state.delivered) / interval
            if not state.limited or rate >= self.highest:  # BBR 4.1.1.4
                self._add(rate)
        return new_round

    def limit_until(self, delivered: int) -> None:
        """Let rates up to so many delivered bytes count only where they are higher than what is known."""
        self._limited_until = delivered

    def end_round_at(self, delivered: int) -> None:
        """Let the present round end at so many delivered bytes."""
        self._round_ends_at = delivered

    def _add(self, rate: float) -> None:
        rates = self._rates
        while rates and rates[-1][1] <= rate:
            rates.pop()
        rates.append((self.round, rate))
        while rates[0][0] <= self.round - BANDWIDTH_ROUNDS:
            rates.popleft()
        self.highest = rates[0][1]
