"""Our sender: TCP, paced by `bandwidth.core.controller.Controller` up to 20 times a second."""

from collections.abc import Callable
from typing import Any, Final, Protocol

from bandwidth.core.bulk import BulkDetector
from bandwidth.core.controller import Decision
from bandwidth.core.signals import Sample, sample_seconds
from bandwidth.core.units import BytesPerSecond, packet_bytes
from bandwidth.core.window_renewal import WindowRenewal
from bandwidth.simulator.flows.bbr import HIGH_GAIN
from bandwidth.simulator.flows.cubic import CubicSender
from bandwidth.simulator.flows.delivery_rate import DeliveryRate, SendState
from bandwidth.simulator.path import NetworkPath
from bandwidth.simulator.ping import Ping

CUBIC_WINDOW: Final = "cubic"
STEADY_WINDOW: Final = "steady"
NO_WINDOW: Final = "none"
WINDOWS: Final = (CUBIC_WINDOW, STEADY_WINDOW, NO_WINDOW)
QUANTA_PACKETS: Final = 3  # BBR 4.2.3.2: on their way through the hosts


class Law(Protocol):
    """What a sender needs of a controller."""

    def update(self, sample: Sample, now: float) -> Decision:
        """Return what may be sent until the next sample."""


class OurSender(CubicSender):
    """Runs the shipped controller against the simulated line.

    ``business`` returns (all business bytes so far, bytes of each open connection by key), or None
    where nobody can see it. It counts what has arrived at the site and been reported: half a
    round trip later than at the bottleneck's far end. ``line_rate`` is the line's configured rate;
    None: not known. Under the pacing TCP keeps its own window, one of `WINDOWS`: CUBIC's; a steady
    one, as BBR's is while it starts up: no loss makes it smaller; or none, which shows the law alone.
    """

    __slots__ = (
        "_bulk",
        "_business",
        "_business_before",
        "_delivered_before",
        "_law",
        "_line_rate",
        "_lost_before",
        "_path_rate",
        "_renewal",
        "_sample_seconds",
        "_window_kind",
        "decisions",
        "ping",
    )

    def __init__(
        self,
        path: NetworkPath,
        law: Law,
        *,
        line_rate: BytesPerSecond | None,
        business: Callable[[], tuple[int, dict[int, int]] | None],
        window: str = STEADY_WINDOW,
    ) -> None:
        if window not in WINDOWS:
            raise ValueError(f"no such window: {window!r} ({', '.join(WINDOWS)})")
        super().__init__(path, packet_bytes=packet_bytes(line_rate))
        self._window_kind = window
        if window == NO_WINDOW:
            self.window = float("inf")
        self._path_rate = DeliveryRate()
        self._law = law
        self._business = business
        self._line_rate = line_rate
        self._bulk: BulkDetector[int] = BulkDetector()
        self._business_before = 0
        self._delivered_before = 0
        self._lost_before = 0
        self._renewal = WindowRenewal()
        self._sample_seconds = sample_seconds(self._line_rate)
        self.ping = Ping(path, self._sample_seconds)
        self.decisions: list[tuple[float, Decision]] = []
        self.burst_least = 1  # our server writes no more than it may send in an interval

    def packet_state(self) -> Any:
        """See `TcpSender`."""
        if self._window_kind != STEADY_WINDOW:
            return None
        return self._path_rate.sent(self.delivered_bytes, self.flight, self._simulator.now)

    def acknowledged(self, rtt: float, packets: int, state: Any, limited: bool) -> None:
        """See `CubicSender`."""
        if self._window_kind == CUBIC_WINDOW:
            super().acknowledged(rtt, packets, state, limited)
        elif self._window_kind == STEADY_WINDOW:
            assert isinstance(state, SendState)
            rate = self._path_rate
            rate.acknowledged(state, self.delivered_bytes, rtt, self.min_rtt, self._simulator.now)
            most = HIGH_GAIN * rate.highest * self.min_rtt / self.packet_bytes + QUANTA_PACKETS
            if self.window < most:  # while it starts up, it only grows
                self.window += packets

    def lost(self, packets: int, new_event: bool) -> None:
        """See `CubicSender`."""
        if self._window_kind == CUBIC_WINDOW:
            super().lost(packets, new_event)

    def timed_out(self) -> None:
        """See `CubicSender`."""
        if self._window_kind == CUBIC_WINDOW:
            super().timed_out()

    def start(self, _: Any = None) -> None:
        """Begin with the ping, then send at the controller's pace."""
        self.ping.start()
        self._path_rate.begin(self._simulator.now)
        self._decide(None)
        super().start()

    def _decide(self, _: Any) -> None:
        now = self._simulator.now
        business, bulk = self._look_at_business()
        sample = Sample(
            rtt_seconds=self.ping.newest_round_trip(),
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
        rtt = self.smoothed_rtt or self.ack_delay_seconds
        if self._renewal.due(sample, decision, now, rtt_seconds=rtt, loss_blind=False):
            self.renew_window()
        self.decisions.append((now, decision))
        self.pace(float(decision.allowance))
        self._simulator.after(self._sample_seconds, self._decide)

    def _window_rate(self) -> BytesPerSecond | None:
        if self._window_kind == NO_WINDOW or not self.smoothed_rtt:
            return None
        return BytesPerSecond(int(self.window * self.packet_bytes / self.min_rtt))

    def _look_at_business(self) -> tuple[int | None, bool]:
        """Return business bytes since the last sample, and whether one connection is a transfer."""
        seen = self._business()
        if seen is None:
            return None, False
        total, by_connection = seen
        new, self._business_before = total - self._business_before, total
        rtt = self.smoothed_rtt or self.ack_delay_seconds
        return new, self._bulk.observe(by_connection, self._simulator.now, rtt_seconds=rtt, capacity=self._line_rate)
