"""What travels: packets, the flows that they belong to, and a row of them that waits."""

from abc import ABC, abstractmethod
from typing import Any

from bandwidth.simulator.events import Event


class Flow(ABC):
    """What a link needs to know of a sender."""

    __slots__ = ("ack_delay_seconds", "key")

    key: int
    """Of its queue under fair queueing."""
    ack_delay_seconds: float
    """From leaving the bottleneck until the acknowledgement is at the sender: the round trip without any queue."""

    @abstractmethod
    def receive(self, packet: "Packet") -> None:
        """Take the acknowledgement of a packet."""


class Packet(Event):
    """One packet, and later its acknowledgement: as an event it reaches its sender."""

    __slots__ = ("behind", "departed_at", "flow", "number", "sent_at", "size_bytes", "state")

    def __init__(self, flow: Flow, number: int, size_bytes: int, sent_at: float, state: Any) -> None:
        self.flow = flow
        self.number = number
        self.size_bytes = size_bytes
        self.sent_at = sent_at
        self.state = state
        """What the sender gave along, for itself."""
        self.departed_at = 0.0
        """When its last bit left the bottleneck."""
        self.behind: Packet | None = None
        """The next one in the `Row` that it is in."""

    def happen(self) -> None:
        """Arrive."""
        self.flow.receive(self)


class Row:
    """Packets one behind the other. Linked, because a packet is in one row at a time and this is the hottest place."""

    __slots__ = ("_last", "first")

    def __init__(self) -> None:
        self.first: Packet | None = None
        self._last: Packet | None = None

    def append(self, packet: Packet) -> None:
        """Put a packet at the end."""
        last = self._last
        if last is None:
            self.first = packet
        else:
            last.behind = packet
        self._last = packet

    def pop(self) -> Packet:
        """Take the first packet, of a row that is not empty."""
        packet = self.first
        assert packet is not None, "an empty row has no first packet"
        self.first = packet.behind
        if self.first is None:
            self._last = None
        packet.behind = None
        return packet
