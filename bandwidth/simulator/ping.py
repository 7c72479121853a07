"""A small packet at regular intervals, echoed at once: it shows the queue that everybody meets."""

from collections import deque
from typing import Any, ClassVar

from bandwidth.core.signals import PING_BYTES
from bandwidth.simulator.events import TimedCall
from bandwidth.simulator.packets import Flow, Packet
from bandwidth.simulator.path import NetworkPath

REORDERING_SHARE = 0.25  # of the least round trip: RFC 8985 section 7.2 waits so long before it sends a gap again


class Ping(Flow):
    """Eight bytes every ``every_seconds`` on an unpaced TCP connection of its own, echoed at once.

    TCP hands over in order: behind a lost ping the later ones wait until it has
    been sent again, and then arrive at once. So a loss is some missing echoes and a late one.
    """

    __slots__ = (
        "_echoed",
        "_every_seconds",
        "_in_flight",
        "_link",
        "_next",
        "_number",
        "_packets",
        "_sent_at",
        "_simulator",
        "_unechoed",
        "newest",
    )

    answered: ClassVar[bool] = True

    def __init__(self, path: NetworkPath, every_seconds: float) -> None:
        self._every_seconds = every_seconds
        self._simulator = path.simulator
        self._link = path.link
        self.key = path.next_key()
        self.ack_delay_seconds = path.rtt_seconds
        self._next = TimedCall(self.start)
        self._number = 0
        self._packets = 0
        self._sent_at: dict[int, float] = {}
        self._in_flight: deque[tuple[int, int]] = deque()  # (packet, ping), in the order of sending
        self._echoed: set[int] = set()  # that wait for an earlier one
        self._unechoed = 0  # the first one
        self.newest: float | None = None

    def start(self, _: Any = None) -> None:
        """Send a ping now, and then one in each interval."""
        self._sent_at[self._number] = self._simulator.now
        self._transmit(self._number)
        self._number += 1
        self._simulator.add(self._simulator.now + self._every_seconds, self._next)

    def _transmit(self, number: int) -> None:
        self._in_flight.append((self._packets, number))
        self._link.send(self, self._packets, PING_BYTES)
        self._packets += 1

    def receive(self, packet: Packet) -> None:
        """See `Flow`."""
        now = self._simulator.now
        while True:
            sent, number = self._in_flight.popleft()
            if sent == packet.number:
                break
            self._simulator.after(REORDERING_SHARE * self.ack_delay_seconds, self._transmit, number)
        self._echoed.add(number)
        while self._unechoed in self._echoed:
            self._echoed.remove(self._unechoed)
            self.newest = now - self._sent_at.pop(self._unechoed)
            self._unechoed += 1

    def newest_round_trip(self) -> float | None:
        """Return the newest round trip since the last call, or None."""
        newest, self.newest = self.newest, None
        return newest
