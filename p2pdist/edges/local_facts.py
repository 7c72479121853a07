"""What this PC knows of itself: addresses, power, network kind, uptime. psutil behind one module."""

import ipaddress
import platform
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from p2pdist.wire.messages import MAX_ADDRESSES


@dataclass(frozen=True)
class LocalFacts:
    """One look at this PC."""

    hostname: str
    addresses: tuple[str, ...]
    """Own addresses, the one that reaches the server first; at most `MAX_ADDRESSES`."""
    on_mains: bool
    wired: bool
    uptime_seconds: int


UNKNOWN = LocalFacts("unnamed", (), on_mains=True, wired=True, uptime_seconds=0)
"""Before the first look."""


def hostname() -> str:
    """Return this PC's name, for people."""
    return platform.node()[:255] or "unnamed"


def address_towards(host: str, port: int) -> str | None:
    """Return the own address that the routing table picks towards ``host``, or None without a route.

    Connecting a datagram socket sends nothing. Blocking when ``host`` is a name.
    """
    try:
        candidates = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except OSError:
        return None
    for family, kind, protocol, _, target in candidates:
        try:
            with socket.socket(family, kind, protocol) as probe:
                probe.connect(target)
                return str(probe.getsockname()[0])
        except OSError:
            continue
    return None


def look(host: str, port: int, fixed_address: str | None) -> LocalFacts:
    """Return the facts now, first among the addresses the fixed one, else the one that leads to ``host``.

    Blocking: milliseconds, or until a name is not resolved. Raises `OSError` when the system does not tell.
    """
    preferred_address = fixed_address or address_towards(host, port)
    addresses: list[str] = [preferred_address] if preferred_address else []
    interface_of: dict[str, str] = {}
    for interface, entries in psutil.net_if_addrs().items():
        for entry in entries:
            if entry.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            address = entry.address.partition("%")[0]
            interface_of[address] = interface
            parsed = ipaddress.ip_address(address)
            if not (parsed.is_loopback or parsed.is_link_local or address in addresses):
                addresses.append(address)
    battery = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    plugged: bool | None = getattr(battery, "power_plugged", None)  # None: no battery, or unknown
    used_interface = interface_of.get(addresses[0]) if addresses else None
    return LocalFacts(
        hostname=hostname(),
        addresses=tuple(addresses[:MAX_ADDRESSES]),
        on_mains=plugged is not False,
        wired=used_interface is None or not Path("/sys/class/net", used_interface, "wireless").exists(),
        uptime_seconds=max(0, int(time.time() - psutil.boot_time())),
    )
