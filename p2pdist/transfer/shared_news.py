"""News of the signed files that cross the site's line once: fetched and swapped with neighbours as a patch is.

Nothing is said of them but to server and neighbours. What comes is believed as little as what is downloaded: whoever
asked for it verifies each file.
"""

import math
from collections.abc import Awaitable
from typing import Protocol

import trio

from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.wire.messages import News
from p2pdist.transfer.made_torrents import MadeTorrents, SharingTerms

AFTER_FAILURE_SECONDS = 600.0  # without trying again: each try delays all that is new
NEWS_TERMS = SharingTerms(
    "a torrent of news",
    patience_seconds=45.0,  # a LAN that has stalled, and then a slow line; after that there is the web port
    stall_seconds=12.0,  # of a patch it may be longer, but all wait for its news
    shared_seconds=300.0,  # others hear of it within seconds; those that were busy or off for a moment come later
    most=4,  # of some megabytes each
)


class AskServer(Protocol):
    """Asks the server what has changed since a root and a snapshot; None: no answer."""

    def __call__(self, root: int, snapshot: int, /, *, everything: bool = False) -> Awaitable[News | None]:
        """``everything``: also what this PC keeps for others alone."""


log = lazy_log()


class SharedNews:
    """Asks for news, and has those fetched that are swapped; runs in the daemon's one trio thread."""

    def __init__(self, made: MadeTorrents, ask_server: AskServer) -> None:
        self._made = made
        self._ask_server = ask_server
        self._not_before = -math.inf

    async def ask(self, root: int, snapshot: int) -> bytes | None:
        """Return what has changed since these versions, an encoded `TrustNews`; None: it cannot be had this way."""
        news = await self._ask_server(root, snapshot)
        if news is None or news.torrent is None:
            return (news and news.files) or None
        if trio.current_time() < self._not_before:
            return None
        if (shared := await self._made.begin(news.torrent, NEWS_TERMS)) is None:
            return None
        await shared.ended.wait()
        if shared.is_here:
            log.info("news are here", pieces=news.torrent.piece_count, from_origin=shared.origin_pieces.bit_count())
            return await self._made.read(shared)
        log.warning("news do not come from server and neighbours together, asking the web port")
        self._not_before = trio.current_time() + AFTER_FAILURE_SECONDS
        return None

    async def ask_everything(self, root: int, snapshot: int) -> bytes | None:
        """Return the same for a PC that keeps everything: these come to it alone."""
        news = await self._ask_server(root, snapshot, everything=True)
        return (news and news.files) or None
