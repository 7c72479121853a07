"""Facts of a Linux system from its files: os-release, locale, dpkg's status. rpm's database is read by rpm itself."""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from p2pdist.shared.manifest.expression import PACKAGE_NAME
from p2pdist.shared.manifest.facts import MAX_PACKAGES, FactValue, Packages
from p2pdist.shared.manifest.versions import MAX_VERSION_CHARS, Ecosystem, InvalidVersionError, parse_version

_RPM_FORMAT = "%{NAME}\\t%|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE}\\t%{ARCH}\\n"
MAX_DPKG_STATUS_BYTES = 64 << 20  # MAX_PACKAGES of 2 kB each, with room
MAX_RPM_LISTING_CHARS = MAX_PACKAGES * 200
MAX_SMALL_FILE_BYTES = 64 << 10  # os-release and its like have under 1 kB

DPKG_STATUS = "var/lib/dpkg/status"
_RPM_DATABASES = tuple(
    f"{directory}/{name}"
    for directory in ("usr/lib/sysimage/rpm", "var/lib/rpm")
    for name in ("rpmdb.sqlite", "rpmdb.sqlite-wal", "Packages.db", "Packages")
)
_FAMILIES = {
    "debian": "debian", "ubuntu": "debian", "rhel": "rhel", "fedora": "rhel", "centos": "rhel",
    "suse": "suse", "opensuse": "suse", "sles": "suse",
}  # fmt: skip


# --- the system -----------------------------------------------------------------------------------


def facts(root: Path) -> dict[str, FactValue]:
    """Return the facts os.* that the files below ``root`` tell. Raises `OSError` for a faulty disk."""
    found: dict[str, FactValue] = {}
    os_release = _text(root / "etc/os-release") or _text(root / "usr/lib/os-release")
    if os_release:
        found |= os_facts(assignments(os_release))
    languages = [os.environ.get("LANG", "")] if root == Path("/") else []
    files = (_text(root / path) for path in ("etc/locale.conf", "etc/default/locale"))
    languages += [assignments(text).get("LANG", "") for text in files]
    language = next(filter(None, map(language_of, languages)), "")
    return found | ({"os.language": language} if language else {})


def assignments(text: str) -> dict[str, str]:
    """Return the NAME=value lines of a shell-like file, without quotes."""
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and re.fullmatch(r"[A-Z_]+", name):
            found[name] = value.strip().strip("\"'")
    return found


def os_facts(os_release: dict[str, str]) -> dict[str, FactValue]:
    """Return the facts in an os-release file's assignments."""
    os_id = os_release.get("ID", "").lower()
    if not os_id:
        return {}
    alike = [os_id, *os_release.get("ID_LIKE", "").lower().split()]
    known = (_FAMILIES.get(word) or _FAMILIES.get(word.partition("-")[0]) for word in alike)  # opensuse-leap
    found: dict[str, FactValue] = {"os.id": os_id, "os.family": next(filter(None, known), os_id), "os.build": 0}
    with contextlib.suppress(InvalidVersionError):  # a rolling release has none
        found["os.release"] = parse_version(os_release.get("VERSION_ID", ""), Ecosystem.GENERIC)
    return found


def language_of(locale: str) -> str:
    """Return ``ja-jp`` for ``ja_JP.UTF-8``, and ``""`` for C, POSIX and anything that is not a locale."""
    word = locale.partition(".")[0].partition("@")[0].replace("_", "-").lower()
    return word if re.fullmatch(r"[a-z]{2,3}(-[a-z0-9]{2,8}){0,2}", word) else ""


# --- packages -------------------------------------------------------------------------------------


