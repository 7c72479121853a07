"""What happens, told to pages that are open: the type and the number of each event, as server-sent events.

The same feed as the API's, and no more than that something has happened: the page is fetched again, with the reader's
own rights. A browser closes its stream while its page is not seen, so few are open; their number has a cap.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

import structlog
import trio

from p2pdist.shared.errors import UserError
from seed_server.automation.event_types import event_type
from seed_server.web.api.events import (
    BEAT_SECONDS,
    LIFE_SECONDS,
    RETRY_MILLISECONDS,
    TOKEN_SECONDS,
    EventFeed,
    first_of,
)

log = structlog.get_logger()

MAX_WATCHERS = 300  # pages that are looked at; half of the port's connections
LIVE = "/live"
PROGRESS_TOLD = "progress"
"""Told to open pages that show how far PCs are, among the types of events: what PCs report is no entry of the log."""
PROGRESS_TOLD_SECONDS = (
    20.0  # what PCs report is written within some seconds; a page that is looked at is fetched so often
)


@asynccontextmanager
async def watching(feed: EventFeed, signed_in: Callable[[], bool], last: str) -> AsyncIterator[AsyncIterator[bytes]]:
    """Give the events behind the one that ``last`` names; its listener is counted. Raises as `EventFeed.begin`.

    ``signed_in``: blocking; whether the session still holds. It is asked each minute, and the stream ends without it.
    """
    await feed.begin(watches=True, most=MAX_WATCHERS)
    try:
        async with aclosing(_told(feed, signed_in, last)) as parts:
            yield parts
    finally:
        feed.end(watches=True)


async def _told(feed: EventFeed, signed_in: Callable[[], bool], last: str) -> AsyncGenerator[bytes, None]:
    number = first_of(feed, last)
    began = checked = moved = trio.current_time()
    yield b"retry: %d\n\n" % RETRY_MILLISECONDS
    while (now := trio.current_time()) < began + LIFE_SECONDS:
        number = min(number, feed.size)  # less than it was, where an older database was put back
        if now - checked >= TOKEN_SECONDS:
            if not await trio.to_thread.run_sync(signed_in):
                return
            checked = now
        if now - moved >= PROGRESS_TOLD_SECONDS:
            moved = now
            yield b"%sevent: change\ndata: %s\n\n" % (
                b"id: %d\n" % (number - 1) if number else b"",
                PROGRESS_TOLD.encode(),
            )
        try:
            found = await feed.behind(number)
        except UserError as error:
            log.warning("events cannot be read", reason=error.message)
            return
        if not found:
            await feed.wait(number, now + BEAT_SECONDS)
            if number >= feed.size:
                yield b":\n\n"
            continue
        for one in found:
            if kind := event_type(one.entry):
                yield b"id: %d\nevent: change\ndata: %s\n\n" % (one.entry.number, kind.encode())
        number = found[-1].entry.number + 1
