"""The lock of the one process that serves a home, and whether there is one. Blocking."""

import contextlib
from collections.abc import Iterator

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.settings.home import ServerHome
from seed_server.store.file_lock import FileLock


def serve_lock(home: ServerHome, *, timeout_seconds: float) -> FileLock:
    """Return the lock that `serve` holds while it runs."""
    return FileLock(
        home.serve_lock,
        timeout_seconds=timeout_seconds,
        busy=f"A seed server is already running on {home.root}. Stop it first, or use another --home.",
    )


@contextlib.contextmanager
def not_serving(home: ServerHome, busy: str) -> Iterator[None]:
    """Have no server run on ``home`` within the block. Raises `UserError`: BUSY with the text ``busy``, STORAGE."""
    with FileLock(home.serve_lock, timeout_seconds=0.0, busy=busy).held():
        yield


def is_serving(home: ServerHome) -> bool:
    """Whether a server runs on ``home`` now."""
    try:
        with serve_lock(home, timeout_seconds=0.0).held():
            return False
    except UserError as error:
        return error.kind is FaultKind.BUSY
