"""The kernel's table of neighbours on a link (`man 7 rtnetlink`, RTM_GETNEIGH): ARP, and IPv6's neighbour discovery.

No rights are needed. A reader of our own, as for connections (ADR 0010).
"""

import errno
import ipaddress
import re
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from p2pdist.pc.kernel_files import text_in
from p2pdist.pc.network_look_linux import CARDS, hardware

ANSWER_SECONDS = 1.0
NETLINK_READ_BYTES = 64 << 10
MAX_NETLINK_READS = 64  # 64 MiB of entries would be in them; the kernel's own bound is 1024 of each family
MAX_NEIGHBOUR_ENTRIES = 4_096

_NETLINK_ROUTE, _GET_NEIGHBOURS, _REQUEST_AND_DUMP = 0, 30, 0x301
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_ENTRY = struct.Struct("=B3xiHBB")  # ndmsg
_ATTRIBUTE = struct.Struct("=HH")
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
    for entry in sorted(
        found, key=lambda entry: (entry.address.version, entry.address.is_link_local, entry.address.packed)
    ):
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
    found: list[Entry] = []
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_ROUTE) as asked:
        asked.settimeout(ANSWER_SECONDS)
        body = _ENTRY.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        header = _HEADER.pack(_HEADER.size + len(body), _GET_NEIGHBOURS, _REQUEST_AND_DUMP, 1, 0)
        asked.sendto(header + body, (0, 0))
        for _ in range(MAX_NETLINK_READS):
            if take(asked.recv(NETLINK_READ_BYTES), found) or len(found) >= MAX_NEIGHBOUR_ENTRIES:
                break
    return found[:MAX_NEIGHBOUR_ENTRIES]


def take(data: bytes, found: list[Entry]) -> bool:
    """Add the entries in one read to ``found``. Return whether it was the last. Raises the kernel's `OSError`."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if kind == _DONE:
            return True
        if kind == _ERROR or not _HEADER.size <= length <= len(data) - at:
            raise OSError(errno.EPROTO, "the kernel does not list neighbours")
        if (entry := _entry(data[at + _HEADER.size : at + length])) is not None:
            found.append(entry)
        at += -(-length // 4) * 4
    return at == 0  # nothing readable at all: not what the kernel sends


def _entry(body: bytes) -> Entry | None:
    if len(body) < _ENTRY.size:
        return None
    _, link, state, flags, _ = _ENTRY.unpack_from(body)
    values = dict(_attributes(body))
    address, card = values.get(_DESTINATION, b""), values.get(_CARD, b"")
    if len(address) not in (4, 16):
        return None
    return Entry(link, ipaddress.ip_address(address), card, bool(state & _HAS_ANSWERED), bool(flags & _ROUTER))


def _attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = _ENTRY.size
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if not _ATTRIBUTE.size <= length <= len(body) - at:
            return
        yield kind, body[at + _ATTRIBUTE.size : at + length]
        at += -(-length // 4) * 4
