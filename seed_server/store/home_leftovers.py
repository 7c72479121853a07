"""Temporary files that killed processes left anywhere in the home: found by their names, told by their age. Blocking.

Where a lock says that nobody writes, they go at once (`ContentStore.remove_temporary`, `Repository.remove_leftovers`);
elsewhere a file that nobody has written to for a day is no process's any more.
"""

import contextlib
from pathlib import Path

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared import durable_files
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.settings.home import ServerHome
from seed_server.store.content_store import ContentStore

LEFT_SECONDS = DAY_SECONDS  # the largest file, a month of history, is written in minutes


def leftovers_of(home: ServerHome) -> set[Path]:
    """Return all temporary files and folders, also those that are being written. Raises `UserError` (STORAGE)."""
    try:
        return {*durable_files.find_leftovers(home.root), *ContentStore(home.content).temporary()}
    except OSError as error:
        raise _unreadable(home, error) from error


def remove_old_leftovers(home: ServerHome, now: float) -> int:
    """Remove temporary files that are a day old, but for those of the content store; return how many there were.

    Raises `UserError` (STORAGE).
    """
    removed = 0
    try:
        for path in durable_files.find_leftovers(home.root):
            if path.is_relative_to(home.content):
                continue
            with contextlib.suppress(FileNotFoundError):  # its writer has given it its name
                if now - path.lstat().st_mtime >= LEFT_SECONDS:
                    path.unlink()
                    removed += 1
    except OSError as error:
        raise _unreadable(home, error) from error
    return removed


def _unreadable(home: ServerHome, error: OSError) -> UserError:
    return UserError(
        f"The home {home.root} cannot be looked through ({error.strerror}): run this as the server's user.",
        FaultKind.STORAGE,
    )
