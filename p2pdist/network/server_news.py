"""Signed news over the control connection, which stands already: two round trips less than a new one by HTTPS."""

from collections.abc import Awaitable, Callable

import trio

from p2pdist.shared.wire.messages import FromEndpoint, News, NewsWanted

NEWS_SECONDS = 15.0
"""Over a slow line that yields, the PCs of a site are answered one after the other; later the web port is asked."""


class ServerNews:
    """Asks the server what is new. One question at a time: the trust store asks under its lock."""

    def __init__(self, send: Callable[[FromEndpoint], Awaitable[None]], connected: Callable[[], bool]) -> None:
        self._send = send
        self._connected = connected
        self._answered = trio.Event()
        self._files = b""

    async def ask(self, root: int, snapshot: int) -> bytes | None:
        """Return what has changed since these versions, an encoded `TrustNews`; None: it cannot be had this way."""
        if not self._connected():
            return None
        self._answered, self._files = trio.Event(), b""
        await self._send(NewsWanted(root=root, snapshot=snapshot))
        with trio.move_on_after(NEWS_SECONDS):
            await self._answered.wait()
        return self._files or None

    def heard(self, news: News) -> None:
        """Take the server's answer; one that comes too late, or that nobody asked for, does no harm."""
        self._files = news.files
        self._answered.set()

    def disconnected(self) -> None:
        """End the wait: no answer comes any more."""
        self._answered.set()
