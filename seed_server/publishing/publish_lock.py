"""The lock of who publishes, or takes content out. Blocking."""

from seed_server.settings.home import ServerHome
from seed_server.store.file_lock import FileLock

WAIT_SECONDS = 10.0  # for who takes content out that nobody needs: a moment, and with thousands of patches seconds


def publish_lock(home: ServerHome, *, wait_seconds: float = WAIT_SECONDS) -> FileLock:
    """One publication at a time, so that anything half-made is known to be a leftover."""
    return FileLock(
        home.publish_lock,
        timeout_seconds=wait_seconds,
        busy=f"Another 'seed-server publish' is at work in {home.root}. Wait for it to finish, then try again.",
    )
