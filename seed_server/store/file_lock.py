"""Locks between the processes that share a server's home. Blocking; the operating system frees a dead holder's lock."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import filelock

from p2pdist.shared.errors import FaultKind, UserError

LOCK_FILE_MODE = 0o600


class FileLock:
    """One lock file; re-entrant within a thread, exclusive between threads and between processes."""

    def __init__(self, path: Path, *, timeout_seconds: float, busy: str) -> None:
        self._path = path
        self._busy = busy
        # nobody else may open it: whoever can, can also hold it
        self._lock = filelock.FileLock(path, timeout=timeout_seconds, mode=LOCK_FILE_MODE)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock. Raises `UserError`: BUSY with the text ``busy`` after the time-out, STORAGE."""
        try:
            with contextlib.suppress(FileNotFoundError, PermissionError):
                self._path.chmod(LOCK_FILE_MODE)  # one that an earlier version made
            self._lock.acquire()
        except filelock.Timeout:
            raise UserError(self._busy, FaultKind.BUSY) from None
        except OSError as error:
            raise UserError(
                f"Cannot lock {self._path}: {error.strerror}. Run this as the user who owns it.", FaultKind.STORAGE
            ) from error
        try:
            yield
        finally:
            self._lock.release()
