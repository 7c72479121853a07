"""BBR version 1 (draft-cardwell-iccrg-bbr-congestion-control-00; its section names are given)."""

import random
from typing import Any, Final

from bandwidth.simulator.flows.delivery_rate import DeliveryRate, SendState
from bandwidth.simulator.flows.tcp import BURST_SECONDS, LEAST_BURST_PACKETS, TcpSender
from bandwidth.simulator.path import NetworkPath

INFINITE: Final = float("inf")
HIGH_GAIN: Final = 2.885  # 4.3.2.1: 2/ln 2, the least gain that doubles the rate each round
CYCLE: Final[tuple[float, ...]] = (1.25, 0.75, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0)  # 4.3.4.1: ProbeBW
WINDOW_GAIN: Final = 2.0  # 4.3.4.1
LEAST_WINDOW: Final = 4.0  # 4.2.3.3: BBRMinPipeCwnd
MIN_RTT_SECONDS: Final = 10.0  # 4.1.2.2: RTpropFilterLen
PROBE_RTT_SECONDS: Final = 0.2  # 4.3.5: ProbeRTTDuration
FULL_PIPE_GROWTH: Final = 1.25  # 4.3.2.2: a pipe is full when three rounds bring less than a quarter more
FULL_PIPE_ROUNDS: Final = 3
PACING_MARGIN: Final = 0.99  # Linux paces 1 % below the estimate
SINGLE_PACKET_RATE: Final = 150_000.0  # 4.2.2: below 1.2 Mbit/s packets go out one by one

STARTUP: Final = 0
DRAIN: Final = 1
PROBE_BW: Final = 2
PROBE_RTT: Final = 3


