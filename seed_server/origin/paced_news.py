"""Answers endpoints that ask what is new among the signed files, in the order and at the pace of the web port."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import trio

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.messages import MAX_NEWS_MESSAGE_BYTES, News, NewsWanted
from seed_server.line.byte_budget import REQUEST_COST_BYTES, ByteBudgets
from seed_server.line.metadata_line import MetadataLine
from seed_server.origin.outside_log import OutsideLog

NEWS_TURN_SECONDS = 12.0  # an endpoint that waits longer asks the web port (`ServerNews`): it is not answered twice
NEWS_THREADS = 4  # after a publication all PCs ask at once: most threads are left to database and disk

FindNews: TypeAlias = Callable[[int, int, bool], bytes | None]
"""Returns what is new since a root and a snapshot, whether with differences, as `TrustNewsReader.answer`. Blocking.

Raises `OSError`.
"""


class PacedNews:
    """Finds the answers, and waits until each one's turn on its site's line has come."""

    def __init__(self, find: FindNews, line: MetadataLine, budgets: ByteBudgets, log: OutsideLog) -> None:
        """``budgets``: what each endpoint may fetch, here and from the web port."""
        self._find = find
        self._line = line
        self._budgets = budgets
        self._log = log
        self._threads = trio.CapacityLimiter(NEWS_THREADS)

    async def answer(
        self, wanted: NewsWanted, address: str, endpoint: EndpointId, *, differences: bool = False
    ) -> News:
        """Return the answer when it may be sent at once: it counts as sent.

        ``differences``: the endpoint makes files of those that it has.
        """
        find = partial(self._find, wanted.root, wanted.snapshot, differences)
        try:
            files = await trio.to_thread.run_sync(find, limiter=self._threads)
        except OSError as error:
            self._log.warning("news cannot be read", endpoint, reason=str(error))
            files = None
        now = trio.current_time()
        paced = self._line.answer(address, endpoint, rank=self._budgets.rank(endpoint, now))
        if files is None or len(files) > min(MAX_NEWS_MESSAGE_BYTES, paced.lump_bytes):
            return News(files=b"")
        if not self._budgets.spend(endpoint, REQUEST_COST_BYTES + len(files), now):
            return News(files=b"")
        left = len(files)
        with trio.move_on_after(NEWS_TURN_SECONDS):
            while left:
                left -= await paced.may_send(left)
        return News(files=b"" if left else files)