def packages(root: Path, rpm_listing: str, max_status_bytes: int = MAX_DPKG_STATUS_BYTES) -> Packages:
    """Return what dpkg and rpm have installed below ``root``; a larger dpkg status is not read.

    They are complete if there is a database, and every one was read to its end.
    """
    found: dict[Ecosystem, dict[str, str]] = {}
    read = True
    try:
        status = root / DPKG_STATUS
        if read := status.stat().st_size <= max_status_bytes:
            with status.open(encoding="utf-8", errors="replace") as lines:
                found[Ecosystem.DEB] = dpkg_packages(lines)
    except (FileNotFoundError, NotADirectoryError):
        pass  # no dpkg here
    except OSError:
        read = False
    if rpm_listing:
        found[Ecosystem.RPM] = rpm_packages(rpm_listing)
    elif rpm_query(root) is not None:
        read = False
    whole = all(0 < len(packages) < MAX_PACKAGES for packages in found.values())
    return Packages(found, complete=bool(found) and read and whole)


def packages_stamp(root: Path) -> object:
    """Return the modification times and sizes of the package databases."""
    return tuple(_stamp(root / path) for path in (DPKG_STATUS, *_RPM_DATABASES))


def rpm_query(root: Path) -> tuple[str, ...] | None:
    """Return the command that prints what `rpm_packages` reads, or None where rpm has no database."""
    if not any((root / path).is_file() for path in _RPM_DATABASES):
        return None
    return ("rpm", "--root", str(root), "-qa", "--qf", _RPM_FORMAT)


def dpkg_packages(lines: Iterable[str], max_packages: int = MAX_PACKAGES) -> dict[str, str]:
    """Return name and version of every package that a dpkg status file calls installed, held ones too.

    Of a package that is installed for two architectures, the lower version counts: it is the one to patch.
    """
    found: dict[str, str] = {}
    for name, version in _stanzas(lines):
        if len(found) >= max_packages and name not in found:
            break
        if PACKAGE_NAME.fullmatch(name) and 0 < len(version) <= MAX_VERSION_CHARS:
            found[name] = _extreme(Ecosystem.DEB, found.get(name), version, lowest=True)
    return found


def _stanzas(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    fields: dict[str, str] = {}
    for line in lines:
        if line.isspace():
            if fields.get("Status", "").endswith(" ok installed"):
                yield fields.get("Package", ""), fields.get("Version", "")
            fields = {}
        elif line.startswith(("Package:", "Status:", "Version:")):
            field, _, value = line.partition(":")
            fields[field] = value.strip()
    if fields.get("Status", "").endswith(" ok installed"):
        yield fields.get("Package", ""), fields.get("Version", "")


def rpm_packages(listing: str, max_packages: int = MAX_PACKAGES) -> dict[str, str]:
    """Return name and version of every package in what `rpm_query` printed.

    Of several versions side by side (kernels) the highest counts, then of several architectures the lowest.
    """
    by_arch: dict[tuple[str, str], str] = {}
    for line in listing[:MAX_RPM_LISTING_CHARS].splitlines():
        name, _, rest = line.partition("\t")
        version, _, arch = rest.partition("\t")
        if name == "gpg-pubkey" or not PACKAGE_NAME.fullmatch(name) or not 0 < len(version) <= MAX_VERSION_CHARS:
            continue
        if len(by_arch) >= max_packages and (name, arch) not in by_arch:
            break
        by_arch[name, arch] = _extreme(Ecosystem.RPM, by_arch.get((name, arch)), version, lowest=False)
    found: dict[str, str] = {}
    for (name, _), version in by_arch.items():
        found[name] = _extreme(Ecosystem.RPM, found.get(name), version, lowest=True)
    return found


def _extreme(ecosystem: Ecosystem, one: str | None, other: str, *, lowest: bool) -> str:
    if one is None or one == other:
        return other
    try:
        lower = parse_version(one, ecosystem) < parse_version(other, ecosystem)
    except InvalidVersionError:
        return one
    return one if lower is lowest else other


# --- files ----------------------------------------------------------------------------------------


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MAX_SMALL_FILE_BYTES).decode(errors="replace")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ""


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size) if found.st_size else None  # merely reading creates an empty -wal file
