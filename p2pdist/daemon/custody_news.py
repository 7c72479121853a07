"""Tells the server of this PC's log of install records: its state, and signed what the server lacks of it.

The state is told on each connection, and once a day on one that lasts, where something is new or was sent since: a
server may leave for another day what is too much for one. Only what the server asks for is signed.
"""

from collections.abc import Callable
from typing import Any

import trio

from p2pdist.daemon.state import DaemonState
from p2pdist.shared.clock import Clock
from p2pdist.shared.custody import Custody, custody_statement, frontier_root
from p2pdist.shared.wire.custody import MAX_PAGE_RECORDS, MAX_PAGES_A_CONNECTION, CustodyTold, CustodyWanted

STATE_AGAIN_SECONDS = 86_400.0


class CustodyNews:
    """What the server has been told."""

    def __init__(
        self, state: DaemonState, custody: Callable[[], Custody], sign: Callable[[dict[str, Any]], str], clock: Clock
    ) -> None:
        """``sign`` signs a statement with this PC's key."""
        self._state = state
        self._custody = custody
        self._sign = sign
        self._clock = clock
        self._welcomes = 0
        self._told_size = 0
        self._told_at = 0.0
        self._pages = 0
        self._sent = False
        """Something was, since the state was told: whether the server has taken it is not known."""

    def news(self) -> list[CustodyTold]:
        """Return what the server shall hear now: nothing, or one message."""
        custody = self._custody()
        if not self._state.takes_custody or not custody.size:  # a journal that is not read yet looks empty
            return []
        if self._welcomes != self._state.welcomes:
            self._welcomes, self._pages = self._state.welcomes, 0
            self._told_size = 0
        wanted, self._state.custody_wanted = self._state.custody_wanted, None
        if wanted is not None and self._pages < MAX_PAGES_A_CONNECTION:
            self._pages += 1
            self._sent = True
            return [self._page(custody, wanted)]
        if (self._told_size == custody.size and not self._sent) or (
            self._told_size and trio.current_time() - self._told_at < STATE_AGAIN_SECONDS
        ):
            return []
        if self._told_size:
            self._pages = 0
        self._sent = False
        self._told_size, self._told_at = custody.size, trio.current_time()
        return [CustodyTold(custody.size, custody.root())]

    def _page(self, custody: Custody, wanted: CustodyWanted) -> CustodyTold:
        try:
            follows = frontier_root(custody.frontier_at(wanted.after)) == wanted.root
        except ValueError:  # it is longer than what this PC has, or ends before what it holds
            follows = False
        page = custody.since(wanted.after if follows else 0, MAX_PAGE_RECORDS)
        statement = self._sign(custody_statement(self._state.identity.endpoint_id, page, self._clock.now()))
        return CustodyTold(page.size, page.root(), b"".join(page.frontier), page.records, statement)
