"""Directories that are not one application's own. Pure.

Paths are compared without regard to case, as Windows and macOS do. Slashes and backslashes divide their parts.
"""

import re

# the system's own, with all that is in them
_SYSTEM = (
    "/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr",
    "/var/cache", "/var/db", "/var/lib/dpkg", "/var/lib/rpm", "/var/log", "/var/run", "/var/spool",
    "/library/keychains", "/library/launchagents", "/library/launchdaemons", "/private/etc", "/system",
    "c:/windows", "c:/$recycle.bin", "c:/system volume information",
)  # fmt: skip
# shared by many applications: each has a directory of its own below
_SHARED = (
    "/", "/applications", "/home", "/library", "/media", "/mnt", "/opt", "/private", "/private/var", "/root", "/srv",
    "/tmp", "/users", "/usr/local", "/var", "/var/lib", "/var/opt", "/var/tmp", "c:/users",  # noqa: S108 - names to compare with
    "c:/program files", "c:/program files (x86)", "c:/programdata",
)  # fmt: skip
_BELOW_SYSTEM = ("/usr/local",)  # of the administrator, though /usr is the system's
_OF_USERS = ("/home", "/srv", "/tmp", "/users", "/var/tmp", "c:/users", "c:/temp")  # noqa: S108 - likewise
_DRIVE = re.compile(r"[a-z]:")


def is_no_application_s(path: str) -> bool:
    """Return whether an absolute path is of the system, or shared, so that no archive is unpacked there."""
    plain = _plain(path)
    if plain in _SHARED or _DRIVE.fullmatch(plain):
        return True
    return _is_within(plain, _SYSTEM) and not _is_within(plain, _BELOW_SYSTEM)


def is_of_users(path: str) -> bool:
    """Return whether directories there usually belong to users, or may be made by them."""
    return _is_within(_plain(path), _OF_USERS)


def _plain(path: str) -> str:
    """Return the path in lower case, with one ``/`` between its parts and none at its end; all drives are ``c:``."""
    parts = [part for part in re.split(r"[/\\]", path.casefold()) if part not in {"", "."}]
    if parts and _DRIVE.fullmatch(parts[0]):
        return "/".join(("c:", *parts[1:]))
    return f"/{'/'.join(parts)}"


def _is_within(plain: str, places: tuple[str, ...]) -> bool:
    return any(plain == place or plain.startswith(f"{place}/") for place in places)
