"""Answers endpoints that ask what is new among the signed files, as fast as the web port would answer them."""

from collections.abc import Callable
from typing import TypeAlias

import trio

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.messages import MAX_NEWS_MESSAGE_BYTES, News, NewsWanted
from seed_server.line.metadata_line import MetadataLine
from seed_server.origin.outside_log import OutsideLog

NEWS_THREADS = 4  # after a publication all PCs ask at once: most threads are left to database and disk

FindNews: TypeAlias = Callable[[int, int], bytes | None]
"""Returns what is new since a root and a snapshot, as `TrustNewsReader.answer`. Blocking. Raises `OSError`."""


class PacedNews:
    """Finds the answers, and waits until each one's turn on its site's line has come."""

    def __init__(self, find: FindNews, line: MetadataLine, log: OutsideLog) -> None:
        self._find = find
        self._line = line
        self._log = log
        self._threads = trio.CapacityLimiter(NEWS_THREADS)

    async def answer(self, wanted: NewsWanted, address: str, endpoint: EndpointId) -> News:
        """Return the answer when it may be sent at once: it counts as sent."""
        try:
            files = await trio.to_thread.run_sync(self._find, wanted.root, wanted.snapshot, limiter=self._threads)
        except OSError as error:
            self._log.warning("news cannot be read", endpoint, reason=str(error))
            files = None
        if files is None or len(files) > MAX_NEWS_MESSAGE_BYTES:
            files = b""
        paced, left = self._line.answer(address, endpoint), len(files)
        while left:
            left -= await paced.may_send(left)
        return News(files=files)
