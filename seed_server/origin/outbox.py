"""Messages that wait for a control connection: of each kind only the newest, so that a slow reader costs nothing.

They wait for their turn on the site's line, too: `ControlPacer` releases them one by one.
"""

from collections.abc import Callable
from typing import TypeAlias

import trio

from p2pdist.shared.wire.codec import Message
from seed_server.origin.connection import control_frame
from seed_server.origin.control_pacer import ControlPacer

MAX_WAITING = 1_024  # kinds × torrents that an endpoint can ask about before it reads an answer

News: TypeAlias = Message | Callable[[], Message | None]
"""A message, or what makes it when its turn has come; None then: there is nothing to say any more."""


class Outbox:
    """A queue in which newer news replaces the waiting one of the same key."""

    def __init__(self, pacer: ControlPacer) -> None:
        self._pacer = pacer
        self._waiting: dict[str, News] = {}
        self._released: bytes | None = None
        self._paid: Message | None = None
        self._asked = False
        self._ping_due = False
        self._filled = trio.Event()

    @property
    def full(self) -> bool:
        """Whether the endpoint keeps asking and does not read: no more answers may be added."""
        return len(self._waiting) >= MAX_WAITING

    def put(self, key: str, news: News) -> None:
        """Queue ``news`` in place of the waiting one with this ``key``."""
        self._waiting[key] = news
        self._ask()

    def put_paid(self, message: Message) -> None:
        """Send ``message`` next, in place of such a one: it has had its turn on the line."""
        self._paid = message
        self._filled.set()

    def put_ping(self) -> None:
        """Ask for a ping; one that waits already is enough."""
        self._ping_due = True
        self._filled.set()

    def release(self) -> int:
        """Make the first waiting message ready to be sent; return the bytes of its frame, 0 when there is none."""
        self._asked = False
        while self._waiting and self._released is None:
            news = self._waiting.pop(next(iter(self._waiting)))
            message = news if isinstance(news, Message) else news()
            if message is not None:
                self._released = control_frame(message)
                self._filled.set()
                return len(self._released)
        return 0

    def close(self) -> None:
        """Leave the queue: nothing is sent any more."""
        self._waiting.clear()
        self._pacer.forget(self)

    async def next_frame(self) -> bytes | None:
        """Wait for the next frame; None asks for a ping, which goes first: it measures the line, not this queue."""
        while self._released is None and self._paid is None and not self._ping_due:
            self._filled = trio.Event()
            await self._filled.wait()
        if self._ping_due:
            self._ping_due = False
            return None
        if self._paid is not None:
            paid, self._paid = self._paid, None
            return control_frame(paid)
        frame, self._released = self._released, None
        self._ask()
        return frame

    def _ask(self) -> None:
        if self._waiting and self._released is None and not self._asked:
            self._asked = True
            self._pacer.ask(self)
