"""Our sender: TCP (CUBIC) that is paced by `bandwidth.core.controller.Controller`, 20 times a second."""

from collections.abc import Callable
from typing import Any, Protocol

from bandwidth.core.bulk import BulkDetector
from bandwidth.core.controller import Decision
from bandwidth.core.signals import Sample
from bandwidth.core.states import State
from bandwidth.simulator.events import Call
from bandwidth.simulator.flows.cubic import CubicSender
from bandwidth.simulator.packets import Flow, Packet
from bandwidth.simulator.path import Path
from bandwidth.units import BytesPerSecond, packet_bytes

SAMPLE_SECONDS = 0.05
PING_SECONDS = 0.05
PING_BYTES = 8 + 29 + 52  # with TLS 1.3's record and TCP/IPv4 with time stamps


class Law(Protocol):
    """What `Controller.update` is."""

    def update(self, sample: Sample, now: float) -> Decision:
        """Return what may be sent until the next sample."""


class Ping(Flow):
    """Eight bytes every 50 ms on an unpaced connection of its own, echoed at once."""

    __slots__ = ("_link", "_next", "_number", "_simulator", "newest")

    def __init__(self, path: Path) -> None:
        self._simulator = path.simulator
        self._link = path.link
        self.key = path.next_key()
        self.ack_delay_seconds = path.rtt_seconds
        self._next = Call(self.start)
        self._number = 0
        self.newest: float | None = None

    def start(self, _: Any = None) -> None:
        """Send one, and the others after it."""
        self._link.send(self, self._number, PING_BYTES)
        self._number += 1
        self._simulator.add(self._simulator.now + PING_SECONDS, self._next)

    def receive(self, packet: Packet) -> None:
        """See `Flow`."""
        self.newest = self._simulator.now - packet.sent_at

    def take(self) -> float | None:
        """Return the newest round trip since the last call, or None."""
        newest, self.newest = self.newest, None
        return newest


class OurSender(CubicSender):
    """Runs the shipped controller against the simulated line.

    ``business`` returns (all business bytes so far, bytes of each open connection by key), or None
    where nobody can see it; it is what has arrived at the site and been
    reported: half a round trip later than at the bottleneck's far end. Under the
    pacing TCP keeps its own window; ``kernel_window=False`` shows the law without it.
    """

    __slots__ = (
        "_bulk",
        "_business",
        "_business_before",
        "_delivered_before",
        "_kernel_window",
        "_law",
        "_line_rate",
        "_lost_before",
        "decisions",
        "ping",
    )

    def __init__(
        self,
        path: Path,
        law: Law,
        *,
        line_rate: float,
        business: Callable[[], tuple[int, dict[int, int]] | None],
        kernel_window: bool = True,
    ) -> None:
        super().__init__(path, packet_bytes=packet_bytes(BytesPerSecond(int(line_rate))))
        self._kernel_window = kernel_window
        if not kernel_window:
            self.window = float("inf")
        self._law = law
        self._business = business
        self._line_rate = BytesPerSecond(int(line_rate))
        self._bulk: BulkDetector[int] = BulkDetector()
        self._business_before = 0
        self._delivered_before = 0
        self._lost_before = 0
        self.ping = Ping(path)
        self.decisions: list[tuple[float, Decision]] = []
        self.burst_least = 1  # the edge writes no more than it may send in an interval

    def acknowledged(self, rtt: float, packets: int, state: Any, limited: bool) -> None:
        """See `CubicSender`."""
        if self._kernel_window:
            super().acknowledged(rtt, packets, state, limited)

    def lost(self, packets: int, new_event: bool) -> None:
        """See `CubicSender`."""
        if self._kernel_window:
            super().lost(packets, new_event)

    def timed_out(self) -> None:
        """See `CubicSender`."""
        if self._kernel_window:
            super().timed_out()

    def start(self, _: Any = None) -> None:
        """Begin with the ping, then send at the controller's pace."""
        self.ping.start()
        self._decide(None)
        super().start()

    def _decide(self, _: Any) -> None:
        now = self._simulator.now
        business, bulk = self._look_at_business()
        sample = Sample(
            rtt_seconds=self.ping.take(),
            data_rtt_seconds=self.smoothed_rtt or None,
            delivered_bytes=self.delivered_bytes - self._delivered_before,
            retransmits=self.lost_packets - self._lost_before,
            application_limited=False,
            window_rate=self._window_rate(),
            business_bytes=business,
            bulk_business=bulk,
        )
        self._delivered_before = self.delivered_bytes
        self._lost_before = self.lost_packets
        decision = self._law.update(sample, now)
        if decision.state is State.RAMP and self.decisions and self.decisions[-1][1].state is State.YIELD:
            self.renew_window()
        self.decisions.append((now, decision))
        self.pace(float(decision.allowance))
        self._simulator.after(SAMPLE_SECONDS, self._decide)

    def _window_rate(self) -> BytesPerSecond | None:
        if not self._kernel_window or not self.smoothed_rtt:
            return None
        return BytesPerSecond(int(self.window * self.packet_bytes / self.min_rtt))

    def _look_at_business(self) -> tuple[int | None, bool]:
        """Bytes since the last look, and whether one connection is a transfer."""
        seen = self._business()
        if seen is None:
            return None, False
        total, by_connection = seen
        new, self._business_before = total - self._business_before, total
        rtt = self.smoothed_rtt or self.ack_delay_seconds
        return new, self._bulk.take(by_connection, self._simulator.now, rtt_seconds=rtt, capacity=self._line_rate)
