"""Signed news over the control connection, which stands already: two round trips less than a new one by HTTPS."""

from collections.abc import Awaitable, Callable

import trio

from p2pdist.shared.wire.messages import FromEndpoint, News, NewsWanted

CONNECTING_SECONDS = 5.0
"""A PC that has just started connects meanwhile: so the PCs of a site that start together need the web port less."""
NEWS_SECONDS = 15.0
"""Over a slow line that yields, the PCs of a site are answered one after the other; later the web port is asked."""


class ServerNews:
    """Asks the server what is new. One question at a time: the trust store asks under its lock."""

    def __init__(self, send: Callable[[FromEndpoint], Awaitable[None]], connected: Callable[[], bool]) -> None:
        self._send = send
        self._connected = connected
        self._opened = trio.Event()
        self._answered = trio.Event()
        self._news: News | None = None
        self._unasked: News | None = None

    async def ask(self, root: int, snapshot: int, *, everything: bool = False) -> News | None:
        """Return what the server says has changed since these versions; None: it does not answer."""
        if (told := self._unasked) is not None and not everything:
            self._unasked = None
            if (told.root, told.snapshot) == (root, snapshot):
                return told
        if not self._connected():
            with trio.move_on_after(CONNECTING_SECONDS):
                await self._opened.wait()
        if not self._connected():
            return None
        self._answered, self._news = trio.Event(), None
        await self._send(NewsWanted(root=root, snapshot=snapshot, everything=everything))
        with trio.move_on_after(NEWS_SECONDS):
            await self._answered.wait()
        return self._news

    def heard(self, news: News) -> None:
        """Take the server's answer, or what it says before it is asked; one that comes too late does no harm."""
        if news.root:
            self._unasked = news
            return
        self._news = news
        self._answered.set()

    def connected(self) -> None:
        """Ask, if somebody waits for a connection to do so."""
        self._opened.set()

    def disconnected(self) -> None:
        """End the wait: no answer comes any more."""
        self._opened = trio.Event()
        self._answered.set()
        self._unasked = None
