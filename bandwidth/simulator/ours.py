"""Our sender: TCP (CUBIC) that is paced by `bandwidth.core.controller.Controller`, 20 times a second."""

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from bandwidth.core.controller import Decision
from bandwidth.core.signals import Sample
from bandwidth.simulator.events import Call
from bandwidth.simulator.flows.cubic import CubicSender
from bandwidth.simulator.packets import Flow, Packet
from bandwidth.simulator.path import Path

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

    ``business`` returns (bytes of each business flow so far, by key), or None
    where nobody can see it; it is what has arrived at the site and been
    reported: half a round trip later than at the bottleneck's far end. Under the
    pacing TCP keeps its own window; ``kernel_window=False`` shows the law without it.
    """

    __slots__ = (
        "_bulk_threshold",
        "_business",
        "_business_seen",
        "_delivered_before",
        "_kernel_window",
        "_law",
        "_lost_before",
        "decisions",
        "ping",
    )

    BULK_SHARE = 0.02
    BULK_LEAST = 32_000.0  # 256 kbit/s
    BULK_LOOKS = 10  # samples in half a second: above the threshold in both halves of a second

    def __init__(
        self,
        path: Path,
        law: Law,
        *,
        line_rate: float,
        business: Callable[[], dict[int, int] | None],
        kernel_window: bool = True,
    ) -> None:
        super().__init__(path)
        self._kernel_window = kernel_window
        if not kernel_window:
            self.window = float("inf")
        self._law = law
        self._business = business
        self._bulk_threshold = max(self.BULK_SHARE * line_rate, self.BULK_LEAST)
        self._business_seen: deque[dict[int, int]] = deque([{}], maxlen=2 * self.BULK_LOOKS + 1)
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
            business_bytes=business,
            bulk_business=bulk,
        )
        self._delivered_before = self.delivered_bytes
        self._lost_before = self.lost_packets
        decision = self._law.update(sample, now)
        self.decisions.append((now, decision))
        self.pace(float(decision.allowance))
        self._simulator.after(SAMPLE_SECONDS, self._decide)

    def _look_at_business(self) -> tuple[int | None, bool]:
        """Bytes since the last look, and whether one flow was above the bulk threshold in both halves of a second."""
        seen = self._business()
        if seen is None:
            return None, False
        history = self._business_seen
        new = sum(seen.values()) - sum(history[-1].values())
        history.append(seen)
        if len(history) <= 2 * self.BULK_LOOKS:
            return new, False
        before, middle = history[0], history[self.BULK_LOOKS]
        enough = self._bulk_threshold * SAMPLE_SECONDS * self.BULK_LOOKS
        bulk = any(
            size - middle.get(key, 0) >= enough and middle.get(key, 0) - before.get(key, 0) >= enough
            for key, size in seen.items()
        )
        return new, bulk
