"""What happens, told to pages that are open: the type and the number of each event, as server-sent events.

The same feed as the API's, and no more than that something has happened: the page is fetched again, with the reader's
own rights. A browser closes its stream while its page is not seen, so few are open; their number has a cap.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

import trio

from seed_server.automation.event_types import event_type
from seed_server.fleet.audit_queries import LoggedEntry
from seed_server.web.api.events import EventFeed, Pulse, first_of, told_from

MAX_WATCHERS = 300  # pages that are looked at; half of the port's connections
LIVE = "/live"
PROGRESS_TOLD = "progress"
"""Told to open pages that show how far PCs are, among the types of events: what PCs report is no entry of the log."""
PROGRESS_TOLD_SECONDS = 20.0  # what PCs report is written within seconds; a page that is looked at is fetched so often


@asynccontextmanager
async def watching(feed: EventFeed, signed_in: Callable[[], bool], last: str) -> AsyncIterator[AsyncIterator[bytes]]:
    """Give the events behind the one that ``last`` names; its listener is counted. Raises as `EventFeed.begin`.

    ``signed_in``: blocking; whether the session still holds. It is asked each minute, and the stream ends without it.
    """

    async def still_may() -> bool:
        return await trio.to_thread.run_sync(signed_in)

    await feed.begin(watches=True, most=MAX_WATCHERS)
    try:
        progress = Pulse(PROGRESS_TOLD_SECONDS, lambda number: _change(number - 1, PROGRESS_TOLD))
        async with aclosing(told_from(feed, first_of(feed, last), still_may, _told, progress)) as parts:
            yield parts
    finally:
        feed.end(watches=True)


def _told(one: LoggedEntry) -> bytes:
    kind = event_type(one.entry)
    return _change(one.entry.number, kind) if kind else b""


def _change(number: int, kind: str) -> bytes:
    """Return what is told of a change; ``number``: of the newest entry by then, negative: there is none."""
    return (b"id: %d\n" % number if number >= 0 else b"") + b"event: change\ndata: %s\n\n" % kind.encode()
