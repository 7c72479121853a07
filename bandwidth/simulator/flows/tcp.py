"""A TCP sender without its congestion control: loss recovery, round trips, pacing.

Simplifications, all of which make the sender more polite in what matters here:

* Packets are numbered in the order of sending, and no number is used twice (as in
  QUIC, RFC 9002 section 3). A path keeps a flow's order, so the first gap is a loss,
  which selective acknowledgements show only after three more packets (RFC 6675).
* Every packet is acknowledged. Window and flight are counted in packets.
* After a loss the window is set at once, and sending continues when the flight has
  fallen below it (RFC 6675's pipe; no proportional rate reduction).
* A lost tail is found by a probe after 2 round trips (RFC 8985 section 7.2),
  else by the retransmission timer (RFC 6298, at least 200 ms as in Linux).
"""

from collections.abc import Callable
from typing import Any, Final

from bandwidth.simulator.events import TimedCall
from bandwidth.simulator.packets import Flow, Packet
from bandwidth.simulator.path import NetworkPath

PACKET_BYTES: Final = 1_500
INITIAL_WINDOW: Final = 10.0  # RFC 6928
LEAST_TIMEOUT_SECONDS: Final = 0.2
FIRST_TIMEOUT_SECONDS: Final = 1.0  # RFC 6298 section 2.1
BURST_SECONDS: Final = 1 / 1024  # Linux sizes paced bursts to about a millisecond (tcp_tso_autosize) …
UNPACED: Final = float("inf")
LEAST_BURST_PACKETS: Final = 2  # … and at least two segments (tcp_min_tso_segs)


