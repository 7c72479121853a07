"""Who besides us could change a file or directory, and how it is made ours alone; chosen by platform here."""

import os
import shlex
import stat
import sys
from pathlib import Path

if sys.platform == "win32":
    from p2pdist.shared import ownership_windows
else:
    import pwd

SUPERUSER = 0
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_ALL = stat.S_IRWXG | stat.S_IRWXO


def distrust(path: Path, status: os.stat_result, *, sticky_is_enough: bool = False) -> str | None:
    """Return who could change what is at ``path`` besides this process's user and the superuser; None: nobody.

    The answer is for people, and says how to mend it. ``sticky_is_enough``: a directory like /tmp will do, because
    nobody takes away there what belongs to us. ``status`` is of ``path`` itself, a link not followed. Raises `OSError`.
    """
    if sys.platform == "win32":
        return ownership_windows.distrust(path, sticky_is_enough=sticky_is_enough)
    return distrust_posix(path, status, os.geteuid(), sticky_is_enough=sticky_is_enough)


def distrust_posix(path: Path, status: os.stat_result, user: int, *, sticky_is_enough: bool = False) -> str | None:
    """Return the answer of `distrust` for a process of the user with this number."""
    name = shlex.quote(str(path))
    if status.st_uid not in {SUPERUSER, user}:
        link = "-h " if stat.S_ISLNK(status.st_mode) else ""
        return (
            f"{path} belongs to {user_name(status.st_uid)}, who could change what is there; "
            f"look what it holds, then: chown {link}{user_name(user)} {name}"
        )
    if stat.S_ISLNK(status.st_mode) or not status.st_mode & _OTHERS_WRITE:
        return None
    if status.st_mode & stat.S_ISVTX:  # never advise to close /tmp
        return None if sticky_is_enough else f"everybody may put files into {path}; choose another place, such as /opt"
    writers = "everybody" if status.st_mode & stat.S_IWOTH else "its group"
    return f"{path} may be changed by {writers}; look what it holds, then: chmod go-w {name}"


def foreign(path: Path, status: os.stat_result) -> str | None:
    """Return that ``path`` is another user's than this process's, the superuser included; None: it is ours."""
    if sys.platform == "win32" or status.st_uid == os.geteuid():
        return None
    owner = user_name(status.st_uid)
    return (
        f"{path} belongs to {owner}; run this as {owner}, or: chown {user_name(os.geteuid())} {shlex.quote(str(path))}"
    )


def untrusted(path: Path) -> str | None:
    """Return who else could change what is at ``path``, or that it is not ours; None: nobody, or nothing is there.

    Raises `OSError`.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return distrust(path, status) or foreign(path, status)


def others_can_read(path: Path) -> bool:
    """Whether a file's mode lets others read it; where modes say nothing of that, or nothing is there, it does not.

    Raises `OSError`.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    return os.name != "nt" and bool(mode & _OTHERS_ALL)


def make_private(path: Path) -> None:
    """Close a directory that we have just made to all others, where its mode does not do that. Raises `OSError`."""
    if sys.platform == "win32":
        ownership_windows.make_private(path)


def user_name(user: int) -> str:
    """Return the name of a user, or the number where it has none."""
    if sys.platform != "win32":
        try:
            return pwd.getpwuid(user).pw_name
        except (KeyError, OSError):
            pass
    return str(user)
