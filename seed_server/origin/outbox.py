"""Messages that wait for a control connection: of each kind only the newest, so that a slow reader costs nothing."""

import trio

from p2pdist.shared.wire.messages import Message

MAX_WAITING = 1_024  # kinds × torrents that an endpoint can ask about before it reads an answer


class Outbox:
    """A queue in which a newer message replaces the waiting one of the same key."""

    def __init__(self) -> None:
        self._waiting: dict[str, Message] = {}
        self._ping_due = False
        self._filled = trio.Event()

    @property
    def full(self) -> bool:
        """Whether the endpoint keeps asking and does not read: no more answers may be added."""
        return len(self._waiting) >= MAX_WAITING

    def put(self, key: str, message: Message) -> None:
        """Queue ``message`` in place of the waiting one with this ``key``."""
        self._waiting[key] = message
        self._filled.set()

    def put_ping(self) -> None:
        """Ask for a ping; one that waits already is enough."""
        self._ping_due = True
        self._filled.set()

    async def next_message(self) -> Message | None:
        """Wait for the next message; None asks for a ping, which goes first: it measures the line, not this queue."""
        while not self._waiting and not self._ping_due:
            self._filled = trio.Event()
            await self._filled.wait()
        if self._ping_due:
            self._ping_due = False
            return None
        return self._waiting.pop(next(iter(self._waiting)))
