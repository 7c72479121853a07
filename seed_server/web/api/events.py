"""Events as they happen: the entries of the audit log, as server-sent events.

The log is totally ordered, so an event's id is its number there: whoever comes back with the last one that it has seen
(``Last-Event-ID``) misses none. One task looks for new entries, on behalf of all listeners; each reads at its own pace
what that has found, or, where it is far behind, the log itself. Nothing is queued for anybody: a listener that takes
nothing is ended by its connection's times.
"""

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
import structlog
import trio
from msgspec import Meta

from p2pdist.shared.errors import UserError
from seed_server.answers.audit_documents import audit_entry_document
from seed_server.fleet.audit_queries import LoggedEntry, entries_between, log_size
from seed_server.fleet.context import Context
from seed_server.fleet.permissions import may
from seed_server.fleet.roles import WHOLE_FLEET
from seed_server.web.api.authenticating import actor_in
from seed_server.web.api.documents import EventDocument
from seed_server.web.api.given import Given
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.api.route import API, ApiCall, Route

EVENTS_MEDIA = "text/event-stream"
FEED_LOOK_SECONDS = 0.5  # between two looks at the log, while anybody listens
KEPT_EVENTS = 1_000  # in memory, for listeners that are a little behind
READY_SECONDS = 10.0  # for the first look at the log
READ_EVENTS = 200  # of the log at once, for one that is far behind
BEAT_SECONDS = 10.0  # a client that is gone is noticed by what cannot be sent to it
LIFE_SECONDS = 1_800.0  # then the client comes again, by itself, with the id that it has
TOKEN_SECONDS = 60.0  # a token that is revoked is heard of no longer than that
RETRY_MILLISECONDS = 2_000
MAX_LISTENERS = 200
MAX_EVENT_NUMBER = 1 << 53  # of what JSON's numbers hold

log = structlog.get_logger()


class Listening(Given, frozen=True):
    """From where on."""

    after: (
        Annotated[int, Meta(ge=0, le=MAX_EVENT_NUMBER, description="The number of the last event that is known.")]
        | None
    ) = None


@dataclass
class EventFeed:
    """The newest entries of the log of one server, and who listens."""

    context: Context
    size: int = 0
    """How many entries the log has."""
    listeners: int = 0
    """Programs, and pages that are open."""
    watchers: int = 0
    """Those of them that are pages."""
    looks: int = 0
    """How often the log was looked at."""
    _recent: deque[LoggedEntry] = field(default_factory=lambda: deque(maxlen=KEPT_EVENTS))
    """The newest entries, without a gap up to the last one; `run` alone changes them and ``size``."""
    _grown: trio.Event = field(default_factory=trio.Event)
    _wanted: trio.Event = field(default_factory=trio.Event)
    _ready: trio.Event = field(default_factory=trio.Event)

    async def run(self) -> None:
        """Look for new entries while anybody listens, until cancelled."""
        while True:
            if not self.listeners:
                self._recent.clear()  # what comes meanwhile is not read
                self._wanted, self._ready = trio.Event(), trio.Event()
                await self._wanted.wait()
            try:
                await self._look()
            except UserError as error:
                log.warning("events cannot be read", reason=error.message)
            await trio.sleep(FEED_LOOK_SECONDS)

    async def _look(self) -> None:
        self.looks += 1
        size = await trio.to_thread.run_sync(log_size, self.context)
        if self._ready.is_set() and size != self.size:
            known = self._recent[-1].entry.number + 1 if self._recent else self.size
            if size < known:  # an older database was put back
                self._recent.clear()
            if size - known > KEPT_EVENTS:
                self._recent.clear()
                known = size - KEPT_EVENTS
            self._recent.extend(await trio.to_thread.run_sync(entries_between, self.context, known, size))
        self.size = size
        self._ready.set()
        self._grown.set()
        self._grown = trio.Event()

    async def begin(self, *, watches: bool = False, most: int = MAX_LISTENERS) -> None:
        """Count a listener in, once it is known where the log ends. Raises `ApiProblemError`.

        ``watches``: it is a page; ``most``: of its kind, and neither takes the place of the other.
        """
        if (self.watchers if watches else self.listeners - self.watchers) >= most:
            who = "pages" if watches else "programs"
            raise ApiProblemError("too-many", f"{most} {who} listen already. End one, or come later.")
        self._count(1, watches=watches)
        self._wanted.set()
        try:
            with trio.fail_after(READY_SECONDS):
                await self._ready.wait()
        except BaseException as error:
            self.end(watches=watches)
            if isinstance(error, trio.TooSlowError):
                words = "The audit log cannot be read now: the server's log says why."
                raise ApiProblemError("not-ready", words) from error
            raise

    def end(self, *, watches: bool = False) -> None:
        """Count a listener out."""
        self._count(-1, watches=watches)

    def _count(self, by: int, *, watches: bool) -> None:
        self.listeners += by
        self.watchers += by if watches else 0

    async def behind(self, number: int) -> list[LoggedEntry]:
        """Return the next entries from ``number`` on; none where there are none yet. Raises `UserError`."""
        if number >= self.size:
            return []
        if self._recent and self._recent[0].entry.number <= number <= self._recent[-1].entry.number:
            return [one for one in self._recent if one.entry.number >= number]
        return await trio.to_thread.run_sync(
            entries_between, self.context, number, min(number + READ_EVENTS, self.size)
        )

    async def wait(self, number: int, until: float) -> None:
        """Wait until there is an entry ``number``, or it is ``until``."""
        with trio.move_on_at(until):
            while number >= self.size:
                await self._grown.wait()


