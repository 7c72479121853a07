"""Read this PC's addresses, power, network cards, processor time and boot; give way. The only psutil import."""

import contextlib
import ipaddress
import platform
import socket
import sys
from pathlib import Path

import psutil

from p2pdist.pc.network import Battery
from p2pdist.shared import priority

BOOT_ROUNDING_SECONDS = 60  # the system computes its boot time anew at each call, with small differences


def hostname() -> str:
    """Return this PC's name, for people."""
    return platform.node()[:255] or "unnamed"


def boot_time() -> float:
    """Return when this PC was started, in seconds since 1970."""
    return float(psutil.boot_time())


def addresses_by_card() -> dict[str, list[str]]:
    """Return all own addresses, without zones, by the card that has them. Raises `OSError`."""
    families = (socket.AF_INET, socket.AF_INET6)
    return {
        card: [entry.address.partition("%")[0] for entry in entries if entry.family in families]
        for card, entries in psutil.net_if_addrs().items()
    }


def battery() -> Battery | None:
    """Return the battery's state, or None for a PC without one; right on macOS, `pc.power` reads it elsewhere."""
    found = psutil.sensors_battery() if hasattr(psutil, "sensors_battery") else None
    return None if found is None else Battery(min(100.0, max(0.0, float(found.percent))), found.power_plugged)


def memory_bytes() -> int:
    """Return how much memory this PC has."""
    return int(psutil.virtual_memory().total)


def interface_of(address: str) -> str | None:
    """Return the interface that has ``address``, or any address of its loopback network. Raises `OSError`."""
    if ipaddress.ip_address(address).is_loopback:
        address = "::1" if ":" in address else "127.0.0.1"  # the rest of 127.0.0.0/8 works but is not listed
    return next((card for card, addresses in addresses_by_card().items() if address in addresses), None)


def own_networks() -> list[tuple[str, int]]:
    """Return each own address with its prefix length. Raises `OSError`."""
    found = []
    for entries in psutil.net_if_addrs().values():
        for entry in entries:
            if entry.family in (socket.AF_INET, socket.AF_INET6):
                whole = 32 if entry.family == socket.AF_INET else 128
                mask = ipaddress.ip_address(entry.netmask) if entry.netmask else None
                length = whole if mask is None else int(mask).bit_count()
                found.append((entry.address.partition("%")[0], length))
    return found


def link_megabits(interface: str) -> int | None:
    """Return the card's link rate in Mbit/s, or None where the system does not tell."""
    found = psutil.net_if_stats().get(interface)
    return found.speed or None if found else None


def boot_id() -> str:
    """Return an id of this boot of the system: it changes at each restart, and not when the clock is set."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(round(psutil.boot_time() / BOOT_ROUNDING_SECONDS))


def card_counters() -> dict[str, tuple[int, int]]:
    """Return the bytes that each card has received and sent since it came up."""
    # nowrap=False: psutil's own correction of wraps would hide that a card has been reset
    return {name: (c.bytes_recv, c.bytes_sent) for name, c in psutil.net_io_counters(pernic=True, nowrap=False).items()}


_NOT_BUSY = frozenset({"idle", "iowait", "nice"})


def processor_seconds() -> tuple[float, float]:
    """Return all processors' (busy, total) seconds so far.

    Waiting for a disk does not count as busy, nor what runs nice, as we do: it gives way by itself.
    """
    times = psutil.cpu_times()
    parts = {name: float(getattr(times, name)) for name in times._fields[:8]}  # user time contains the guests' time
    # a sum, and no difference: rounded, that may go back
    busy = sum(seconds for name, seconds in parts.items() if name not in _NOT_BUSY)
    return busy, sum(parts.values())


def give_way() -> None:
    """Let this process, and what it starts from now on, use processors and disks after all others.

    It costs nothing while these are idle, and something is always left: no scheduler starves a nice process, nor the
    disk's idle class. Where the system refuses, nothing changes.
    """
    process = psutil.Process()
    if sys.platform == "win32":
        _prioritise(process, psutil.BELOW_NORMAL_PRIORITY_CLASS, psutil.IOPRIO_VERYLOW)
        return
    priority.give_way()
    _prioritise(process, None, psutil.IOPRIO_CLASS_IDLE if sys.platform == "linux" else None)


def give_way_no_more(pid: int) -> None:
    """Let a process that this one has just started run as if it had never given way: an installer has its deadline."""
    with contextlib.suppress(psutil.Error):  # it has ended, or this process may not
        process = psutil.Process(pid)
        if sys.platform == "win32":
            _prioritise(process, psutil.NORMAL_PRIORITY_CLASS, psutil.IOPRIO_NORMAL)
        else:
            _prioritise(process, 0, psutil.IOPRIO_CLASS_NONE if sys.platform == "linux" else None)


def _prioritise(process: psutil.Process, processor: int | None, disk: int | None) -> None:
    if processor is not None:
        with contextlib.suppress(psutil.Error, OSError):
            process.nice(processor)
    if disk is not None:
        with contextlib.suppress(psutil.Error, OSError):
            process.ionice(disk)
