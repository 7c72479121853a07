"""What a PC tells its server of the machines beside it: hardware addresses, and nothing that they say. Pure."""

from typing import Annotated

import msgspec

from p2pdist.shared.wire.codec import Extensible, Message

MAX_NEIGHBOURS_SEEN = 256  # as many as a /24 has: in a larger network each PC sees a part
MAX_OWN_CARDS = 16

HardwareAddress = Annotated[str, msgspec.Meta(pattern=r"^([0-9a-f]{2}:){5}[0-9a-f]{2}\Z", max_length=17)]
"""Of an Ethernet or Wi-Fi card."""
NeighbourAddress = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f:.]{2,45}\Z", max_length=45)]


class NeighbourSeen(Extensible, frozen=True):
    """A machine that has answered in this PC's network: to ARP, or to IPv6's neighbour discovery."""

    card: HardwareAddress
    address: NeighbourAddress


class NeighboursSeen(Message, frozen=True, tag="neighbours_seen"):
    """The machines beside this PC, and its own cards, so that others' are told from those of enrolled PCs.

    Feature ``neighbours``: minutes after the first welcome that names it, and hourly. From a wired or wireless network
    alone, and never from a VPN or a metered one.
    """

    own: Annotated[tuple[HardwareAddress, ...], msgspec.Meta(max_length=MAX_OWN_CARDS)]
    seen: Annotated[tuple[NeighbourSeen, ...], msgspec.Meta(max_length=MAX_NEIGHBOURS_SEEN)]
    """Without routers, as far as they are known."""
