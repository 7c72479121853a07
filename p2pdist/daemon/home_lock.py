"""The lock that keeps a second daemon out of a home directory."""

import contextlib
from collections.abc import Iterator

import filelock

from p2pdist.settings import EndpointHome
from p2pdist.shared.errors import FaultKind, UserError


@contextlib.contextmanager
def hold_lock(home: EndpointHome) -> Iterator[None]:
    """Make sure that this is the home's only daemon. Raises `UserError` (`BUSY`, `STORAGE`)."""
    lock = filelock.FileLock(home.lock, mode=0o600, blocking=False)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise UserError(
            f"A daemon is already running in {home.root}. Stop it first, or use another --home.", FaultKind.BUSY
        ) from None
    except OSError as error:
        raise UserError(
            f"{home.lock} cannot be made: {error.strerror}. Check the home's disk and permissions.", FaultKind.STORAGE
        ) from error
    try:
        yield
    finally:
        lock.release()
