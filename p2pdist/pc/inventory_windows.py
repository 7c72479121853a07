"""Facts of a Windows system: its version, its language, and the registry's list of installed programs.

Modules that only Windows has are imported only there, so that the parsers run, and are tested, anywhere.
"""

import locale
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from p2pdist.shared.manifest.expression import PACKAGE_NAME
from p2pdist.shared.manifest.facts import MAX_PACKAGES, FactValue, Packages
from p2pdist.shared.manifest.versions import MAX_VERSION_CHARS, Ecosystem, InvalidVersionError, parse_version

UNINSTALL_KEY = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall"


def facts(root: Path) -> dict[str, FactValue]:
    """Return the facts os.*; ``root`` makes no difference."""
    del root
    return version_facts(platform.version()) | language_facts(_ui_language())


def packages(root: Path, rpm_listing: str) -> Packages:
    """Return the programs in the registry's 32-bit and 64-bit views; ``root`` makes no difference."""
    del root, rpm_listing
    found = programs(_uninstall_entries())
    return Packages({Ecosystem.WINDOWS: found}, complete=0 < len(found) < MAX_PACKAGES)


def packages_stamp(root: Path) -> object:
    """Return None: the registry is read each time, which takes milliseconds."""
    del root
    return None


def rpm_query(root: Path) -> tuple[str, ...] | None:
    """Return None: there is no rpm."""
    del root
    return None


def version_facts(version: str) -> dict[str, FactValue]:
    """Return the facts in a version such as ``10.0.19045``."""
    found: dict[str, FactValue] = {"os.family": "windows", "os.id": "windows"}
    if match := re.fullmatch(r"([0-9]{1,4}\.[0-9]{1,4})\.([0-9]{1,9})(\.[0-9]*)?", version):
        found["os.release"] = parse_version(match[1], Ecosystem.GENERIC)
        found["os.build"] = int(match[2])
    return found


def language_facts(identifier: int) -> dict[str, FactValue]:
    """Return the language of a Windows language identifier such as 0x411."""
    name = locale.windows_locale.get(identifier, "")
    return {"os.language": name.replace("_", "-").lower()} if name else {}


def programs(entries: Iterable[Mapping[str, object]], max_packages: int = MAX_PACKAGES) -> dict[str, str]:
    """Return name and version of each uninstall entry that has both.

    Of a program that is installed twice (32 and 64 bits), the lower version counts: it is the one to patch.
    """
    found: dict[str, str] = {}
    for entry in entries:
        name, version = entry.get("DisplayName"), entry.get("DisplayVersion")
        if not isinstance(name, str) or not isinstance(version, str):
            continue
        name, version = " ".join(name.split()), version.strip()
        if not PACKAGE_NAME.fullmatch(name) or not 0 < len(version) <= MAX_VERSION_CHARS:
            continue
        if len(found) >= max_packages and name not in found:
            break
        found[name] = _lower(found.get(name), version)
    return found


def _lower(one: str | None, other: str) -> str:
    if one is None:
        return other
    try:
        return min(one, other, key=lambda text: parse_version(text, Ecosystem.WINDOWS))
    except InvalidVersionError:
        return one


# --- the system -----------------------------------------------------------------------------------

if sys.platform == "win32":
    import ctypes
    import winreg

    def _ui_language() -> int:
        return int(ctypes.windll.kernel32.GetSystemDefaultUILanguage())

    def _uninstall_entries() -> Iterator[dict[str, object]]:
        for view in (winreg.KEY_WOW64_64KEY, winreg.KEY_WOW64_32KEY):
            try:
                with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, UNINSTALL_KEY, 0, winreg.KEY_READ | view) as key:
                    names = [winreg.EnumKey(key, n) for n in range(min(winreg.QueryInfoKey(key)[0], MAX_PACKAGES))]
                    for name in names:
                        yield _entry(key, name)
            except OSError:
                continue  # changed while being read, or absent

    def _entry(key: winreg.HKEYType, name: str) -> dict[str, object]:
        found: dict[str, object] = {}
        try:
            with winreg.OpenKey(key, name) as entry:
                for value in ("DisplayName", "DisplayVersion"):
                    found[value] = winreg.QueryValueEx(entry, value)[0]
        except OSError:
            return {}  # without a name or a version
        return found

else:

    def _ui_language() -> int:
        return 0

    def _uninstall_entries() -> Iterator[dict[str, object]]:
        return iter(())
