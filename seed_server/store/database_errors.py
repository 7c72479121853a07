"""SQLite's result codes as errors that a person can act on. Blocking: it may look at the disk's free space."""

import shutil
from pathlib import Path

from p2pdist.shared.errors import FaultKind, UserError

# https://www.sqlite.org/rescode.html, primary codes
SQLITE_BUSY = 5
SQLITE_LOCKED = 6
SQLITE_IO_ERROR = 10
SQLITE_CORRUPT = 11
SQLITE_FULL = 13
SQLITE_CANNOT_OPEN = 14
SQLITE_NOT_A_DATABASE = 26
PRIMARY_CODE_MASK = 0xFF

FULL_DISK_BYTES = 256 << 10  # with less, the index of SQLite's log (32 KiB) and a transaction in it may not fit


def worded_error(path: Path, code: int, outside: str, *, waited_seconds: float) -> UserError | None:
    """Return the error for SQLite's result ``code`` at the database ``path``; None for a fault of our own.

    ``outside`` is SQLite's own text where the fault is not ours, else empty.
    """
    primary = code & PRIMARY_CODE_MASK
    if primary in {SQLITE_BUSY, SQLITE_LOCKED}:
        return UserError(
            f"Another process has held the database {path} for {waited_seconds:.0f} s. "
            "Find it (another seed-server command, a backup, a database tool), end it, and try again.",
            FaultKind.BUSY,
        )
    # where the log or its index cannot grow, SQLite calls that an I/O error, or a file that cannot be opened
    hidden = primary in {SQLITE_IO_ERROR, SQLITE_CANNOT_OPEN} and _is_full(path)
    if primary == SQLITE_FULL or hidden:
        return UserError(f"The disk that holds {path} is full. Free some space and try again.", FaultKind.STORAGE)
    if primary in {SQLITE_CORRUPT, SQLITE_NOT_A_DATABASE}:
        return UserError(f"The database {path} is damaged. Restore it from a backup.", FaultKind.STORAGE)
    if outside:
        return UserError(
            f"Cannot read or write the database {path} ({outside}). Check its permissions and the disk.",
            FaultKind.STORAGE,
        )
    return None


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < FULL_DISK_BYTES
    except OSError:
        return False
