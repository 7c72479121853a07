"""The kernel's table of neighbours on a link (`man 7 rtnetlink`, RTM_GETNEIGH): ARP, and IPv6's neighbour discovery.

No rights are needed.
"""

import ipaddress
import re
import socket
import struct
from pathlib import Path
from typing import NamedTuple

from p2pdist.pc.kernel_files import text_in
from p2pdist.pc.netlink_dump import attributes, dump
from p2pdist.pc.network_look_linux import CARDS, hardware

MAX_NETLINK_READS = 64  # 64 MiB of entries would be in them; the kernel's own bound is 1024 of each family
MAX_NEIGHBOUR_ENTRIES = 4_096

_NETLINK_ROUTE, _GET_NEIGHBOURS = 0, 30
_ENTRY = struct.Struct("=B3xiHBB")  # ndmsg
_DESTINATION, _CARD = 1, 2  # NDA_DST, NDA_LLADDR
_HAS_ANSWERED = 0x02 | 0x04 | 0x08 | 0x10  # NUD_REACHABLE, _STALE, _DELAY, _PROBE
_ROUTER = 0x80  # NTF_ROUTER
_CARD_TEXT = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}\Z")


class Entry(NamedTuple):
    """A machine on a link."""

    link: int
    """The number of this PC's card towards it."""
    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    card: bytes
    answered: bool
    router: bool


def neighbours_of(interface: str, gateway: str | None) -> dict[str, str]:
    """Return the machines that have answered on the link of ``interface``, by their cards, without routers.

    Of several addresses of a machine it is the one of IPv4, else the one that reaches furthest. Raises `OSError`.
    """
    link = socket.if_nametoindex(interface)
    found = [entry for entry in _entries() if entry.link == link and entry.answered and _is_a_machine(entry.card)]
    hop = (gateway or "").partition("%")[0]
    routers = {entry.card for entry in found if entry.router or str(entry.address) == hop}
    best: dict[str, ipaddress.IPv4Address | ipaddress.IPv6Address] = {}
    for entry in sorted(found, key=_reach):
        if entry.card not in routers:
            best.setdefault(entry.card.hex(":"), entry.address)
    return {card: str(address) for card, address in best.items()}


def _reach(entry: Entry) -> tuple[int, bool, bytes]:
    return entry.address.version, entry.address.is_link_local, entry.address.packed


def own_cards(interface: str, cards: Path = CARDS) -> tuple[str, ...]:
    """Return the hardware addresses of this PC's cards, and of the one in use."""
    names = dict.fromkeys([interface, *hardware(cards)])
    found = (text_in(cards / name / "address", 64).strip() for name in names)
    return tuple(dict.fromkeys(text for text in found if _CARD_TEXT.match(text) and _is_a_machine(_octets(text))))


def _octets(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _is_a_machine(card: bytes) -> bool:
    """Whether it is one card's address: not all zeros, and not a group's."""
    return len(card) == 6 and any(card) and not card[0] & 1


def _entries() -> list[Entry]:
    body = _ENTRY.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
    found = dump(
        _NETLINK_ROUTE, _GET_NEIGHBOURS, body, read_entry,
        what="neighbours", most=MAX_NEIGHBOUR_ENTRIES, reads=MAX_NETLINK_READS,
    )  # fmt: skip
    return found[:MAX_NEIGHBOUR_ENTRIES]


def read_entry(body: bytes) -> Entry | None:
    """Read what is said of one machine (ndmsg); None: nothing that has an address."""
    if len(body) < _ENTRY.size:
        return None
    _, link, state, flags, _ = _ENTRY.unpack_from(body)
    values = dict(attributes(body, _ENTRY.size))
    address, card = values.get(_DESTINATION, b""), values.get(_CARD, b"")
    if len(address) not in (4, 16):
        return None
    return Entry(link, ipaddress.ip_address(address), card, bool(state & _HAS_ANSWERED), bool(flags & _ROUTER))