class BbrSender(TcpSender):
    """A TCP sender with BBRv1. ``randomness`` chooses the first phase of its cycle (4.3.4.2)."""

    __slots__ = (
        "_conserving_until",
        "_cycle_at",
        "_cycle_index",
        "_full_bandwidth",
        "_full_rounds",
        "_min_rtt_at",
        "_mode",
        "_pacing_gain",
        "_pipe_rtt",
        "_probe_done_at",
        "_probe_round",
        "_randomness",
        "_rate",
        "_window_before",
        "_window_gain",
    )

    def __init__(self, path: NetworkPath, randomness: random.Random) -> None:
        super().__init__(path)
        self._randomness = randomness
        self._mode = STARTUP
        self._pacing_gain = self._window_gain = HIGH_GAIN
        self._rate = DeliveryRate()
        self._pipe_rtt = INFINITE
        self._min_rtt_at = 0.0
        self._full_bandwidth = 0.0
        self._full_rounds = 0
        self._cycle_index = 0
        self._cycle_at = 0.0
        self._probe_done_at = -1.0
        self._probe_round = 0
        self._window_before = 0.0
        self._conserving_until = -1
        self.pacing_rate = HIGH_GAIN * self.window * self.packet_bytes / 0.001  # 4.2.1: no round trip known yet: 1 ms

    def start(self, _: Any = None) -> None:
        """See `TcpSender`."""
        self._min_rtt_at = self._simulator.now
        self._rate.begin(self._min_rtt_at)
        super().start()

    def packet_state(self) -> Any:
        """Return the state of delivery rate estimation (draft-cheng-iccrg-delivery-rate-estimation)."""
        return self._rate.sent(self.delivered_bytes, self.flight, self._simulator.now)

    def acknowledged(self, rtt: float, packets: int, state: Any, limited: bool) -> None:  # noqa: ARG002
        """4.2: update the model, then the three controls."""
        now = self._simulator.now
        assert isinstance(state, SendState)
        new_round = self._rate.acknowledged(state, self.delivered_bytes, rtt, self.min_rtt, now)
        if new_round and self._mode == STARTUP:
            self._check_full_pipe()
        bdp = self._rate.highest * self._pipe_rtt / self.packet_bytes if self._pipe_rtt < INFINITE else 0.0
        if self._mode == PROBE_BW:
            self._advance_cycle(now, bdp)
        elif self._mode == DRAIN and self.flight <= self._in_flight(1.0, bdp):
            self._enter_probe_bw(now)
        self._update_min_rtt(rtt, now)
        self._set_controls(packets, bdp)

    def _check_full_pipe(self) -> None:
        if self._rate.highest >= self._full_bandwidth * FULL_PIPE_GROWTH:
            self._full_bandwidth = self._rate.highest
            self._full_rounds = 0
            return
        self._full_rounds += 1
        if self._full_rounds >= FULL_PIPE_ROUNDS:
            self._mode = DRAIN
            self._pacing_gain = 1 / HIGH_GAIN
            self._window_gain = HIGH_GAIN

    @property
    def _pipe_was_full(self) -> bool:
        return self._full_rounds >= FULL_PIPE_ROUNDS

    def _enter_probe_bw(self, now: float) -> None:
        self._mode = PROBE_BW
        self._window_gain = WINDOW_GAIN
        # any phase but the draining one
        self._cycle_index = (2 + self._randomness.randrange(len(CYCLE) - 1)) % len(CYCLE)
        self._cycle_at = now
        self._pacing_gain = CYCLE[self._cycle_index]

    def _in_flight(self, gain: float, bdp: float) -> float:
        """4.2.3.2: the target in flight at ``gain``, with three of 4.2.2's quanta on their way through the hosts."""
        rate = self.pacing_rate or 0.0
        self.burst_least = 1 if rate < SINGLE_PACKET_RATE else LEAST_BURST_PACKETS
        return gain * bdp + 3 * max(self.burst_least, int(rate * BURST_SECONDS / self.packet_bytes))

    def _advance_cycle(self, now: float, bdp: float) -> None:
        whole = now - self._cycle_at > self._pipe_rtt
        before = self.flight + 1  # 4.3.4.3 looks at what was in flight before this acknowledgement
        if self._pacing_gain > 1:
            due = whole and (self.in_recovery or before >= self._in_flight(self._pacing_gain, bdp))
        elif self._pacing_gain < 1:
            due = whole or before <= self._in_flight(1.0, bdp)
        else:
            due = whole
        if due:
            self._cycle_index = (self._cycle_index + 1) % len(CYCLE)
            self._cycle_at = now
            self._pacing_gain = CYCLE[self._cycle_index]

    def _update_min_rtt(self, rtt: float, now: float) -> None:
        """4.1.2.3 and 4.3.5: a minimum that is older than 10 s is measured again, with a nearly empty pipe."""
        expired = now - self._min_rtt_at > MIN_RTT_SECONDS
        if rtt <= self._pipe_rtt or expired:
            self._pipe_rtt = rtt
            self._min_rtt_at = now
        if expired and self._mode != PROBE_RTT:
            self._mode = PROBE_RTT
            self._pacing_gain = self._window_gain = 1.0
            self._window_before = self.window
            self._probe_done_at = -1.0
        if self._mode != PROBE_RTT:
            return
        # what is delivered now says nothing about the bandwidth
        self._rate.limit_until(self.delivered_bytes + max(1, self.flight * self.packet_bytes))
        if self._probe_done_at < 0:
            if self.flight <= LEAST_WINDOW:
                self._probe_done_at = now + PROBE_RTT_SECONDS
                self._probe_round = self._rate.round
                self._rate.end_round_at(self.delivered_bytes)
        elif self._rate.round > self._probe_round and now > self._probe_done_at:
            self._min_rtt_at = now
            self.window = max(self.window, self._window_before)
            if self._pipe_was_full:
                self._enter_probe_bw(now)
            else:
                self._mode = STARTUP
                self._pacing_gain = self._window_gain = HIGH_GAIN

    def _set_controls(self, packets: int, bdp: float) -> None:
        rate = self._pacing_gain * self._rate.highest * PACING_MARGIN
        if self._rate.highest and (self._pipe_was_full or self._rate.round <= 1 or rate > self.pacing_rate):
            if self._rate.round <= 1:
                rate = max(rate, HIGH_GAIN * self.window * self.packet_bytes / self.smoothed_rtt)
            self.pace(rate)
        if self._mode == PROBE_RTT:
            self.window = min(self.window, LEAST_WINDOW)
            return
        if self._conserving_until >= 0:
            if self._expected >= self._conserving_until:
                self._conserving_until = -1
                self.window = max(self.window, self._window_before)
            else:
                self.window = max(self.window, self.flight + packets)
                return
        target = self._in_flight(self._window_gain, bdp)
        if self._pipe_was_full:
            self.window = min(self.window + packets, target)
        elif self.window < target or self.delivered_bytes < 10 * self.packet_bytes:
            self.window += packets
        self.window = max(self.window, LEAST_WINDOW)

    def lost(self, packets: int, new_event: bool) -> None:  # noqa: ARG002
        """4.2.3.4: conserve packets for the first round of a recovery, then go back to the window before."""
        if new_event and self._mode != PROBE_RTT:
            self._window_before = max(self.window, self._window_before if self._conserving_until >= 0 else 0.0)
            self._conserving_until = self._next_number
            self.window = float(self.flight + 1)

    def timed_out(self) -> None:
        """4.2.3.4: one packet; its acknowledgement restores the window before (pacing limits what that sends)."""
        self._window_before = max(self.window, self._window_before)
        self._conserving_until = self._next_number
        self.window = 1.0
