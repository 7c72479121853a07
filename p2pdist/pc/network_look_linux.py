"""Routes and network cards as Linux shows them below ``/proc`` and ``/sys``: plain files that anybody may read."""

import contextlib
import ipaddress
from pathlib import Path

from bandwidth.core.units import MBIT, BytesPerSecond
from p2pdist.pc.kernel_files import number_in, text_in
from p2pdist.pc.network import Medium

CARDS = Path("/sys/class/net")
ROUTES = Path("/proc/net")
MAX_ROUTE_BYTES = 1 << 20  # ten thousand routes; an office PC has tens
MAX_CARD_FILE_CHARS = 4_096  # a page: the kernel shows no more in one file
MOST_MEGABITS = 1_000_000  # 1 Tbit/s: a driver that reports more does not know the rate

_ETHERNET, _LOOPBACK = 1, 772
_DEVICE_TYPES = {"wlan": Medium.WIFI, "wwan": Medium.METERED, "wireguard": Medium.VPN, "ppp": Medium.VPN}
_ROUTE_UP, _ROUTE_GATEWAY = 1, 2


def medium(interface: str, cards: Path = CARDS) -> Medium:
    """Return what ``interface`` is."""
    card = cards / interface
    kind = number_in(card / "type", MAX_CARD_FILE_CHARS)
    if kind == _LOOPBACK:
        return Medium.LOOPBACK
    if (card / "wireless").exists():
        return Medium.WIFI
    for line in text_in(card / "uevent", MAX_CARD_FILE_CHARS).splitlines():
        name, _, value = line.partition("=")
        if name == "DEVTYPE" and value in _DEVICE_TYPES:
            return _DEVICE_TYPES[value]
    if (card / "tun_flags").exists() or (kind is not None and kind != _ETHERNET):
        return Medium.VPN  # point to point: a tunnel
    return Medium.UNKNOWN if kind is None else Medium.WIRED


def speed(interface: str, cards: Path = CARDS) -> BytesPerSecond | None:
    """Return the link rate, or None where the card does not tell."""
    megabits = number_in(cards / interface / "speed", MAX_CARD_FILE_CHARS)
    if megabits is None or not 0 < megabits <= MOST_MEGABITS:
        return None
    return BytesPerSecond(megabits * MBIT)


def hardware(cards: Path = CARDS) -> tuple[str, ...]:
    """Return the cards that are hardware."""
    try:
        return tuple(sorted(card.name for card in cards.iterdir() if (card / "device").exists()))
    except OSError:
        return ()


def counted_cards(interface: str | None, cards: Path = CARDS) -> tuple[str, ...]:
    """Return the cards whose bytes are the PC's own: real hardware, else the one in use (a container has no other)."""
    real = hardware(cards)
    if real and (interface is None or interface in real or medium(interface, cards) is Medium.VPN):
        return real
    return (interface,) if interface is not None else ()


def gateway(interface: str, routes: Path = ROUTES) -> str | None:
    """Return the next hop of ``interface``'s default route, IPv4 first."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        if found := gateway_in(_text_of(routes / "route"), interface):
            return found
    with contextlib.suppress(OSError, ValueError, IndexError):
        return gateway6_in(_text_of(routes / "ipv6_route"), interface)
    return None


def gateway_in(routes: str, interface: str) -> str | None:
    """Return the next hop of the default route with the least metric in the text of ``/proc/net/route``."""
    found: list[tuple[int, str]] = []
    for line in routes.splitlines()[1:]:
        name, destination, hop, flags, _, _, metric, mask, *_ = line.split()
        wanted = _ROUTE_UP | _ROUTE_GATEWAY
        if name == interface and int(destination, 16) == int(mask, 16) == 0 and int(flags, 16) & wanted == wanted:
            found.append((int(metric), str(ipaddress.IPv4Address(bytes.fromhex(hop)[::-1]))))
    return min(found)[1] if found else None


def gateway6_in(routes: str, interface: str) -> str | None:
    """Return the same for the text of ``/proc/net/ipv6_route``; a link-local address carries its interface."""
    found: list[tuple[int, str]] = []
    for line in routes.splitlines():
        destination, length, _, _, hop, metric, _, _, _, name = line.split()
        address = ipaddress.IPv6Address(bytes.fromhex(hop))
        if name == interface and int(destination, 16) == int(length, 16) == 0 and int(address):
            found.append((int(metric, 16), f"{address}%{interface}" if address.is_link_local else str(address)))
    return min(found)[1] if found else None


def _text_of(routes: Path) -> str:
    with routes.open() as file:
        return file.read(MAX_ROUTE_BYTES)
