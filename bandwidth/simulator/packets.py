"""What travels: packets, the flows that they belong to, a row of waiting packets, and the way back."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from bandwidth.simulator.events import Event, Simulator


class Flow(ABC):
    """What a link needs to know of a sender."""

    __slots__ = ("ack_delay_seconds", "key")

    key: int
    """Which queue it has under fair queueing."""
    answered: ClassVar[bool] = False
    """Whether a packet of its own answers each packet; else acknowledgements do, of which the last one tells all."""
    ack_delay_seconds: float
    """From leaving the bottleneck until the acknowledgement reaches the sender: the round trip without any queue."""

    @abstractmethod
    def receive(self, packet: "Packet") -> None:
        """Handle the acknowledgement of a packet."""


class Packet:
    """One packet, and later its acknowledgement."""

    __slots__ = (
        "arrives_at",
        "behind",
        "departed_at",
        "flow",
        "follower",
        "number",
        "order",
        "sent_at",
        "size_bytes",
        "state",
    )

    def __init__(self, flow: Flow, number: int, size_bytes: int, sent_at: float, state: Any) -> None:
        self.flow = flow
        self.number = number
        self.size_bytes = size_bytes
        self.sent_at = sent_at
        self.state = state
        """What the sender attached, for its own use."""
        self.departed_at = 0.0
        """When its last bit left the bottleneck."""
        self.behind: Packet | None = None
        """The next one in its `PacketRow`."""
        self.arrives_at = 0.0
        self.order = 0
        self.follower: Packet | None = None
        """The next one on its `WayBack`."""


class PacketRow:
    """A queue of packets. A linked list, because a packet is in one row at a time and this is the hottest code."""

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
        """Remove and return the first packet of a row that is not empty."""
        packet = self.first
        assert packet is not None, "an empty row has no first packet"
        self.first = packet.behind
        if self.first is None:
            self._last = None
        packet.behind = None
        return packet


class WayBack(Event):
    """The delay from a link back to the senders that are equally far from it.

    Packets arrive in the order in which they left, so only the first one is in
    the simulator's heap and the others wait behind it: the heap has a few entries
    instead of one for each packet in flight. The order of events is the same.
    """

    __slots__ = ("_delay_seconds", "_first", "_last", "_simulator")

    def __init__(self, simulator: Simulator, delay_seconds: float) -> None:
        self._simulator = simulator
        self._delay_seconds = delay_seconds
        self._first: Packet | None = None
        self._last: Packet | None = None

    def carry(self, packet: Packet) -> None:
        """Carry a packet whose departure is known: it is now or in the future."""
        packet.arrives_at = packet.departed_at + self._delay_seconds
        packet.order = self._simulator.next_order()
        last = self._last
        self._last = packet
        if last is None:
            self._first = packet
            self._simulator.put(packet.arrives_at, packet.order, self)
        else:
            assert last.arrives_at <= packet.arrives_at, "packets never overtake each other"
            last.follower = packet

    def happen(self) -> None:
        """Hand the first packet to its sender."""
        packet = self._first
        assert packet is not None, "a packet is due"
        following = self._first = packet.follower
        if following is None:
            self._last = None
        else:
            packet.follower = None
            self._simulator.put(following.arrives_at, following.order, self)
        packet.flow.receive(packet)