@dataclass(frozen=True)
class Pulse:
    """What is told every few seconds besides."""

    seconds: float
    told: Callable[[int], bytes]
    """Returns it, by the number of the entry that comes next."""


@asynccontextmanager
async def listening(
    feed: EventFeed, call: ApiCall[Listening, None], authorization: str, last: str
) -> AsyncIterator[AsyncIterator[bytes]]:
    """Give the events behind the one that ``last`` names; its listener is counted. Raises as `EventFeed.begin`."""
    await feed.begin()
    try:
        async with aclosing(_events(feed, call, authorization, last)) as events:
            yield events
    finally:
        feed.end()


def _events(
    feed: EventFeed, call: ApiCall[Listening, None], authorization: str, last: str
) -> AsyncGenerator[bytes, None]:
    whole = may(call.actor, "audit", WHOLE_FLEET) is None

    async def still_may() -> bool:
        nonlocal whole
        try:
            actor = await trio.to_thread.run_sync(actor_in, call.context, authorization)
        except (ApiProblemError, UserError):
            return False  # it is told why when it comes again
        whole = may(actor, "audit", WHOLE_FLEET) is None
        return True

    first = first_of(feed, last or ("" if call.given.after is None else str(call.given.after)))
    return told_from(feed, first, still_may, lambda one: _event(one, whole=whole))


async def told_from(
    feed: EventFeed,
    number: int,
    still_may: Callable[[], Awaitable[bool]],
    told: Callable[[LoggedEntry], bytes],
    pulse: Pulse | None = None,
) -> AsyncGenerator[bytes, None]:
    """Yield what a listener is told of the entries from ``number`` on, for `LIFE_SECONDS` at most; a beat in silence.

    ``still_may`` is asked each minute; ``told`` returns the words for an entry, empty: nothing is said of it.
    """
    began = checked = pulsed = trio.current_time()
    yield b"retry: %d\n\n" % RETRY_MILLISECONDS
    while (now := trio.current_time()) < began + LIFE_SECONDS:
        number = min(number, feed.size)  # less than it was, where an older database was put back
        if now - checked >= TOKEN_SECONDS:
            if not await still_may():
                return
            checked = now
        if pulse is not None and now - pulsed >= pulse.seconds:
            yield pulse.told(number)
            pulsed = now
        try:
            found = await feed.behind(number)
        except UserError as error:
            log.warning("events cannot be read", reason=error.message)
            return  # whoever comes again begins where this has ended
        if not found:
            await feed.wait(number, now + BEAT_SECONDS)
            if number >= feed.size:
                yield b":\n\n"
            continue
        for words in filter(None, map(told, found)):
            yield words
        number = found[-1].entry.number + 1


def first_of(feed: EventFeed, text: str) -> int:
    """Return the number of the first event behind the one that ``text`` names; of the next one, where it names none."""
    if not (text.isascii() and text.isdecimal() and len(text) < 17):
        return feed.size
    return min(int(text) + 1, feed.size)


def _event(one: LoggedEntry, *, whole: bool) -> bytes:
    entry = one.entry
    shown = audit_entry_document(one) if whole else EventDocument(
        number=entry.number, at=entry.at, operation=entry.operation, subject=entry.subject
    )  # fmt: skip
    return b"id: %d\nevent: audit\ndata: %s\n\n" % (entry.number, msgspec.json.encode(shown))


def _streamed(call: ApiCall[Listening, None]) -> object:
    raise ApiProblemError("failed", f"Events behind {call.given.after} are answered in parts.")


EVENT_ROUTES = (
    Route("GET", f"{API}/events", "listenToEvents", "What is done, as it is done: server-sent events", _streamed,
          EventDocument, "Events", Listening, streams=EVENTS_MEDIA,
          says="Whoever has the right `audit` for the whole fleet gets entries as GET /api/v1/audit answers them; "
          "others what was done, to what, and when. The id of an event is its number in the audit log: send the last "
          "one as `Last-Event-ID`, and none is missed. A line comes at least every 10 s; after 30 min the stream ends, "
          "and the program comes again, as browsers' EventSource does by itself."),
)  # fmt: skip
"""The row of the table that is about events."""
