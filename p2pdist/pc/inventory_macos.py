"""Facts of a macOS system: its version and its language. Its packages are not read."""

import contextlib
import platform
import plistlib
from pathlib import Path

from p2pdist.pc.inventory_linux import language_of
from p2pdist.shared.manifest.facts import FactValue, Packages
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, parse_version

MAX_PREFERENCES_BYTES = 1 << 20
PREFERENCES = "Library/Preferences/.GlobalPreferences.plist"


def facts(root: Path) -> dict[str, FactValue]:
    """Return the facts os.* that the system tells."""
    return version_facts(platform.mac_ver()[0]) | language_facts(_preferences(root / PREFERENCES))


def packages(root: Path, rpm_listing: str) -> Packages:
    """Return none."""
    del root, rpm_listing
    return Packages()


def packages_stamp(root: Path) -> object:
    """Return a constant: there is nothing to read."""
    del root
    return "none"


def rpm_query(root: Path) -> tuple[str, ...] | None:
    """Return None: there is no rpm."""
    del root
    return None


def version_facts(version: str) -> dict[str, FactValue]:
    """Return the facts in a version such as ``14.2.1``."""
    found: dict[str, FactValue] = {"os.family": "macos", "os.id": "macos", "os.build": 0}
    with contextlib.suppress(InvalidVersionError):  # it may be empty
        found["os.release"] = parse_version(version, Ecosystem.GENERIC)
    return found


def language_facts(preferences: bytes) -> dict[str, FactValue]:
    """Return the first language of the system's preferences, a property list."""
    try:
        wanted = plistlib.loads(preferences)["AppleLanguages"][0]
    except (plistlib.InvalidFileException, ValueError, LookupError, TypeError, AttributeError):
        return {}
    language = language_of(wanted) if isinstance(wanted, str) else ""
    return {"os.language": language} if language else {}


def _preferences(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_PREFERENCES_BYTES)
    except OSError:
        return b""
