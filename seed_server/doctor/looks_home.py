"""Looks at this machine: the home's files, its clock, its time zones. Changes nothing. Blocking: for a thread."""

import ctypes
import ctypes.util
import shutil
import sys
import zoneinfo
from collections.abc import Iterator
from pathlib import Path

from p2pdist.shared.errors import UserError
from p2pdist.shared.ownership import others_can_read, untrusted
from seed_server.doctor.facts import AuthorityFacts, ServerFiles
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.settings.home import ServerHome

MAX_KEYS_LOOKED_AT = 100  # a home has a dozen
_TIMEX_BYTES = 256  # struct timex has 208 on 64-bit Linux
_TIME_ERROR = 5  # of adjtimex: the clock is not synchronised


def look_at_files(home: ServerHome) -> ServerFiles:
    """Return who else may come to the home's files, and how much room there is."""
    free, unreadable, distrusted = None, "", []
    try:
        free = shutil.disk_usage(home.root).free
        distrusted = list(_distrusted(home))
    except OSError as error:
        unreadable = f"The home {home.root} cannot be looked at ({error.strerror}): run this as the server's user."
    return ServerFiles(tuple(distrusted), unreadable, free)


def _distrusted(home: ServerHome) -> Iterator[str]:
    for path in (home.root, home.settings, home.sites, home.database, home.keys, home.tuf_metadata, home.content):
        if found := untrusted(path):
            yield found
    for path in _private_files(home):
        if others_can_read(path):
            yield f"others can read {path}; chmod 600 {path}"


def _private_files(home: ServerHome) -> list[Path]:
    found = [home.database, home.people_key, home.webhooks_key]
    for directory in (home.online_keys, home.offline_keys, home.ca):
        if directory.is_dir():
            found += sorted(one for one in directory.iterdir() if one.name.endswith((".pem", ".key")))
    return [one for one in found if not one.name.endswith(".crt.pem")][:MAX_KEYS_LOOKED_AT]


def look_at_authority(home: ServerHome) -> tuple[AuthorityFacts, str]:
    """Return until when the authority is good, and its certificate, PEM; empty: it cannot be read."""
    try:
        authority = CertificateAuthority.open(home.ca)
    except UserError as error:
        return AuthorityFacts(error.message), ""
    return AuthorityFacts(expires_at=authority.expires_at()), authority.control_ca_pem


def is_synchronised() -> bool | None:
    """Whether the system says that something keeps its clock; None: it does not tell."""
    if sys.platform != "linux":
        return None
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def known_zones() -> int:
    """Return of how many time zones there are data."""
    return len(zoneinfo.available_timezones())


def is_known_zone(name: str) -> bool:
    """Whether there are data of a time zone."""
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return False
    return True
