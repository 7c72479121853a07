"""Limits of an installation: how long it waits for what it started, and how large files may be. Pure."""

from dataclasses import dataclass

from p2pdist.shared import archive_members

_INFINITE = -1
# soft and hard, as a system's services have them; a login shell's or the daemon's own are no installer's
RESOURCE_LIMITS = {
    "CORE": (0, _INFINITE),
    "CPU": (_INFINITE, _INFINITE),
    "DATA": (_INFINITE, _INFINITE),
    "AS": (_INFINITE, _INFINITE),
    "FSIZE": (_INFINITE, _INFINITE),
    "STACK": (8 << 20, _INFINITE),
    "NOFILE": (1_024, 524_288),
}


@dataclass(frozen=True)
class InstallLimits:
    """Times and sizes of what the installer does on a PC; a daemon uses the defaults."""

    # --- programs
    linger_seconds: float = 1.0
    """Wait for the last output when a service that was started keeps the pipe open."""
    killed_seconds: float = 10.0
    """Wait until a killed process is gone; it takes longer only while stuck in the kernel, on a broken disk."""
    group_end_seconds: float = 5.0
    """Wait until the processes that it started are gone as well."""
    outlived_poll_seconds: float = 0.5
    """Between two looks at a process that outlived the daemon."""
    lock_poll_seconds: float = 1.0
    """Between two tries while another program holds the lock of the package database."""
    health_poll_seconds: float = 1.0
    """Between two looks at whether a new installation is healthy."""

    # --- files
    file_check_seconds: float = 60.0
    """Time to hash one file of a check: some 5 GB on an old disk."""
    max_sealed_bytes: int = 64 << 20
    """Largest payload that is run from memory: scripts and most packages. There is one at a time."""

    # --- archives
    max_members: int = archive_members.MAX_MEMBERS
    """Files in an archive."""
    max_links: int = archive_members.MAX_SYMLINKS
    """Symbolic links in an archive."""
    max_unpacked_bytes: int = archive_members.MAX_UNPACKED_BYTES
    """Size of one version, unpacked."""
    free_margin_bytes: int = 64 << 20
    """Space that unpacking leaves free: a full disk stops more than this one application."""


DEFAULT_LIMITS = InstallLimits()
