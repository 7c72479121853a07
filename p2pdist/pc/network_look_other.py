"""Network cards on systems other than Linux: their kind is guessed from the name alone."""

from bandwidth.core.units import MBIT, BytesPerSecond
from p2pdist.pc import system
from p2pdist.pc.network import Medium

_NAMES = {
    "wi-fi": Medium.WIFI,
    "wlan": Medium.WIFI,
    "wireless": Medium.WIFI,
    "lo": Medium.LOOPBACK,
    "tun": Medium.VPN,
    "utun": Medium.VPN,
    "ppp": Medium.VPN,
    "vpn": Medium.VPN,
    "cellular": Medium.METERED,
    "mobile": Medium.METERED,
}


def medium(interface: str) -> Medium:
    """Return the kind of network that the name of ``interface`` suggests."""
    name = interface.lower()
    return next((kind for prefix, kind in _NAMES.items() if name.startswith(prefix)), Medium.WIRED)


def speed(interface: str) -> BytesPerSecond | None:
    """Return the link rate, or None where the system does not tell."""
    megabits = system.link_megabits(interface)
    return None if megabits is None else BytesPerSecond(megabits * MBIT)


def hardware() -> tuple[str, ...]:
    """Return all cards: the system does not tell which are real. Raises `OSError`."""
    return tuple(system.addresses_by_card())


def counted_cards(interface: str | None) -> tuple[str, ...]:
    """Return the card in use."""
    return (interface,) if interface is not None else ()


def gateway(interface: str) -> str | None:
    """Return None: it is not looked up here, so no delay is measured."""
    del interface
    return None
