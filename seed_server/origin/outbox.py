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

    __slots__ = ("_asked", "_filled", "_pacer", "_paid", "_ping_due", "_released", "_waiting", "on_frame")

    def __init__(self, pacer: ControlPacer) -> None:
        self._pacer = pacer
        self.on_frame: Callable[[], None] = nobody
        """Called when `next_frame` need not wait any more: a task that waits takes memory, of each PC."""
        self._waiting: dict[str, News] = {}
        self._released: bytes | None = None
        self._paid: Message | None = None
        self._asked = False
        self._ping_due = False
        self._filled: trio.Event | None = None

    @property
    def has_frame(self) -> bool:
        """Whether `next_frame` need not wait."""
        return self._released is not None or self._paid is not None or self._ping_due

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
        self._fill()

    def put_ping(self) -> None:
        """Ask for a ping; one that waits already is enough."""
        self._ping_due = True
        self._fill()

    def take_ping(self) -> bool:
        """Return whether a ping is asked for, which the caller sends."""
        due, self._ping_due = self._ping_due, False
        return due

    def release(self) -> int:
        """Make the first waiting message ready to be sent; return the bytes of its frame, 0 when there is none."""
        self._asked = False
        while self._waiting and self._released is None:
            news = self._waiting.pop(next(iter(self._waiting)))
            message = news if isinstance(news, Message) else news()
            if message is not None:
                self._released = control_frame(message)
                frame_bytes = len(self._released)
                self._fill()
                return frame_bytes
        return 0

    def close(self) -> None:
        """Leave the queue: nothing is sent any more."""
        self._waiting.clear()
        self._pacer.forget(self)

    async def next_frame(self) -> bytes | None:
        """Wait for the next frame; None asks for a ping, which goes first: it measures the line, not this queue."""
        while not self.has_frame:
            self._filled = trio.Event()
            await self._filled.wait()
        if self.take_ping():
            return None
        if self._paid is not None:
            paid, self._paid = self._paid, None
            return control_frame(paid)
        frame, self._released = self._released, None
        self._ask()
        return frame

    def _fill(self) -> None:
        if self._filled is not None:
            self._filled.set()
            self._filled = None
        self.on_frame()

    def _ask(self) -> None:
        if self._waiting and self._released is None and not self._asked:
            self._asked = True
            self._pacer.ask(self)


def nobody() -> None:
    """Do nothing: nobody sends."""
