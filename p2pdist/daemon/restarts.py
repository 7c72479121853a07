"""Restarts all parts within the running daemon: a new authority or listening address concerns every one."""

from collections.abc import Awaitable, Callable

import trio


class Restarts:
    """Runs the parts, and starts them anew when asked to."""

    def __init__(self) -> None:
        self.at_work = trio.Lock()
        """Held while something is installed, so that the parts are not ended meanwhile."""
        self._parts = trio.CancelScope()

    async def keep_running(self, run_parts: Callable[[], Awaitable[None]]) -> None:
        """Run the parts, again and again, until cancelled."""
        while True:
            self._parts = trio.CancelScope()
            with self._parts:
                await run_parts()

    async def start_anew(self) -> None:
        """End every part, as soon as nothing is being installed; then they start again."""
        async with self.at_work:
            self._parts.cancel()
