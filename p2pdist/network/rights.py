"""Who the network part runs as, and how it gives up its rights. Blocking; POSIX, and Linux where it says so."""

import contextlib
import ctypes
import getpass
import os
import sys
from dataclasses import dataclass
from pathlib import Path

if os.name == "posix":
    import pwd
    import resource

OWN_USER = "p2pdist"
SHARED_USER = "nobody"
MAX_DESCRIPTORS_OF_PART = (
    2_048  # hundreds of connections, files and lookups; OpenSSL keeps 0.12 MB for each that knocks
)

_CAP_CHOWN, _CAP_SETGID, _CAP_SETUID = 0, 6, 7  # linux/capability.h
_PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 4, 38  # linux/prctl.h


@dataclass(frozen=True)
class PartUser:
    """The user of the network part."""

    name: str
    uid: int
    gid: int
    separate: bool
    """Whether it is another user than the daemon's."""
    note: str = ""
    """What should be better about it, in words; empty when nothing should."""


def choose_user() -> PartUser:
    """Return the user to run the network part as: `OWN_USER`, else `SHARED_USER`, else the daemon's own."""
    if os.name != "posix":
        return PartUser(getpass.getuser(), 0, 0, separate=False, note="this system is not supported yet")
    name = _name(os.geteuid())
    if os.geteuid() != 0:
        return PartUser(name, os.geteuid(), os.getegid(), separate=False, note="the daemon is not run by root")
    if not _may_change_users():
        return PartUser(name, 0, os.getegid(), separate=False, note="this system does not let root change users")
    for user in (OWN_USER, SHARED_USER):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(user)
            note = "" if user == OWN_USER else f"there is no user {OWN_USER}; other programs may run as {user} too"
            return PartUser(user, entry.pw_uid, entry.pw_gid, separate=True, note=note)
    return PartUser(name, 0, os.getegid(), separate=False, note=f"there is neither a user {OWN_USER} nor {SHARED_USER}")


def give_up(uid: int, gid: int) -> None:
    """Become the user ``uid``, for good: no way back, no setuid programs, no look into this process's memory.

    Raises `OSError` where the system refuses.
    """
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if sys.platform == "linux":  # the kernel does the same where fs.suid_dumpable is 0
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    with contextlib.suppress(OSError):
        os.setuid(0)
        raise RuntimeError("the rights of root came back")


def harden() -> None:
    """Limit what this process can do from now on, whoever it runs as."""
    if os.name != "posix":
        return
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_DESCRIPTORS_OF_PART if hard == resource.RLIM_INFINITY else min(MAX_DESCRIPTORS_OF_PART, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the private key is in memory
    if sys.platform == "linux":
        library = ctypes.CDLL(None, use_errno=True)
        library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _may_change_users() -> bool:
    """Whether root may change users and owners: a container may have taken that from it."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:  # no Linux: root may
        return True
    line = next((line for line in status.splitlines() if line.startswith("CapEff:")), "CapEff: 0")
    effective = int(line.split()[1], 16)
    return all(effective >> capability & 1 for capability in (_CAP_CHOWN, _CAP_SETGID, _CAP_SETUID))


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
