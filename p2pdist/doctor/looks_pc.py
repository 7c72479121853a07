"""Looks at this PC: identity, files, disks, ports, environment. Changes nothing. Blocking: for a thread."""

import contextlib
import errno
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

from p2pdist.doctor.facts import EnrolmentFacts, HomeFacts, LocalPortFacts, PlaceFacts, SurroundingFacts
from p2pdist.doctor.mounts import Mount, mount_of, mounts_in
from p2pdist.identity.store import Identity
from p2pdist.install.local_time import LOCALTIME, named_zone
from p2pdist.settings import EndpointHome
from p2pdist.shared.certificates import parse_certificate
from p2pdist.shared.ownership import others_can_read, untrusted

MDNS_PORT = 5_353
MOUNTS = Path("/proc/self/mountinfo")
MAX_MOUNTS_BYTES = 1 << 20  # a machine with thousands of containers
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy")


def look_at_identity(identity: Identity) -> EnrolmentFacts:
    """Return when the identity's certificates are valid, and whether its authorities have signed them."""
    return EnrolmentFacts(
        not_before=identity.not_before,
        not_after=identity.not_after,
        of_own_authority=_issued(identity.control_certificate, identity.control_ca)
        and _issued(identity.swarm_certificate, identity.swarm_ca),
    )


def _issued(leaf: str, authority: str) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        parse_certificate(leaf.encode()).verify_directly_issued_by(parse_certificate(authority.encode()))
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def look_at_home(home: EndpointHome, mounts: Path = MOUNTS) -> HomeFacts:
    """Return who else may come to the home's files, and what its directories lie on."""
    try:
        with mounts.open() as file:
            table = mounts_in(file.read(MAX_MOUNTS_BYTES))
    except (OSError, ValueError):
        table = []
    places, unreadable, distrusted = [], "", []
    try:
        distrusted = list(_distrusted(home))
    except OSError as error:
        unreadable = f"The home {home.root} cannot be looked at ({error.strerror}): run this as the daemon's user."
    for directory in (home.root, home.cache, home.patches, home.kept, home.scratch, home.records.parent):
        with contextlib.suppress(OSError):
            if directory.is_dir():
                places.append(_place(directory, table))
    return HomeFacts(distrust=tuple(distrusted), unreadable=unreadable, places=tuple(places))


def _place(directory: Path, table: list[Mount]) -> PlaceFacts:
    mount = mount_of(PurePosixPath(directory.resolve()), table)
    options: frozenset[str] = frozenset() if mount is None else mount.options
    return PlaceFacts(
        path=str(directory),
        kind="" if mount is None else mount.kind,
        no_programs="noexec" in options,
        read_only="ro" in options,
        folds_case=sys.platform == "linux" and _folds_case(directory),
        free_bytes=shutil.disk_usage(directory).free,
    )


def _folds_case(directory: Path) -> bool:
    """Whether what is in ``directory`` is found by its name in other letters, too."""
    for entry in directory.iterdir():
        other = entry.with_name(entry.name.swapcase())
        if other.name != entry.name:
            with contextlib.suppress(OSError):
                return other.samefile(entry)
            return False
    return False


def _distrusted(home: EndpointHome) -> Iterator[str]:
    for path in (home.root, home.enrolment.parent, home.enrolment, home.enrolment.with_name("key.pem")):
        if found := untrusted(path):
            yield found
        elif path.suffix == ".pem" and others_can_read(path):
            yield f"others can read the private key {path}; chmod 600 {path}"


def try_lan_port(port: int) -> LocalPortFacts:
    """Return whether a program listens on a TCP port of this PC. Nobody can connect to what is tried."""
    if port == 0:
        return LocalPortFacts(0)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        # past what is left of ended connections; a listener keeps it all the same
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return _bound(tried, port)


def try_mdns_port(port: int = MDNS_PORT) -> LocalPortFacts:
    """Return whether the UDP port of mDNS is held by a program that does not share it, as all should."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if hasattr(socket, "SO_REUSEPORT") and sys.platform != "linux":
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return _bound(tried, port)


def _bound(tried: socket.socket, port: int) -> LocalPortFacts:
    try:
        tried.bind(("", port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return LocalPortFacts(port, taken=True)
        return LocalPortFacts(port, problem=error.strerror or str(error))
    return LocalPortFacts(port, taken=False)


def look_around(environment: Mapping[str, str], localtime: Path = LOCALTIME) -> SurroundingFacts:
    """Return what the environment says of proxies, and whether there are data of the time zone that it names."""
    proxies = [name for name in environment if name.lower() in PROXY_VARIABLES and environment[name]]
    name = named_zone(environment, localtime)
    known = True
    if name:
        try:
            ZoneInfo(name)
        except (ValueError, OSError, KeyError):
            known = False
    return SurroundingFacts(proxies=tuple(sorted(proxies)), zone_name=name, zone_known=known)
