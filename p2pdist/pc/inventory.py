"""Gather this PC's facts for `manifest.applicability`: system, memory, disk, power, packages. Everything here blocks.

A fact that cannot be found out is left out, and raises nothing. What differs by system is in `inventory_linux`,
`inventory_macos` and `inventory_windows`, chosen here and nowhere else.
"""

import contextlib
import platform
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from p2pdist.pc import power
from p2pdist.pc import system as this_pc
from p2pdist.shared.manifest.facts import Facts, FactValue, Packages
from p2pdist.shared.manifest.versions import Version
from p2pdist.shared.wire.enrolment import MAX_TAGS

if sys.platform == "win32":
    from p2pdist.pc import inventory_windows as system
elif sys.platform == "darwin":
    from p2pdist.pc import inventory_macos as system
else:
    from p2pdist.pc import inventory_linux as system

MAX_FACT_CHARS = 255  # a host name's longest
MEGABYTE = 10**6

_ARCHES = {
    "x86_64": "amd64", "amd64": "amd64", "x64": "amd64", "aarch64": "arm64", "arm64": "arm64",
    "i386": "x86", "i486": "x86", "i586": "x86", "i686": "x86", "x86": "x86",
}  # fmt: skip


def gather(
    home: Path,
    install_root: Path,
    *,
    network: str,
    site: str,
    tags: tuple[str, ...],
    rpm_listing: str = "",
    packages: Mapping[str, Version] | None = None,
) -> Facts:
    """Return the present facts. ``home`` is where patches are kept, ``install_root`` where they are installed.

    ``rpm_listing`` is the output of `rpm_query`. ``packages`` are those of an earlier call, to be passed while
    `packages_stamp` is the same; without them, they are read now.
    """
    values: dict[str, FactValue] = {}
    looks: tuple[Callable[[], Mapping[str, FactValue]], ...] = (
        # this PC's own facts first: an install root may be a bare directory without an os-release
        lambda: system.facts(Path("/")),
        lambda: system.facts(install_root),
        lambda: {"arch": normalised_arch(platform.machine())},
        lambda: {"hostname": this_pc.hostname().partition(".")[0].lower()},
        lambda: {"disk.free_mb": shutil.disk_usage(home).free // MEGABYTE},
        lambda: {"ram_mb": this_pc.memory_bytes() // MEGABYTE},
        _power,
    )
    for look in looks:
        with contextlib.suppress(OSError, ValueError, RuntimeError):
            values |= look()
    values = {name: value for name, value in values.items() if not isinstance(value, str) or _sound(value)}
    values |= {"network": network, "site": site, "tags": tags[:MAX_TAGS]}
    return Facts(values, read_packages(install_root, rpm_listing) if packages is None else packages)


def read_packages(install_root: Path, rpm_listing: str = "") -> Packages:
    """Return the packages installed below ``install_root``, as far as the system tells."""
    return system.packages(install_root, rpm_listing)


def packages_stamp(install_root: Path) -> object:
    """Return a value that differs after packages have changed, or None where the system cannot tell."""
    return system.packages_stamp(install_root)


def rpm_query(install_root: Path) -> tuple[str, ...] | None:
    """Return the command that lists rpm's packages, or None where rpm is not used. The command takes a second."""
    return system.rpm_query(install_root)


def normalised_arch(machine: str) -> str:
    """Return amd64, arm64, x86, or the system's own word in lower case."""
    return _ARCHES.get(machine.lower(), machine.lower())


def _power() -> dict[str, FactValue]:
    battery = power.battery()
    if battery is None:
        return {"on_mains": True, "battery_percent": 100}
    return {"on_mains": not battery.supplies, "battery_percent": int(battery.percent)}


def _sound(text: str) -> bool:
    return 0 < len(text) <= MAX_FACT_CHARS and text.isprintable()