class TcpSender(Flow):
    """Sends ``packets`` packets (None: without end) as fast as ``window`` and ``pacing_rate`` allow.

    Congestion controls override `acknowledged`, `lost` and `timed_out`, and set
    ``window`` (packets) and, if they pace, `pace`.
    """

    __slots__ = (
        "_backoff",
        "_expected",
        "_last_progress",
        "_link",
        "_next_burst",
        "_next_number",
        "_on_done",
        "_pace_deadline",
        "_pace_generation",
        "_paced_from",
        "_probed",
        "_recovery_until",
        "_simulator",
        "_timer_at",
        "_unsent",
        "burst_least",
        "delivered_bytes",
        "flight",
        "lost_packets",
        "min_rtt",
        "pacing_rate",
        "packet_bytes",
        "rtt_variation",
        "running",
        "smoothed_rtt",
        "window",
    )

    def __init__(
        self,
        path: NetworkPath,
        *,
        packets: int | None = None,
        rtt_seconds: float | None = None,
        packet_bytes: int = PACKET_BYTES,
        on_done: Callable[["TcpSender"], None] | None = None,
    ) -> None:
        self._simulator = path.simulator
        self._link = path.link
        self.key = path.next_key()
        self.ack_delay_seconds = path.rtt_seconds if rtt_seconds is None else rtt_seconds
        self.packet_bytes = packet_bytes
        self._on_done = on_done
        self._unsent = float("inf") if packets is None else float(packets)
        self.running = False
        self.window = INITIAL_WINDOW
        self.pacing_rate = UNPACED
        self.burst_least = LEAST_BURST_PACKETS
        self.flight = 0
        self.delivered_bytes = 0
        self.lost_packets = 0
        self.smoothed_rtt = 0.0
        self.rtt_variation = 0.0
        self.min_rtt = float("inf")
        self._next_number = 0
        self._expected = 0
        self._recovery_until = 0
        self._last_progress = 0.0
        self._timer_at = -1.0  # not running
        self._backoff = 1.0
        self._probed = False
        self._pace_generation = 0
        self._pace_deadline = -1.0
        self._paced_from = 0.0
        self._next_burst = TimedCall(self._send_burst, 0)

    # --- for congestion controls -----------------------------------------------------------

    def acknowledged(self, rtt: float, packets: int, state: Any, limited: bool) -> None:
        """React to a packet that arrived; ``limited``: only the window kept the sender from sending more."""

    def lost(self, packets: int, new_event: bool) -> None:
        """React to lost packets; ``new_event``: the first loss of a round trip."""

    def timed_out(self) -> None:
        """React to the retransmission timer's expiry."""

    def idle_ended(self) -> None:
        """React to the end of a pause that was longer than the retransmission timeout."""

    def packet_state(self) -> Any:
        """Return what `acknowledged` gets back with the packet that is sent now."""
        return None

    # --- sending ---------------------------------------------------------------------------

    def start(self, _: Any = None) -> None:
        """Begin to send, or continue."""
        self.running = True
        now = self._simulator.now
        if self.flight == 0 and self.smoothed_rtt:
            timeout = max(LEAST_TIMEOUT_SECONDS, self.smoothed_rtt + 4 * self.rtt_variation)
            if now - self._last_progress > timeout:
                self.idle_ended()
        self._last_progress = now
        self.pump()

    def stop(self, _: Any = None) -> None:
        """Send nothing new; what is in flight still arrives."""
        self.running = False

    def give(self, packets: int) -> None:
        """Add packets to what there is to send."""
        self._unsent += packets
        self.pump()

    @property
    def sent_bytes(self) -> int:
        """So far, including retransmissions."""
        return self._next_number * self.packet_bytes

    def connections(self) -> dict[int, int]:
        """See `BusinessFlow`."""
        return {self.key: self.delivered_bytes}

    @property
    def in_recovery(self) -> bool:
        """Whether the loss that was last reacted to is still being repaired."""
        return self._expected < self._recovery_until

    def pump(self) -> None:
        """Send what may be sent now."""
        if not self.running:
            return
        if self.pacing_rate == UNPACED:
            window = self.window
            while self.flight < window and self._unsent > 0:
                self._transmit()
        elif self._pace_deadline < 0:
            self._send_burst(self._pace_generation)

    def pace(self, rate: float) -> None:
        """Set the pacing rate in bytes per second; a higher one shortens the present wait."""
        before = self.pacing_rate
        self.pacing_rate = max(rate, 1.0)
        if before == UNPACED:
            self.pump()
        elif self._pace_deadline >= 0 and rate > before:
            left = (self._pace_deadline - self._paced_from) * before / self.pacing_rate
            self._pace_deadline = max(self._simulator.now, self._paced_from + left)
            self._pace_generation += 1
            self._next_burst = TimedCall(self._send_burst, self._pace_generation)
            self._simulator.add(self._pace_deadline, self._next_burst)

    def _send_burst(self, generation: int) -> None:
        if generation != self._pace_generation:
            return
        self._pace_deadline = -1.0
        if not self.running or self.pacing_rate == UNPACED:
            return
        burst = max(self.burst_least, int(self.pacing_rate * BURST_SECONDS / self.packet_bytes))
        sent = 0
        while sent < burst and self.flight < self.window and self._unsent > 0:
            self._transmit()
            sent += 1
        if sent:
            now = self._paced_from = self._simulator.now
            self._pace_deadline = now + sent * self.packet_bytes / self.pacing_rate
            self._simulator.add(self._pace_deadline, self._next_burst)

    def _transmit(self) -> None:
        number = self._next_number
        self._next_number = number + 1
        self._unsent -= 1
        self.flight += 1
        if self._timer_at < 0:
            self._last_progress = self._simulator.now
            self._set_timer(self._last_progress + self._patience())
        self._link.send(self, number, self.packet_bytes, self.packet_state())

    # --- receiving -------------------------------------------------------------------------

    def receive(self, packet: Packet) -> None:
        """See `Flow`."""
        number = packet.number
        gap = number - self._expected
        if gap < 0:
            return  # the timer gave it up, and it has been sent again since
        now = self._simulator.now
        limited = self.flight >= self.window - 1
        self._expected = number + 1
        self.flight -= gap + 1
        self._last_progress = now
        self._backoff = 1.0
        self._probed = False
        rtt = now - packet.sent_at
        if self.smoothed_rtt:
            # RFC 6298 section 2.3
            self.rtt_variation += 0.25 * (abs(self.smoothed_rtt - rtt) - self.rtt_variation)
            self.smoothed_rtt += 0.125 * (rtt - self.smoothed_rtt)
        else:
            self.smoothed_rtt = rtt
            self.rtt_variation = rtt / 2
            if self.flight > 0:
                self._set_timer(now + self._patience())  # so far it ran with RFC 6298's first value
        if rtt < self.min_rtt:  # noqa: PLR1730 (max and min are calls, and this runs for each packet)
            self.min_rtt = rtt
        self.delivered_bytes += packet.size_bytes
        if gap:
            self.lost_packets += gap
            self._unsent += gap
            new_event = number > self._recovery_until
            if new_event:
                self._recovery_until = self._next_number
            self.lost(gap, new_event)
        self.acknowledged(rtt, 1, packet.state, limited)
        if self._unsent > 0:
            self.pump()
        elif self.flight <= 0 and self.running:
            self.running = False
            if self._on_done is not None:
                self._on_done(self)

    def _patience(self) -> float:
        if not self.smoothed_rtt:
            return FIRST_TIMEOUT_SECONDS * self._backoff
        if not self._probed:
            return max(2 * self.smoothed_rtt, 0.01)
        return max(LEAST_TIMEOUT_SECONDS, self.smoothed_rtt + 4 * self.rtt_variation) * self._backoff

    def _set_timer(self, at: float) -> None:
        self._timer_at = at
        self._simulator.at(at, self._timer, at)

    def _timer(self, at: float) -> None:
        if at != self._timer_at:
            return
        if self.flight <= 0:
            self._timer_at = -1.0
            return
        now = self._simulator.now
        due = self._last_progress + self._patience()
        if now + 1e-9 < due:
            self._set_timer(due)
        elif not self._probed and self.smoothed_rtt:
            self._probed = True
            # the probe repeats data: its acknowledgement shows what is missing
            self._unsent += 1
            self._transmit()
            self._last_progress = now  # RFC 8985 section 7.3: the retransmission timer starts anew
            self._set_timer(now + self._patience())
        else:
            self._give_up(now)

    def _give_up(self, now: float) -> None:
        """Treat everything in flight as lost (RFC 6298 section 5.4 to 5.6)."""
        self.lost_packets += self.flight
        self._unsent += self.flight
        self.flight = 0
        self._expected = self._recovery_until = self._next_number
        self._backoff = min(64.0, 2 * self._backoff)
        self._last_progress = now
        self._probed = False
        self.timed_out()
        self._set_timer(now + self._patience())
        self.pump()
