"""A small packet at regular intervals, echoed at once: it shows the queue that everybody meets."""

from typing import Any

from bandwidth.core.signals import PING_BYTES
from bandwidth.simulator.events import TimedCall
from bandwidth.simulator.packets import Flow, Packet
from bandwidth.simulator.path import NetworkPath


class Ping(Flow):
    """Eight bytes every ``every_seconds`` on an unpaced connection of its own, echoed at once."""

    __slots__ = ("_every_seconds", "_link", "_next", "_number", "_simulator", "newest")

    def __init__(self, path: NetworkPath, every_seconds: float) -> None:
        self._every_seconds = every_seconds
        self._simulator = path.simulator
        self._link = path.link
        self.key = path.next_key()
        self.ack_delay_seconds = path.rtt_seconds
        self._next = TimedCall(self.start)
        self._number = 0
        self.newest: float | None = None

    def start(self, _: Any = None) -> None:
        """Send a ping now, and then one in each interval."""
        self._link.send(self, self._number, PING_BYTES)
        self._number += 1
        self._simulator.add(self._simulator.now + self._every_seconds, self._next)

    def receive(self, packet: Packet) -> None:
        """See `Flow`."""
        self.newest = self._simulator.now - packet.sent_at

    def newest_round_trip(self) -> float | None:
        """Return the newest round trip since the last call, or None."""
        newest, self.newest = self.newest, None
        return newest
