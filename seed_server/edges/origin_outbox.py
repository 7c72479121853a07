"""Messages that wait for a control connection: of each kind only the newest, so that a slow reader costs nothing."""

import trio

from p2pdist.wire.messages import Message

MAX_WAITING = 1_024  # kinds × torrents that an endpoint can ask about before it reads an answer
PING = "ping"


class Outbox:
    """A queue in which a newer message replaces the waiting one of the same key."""

    def __init__(self) -> None:
        self._waiting: dict[str, Message] = {}
        self._filled = trio.Event()

    @property
    def full(self) -> bool:
        """Whether the endpoint asks and asks, and does not read: nothing it asks for may be added."""
        return len(self._waiting) >= MAX_WAITING

    def put(self, key: str, message: Message) -> None:
        """Queue ``message`` in place of the waiting one with this ``key``."""
        self._waiting[key] = message
        self._filled.set()

    async def take(self) -> Message:
        """Wait for the next message; a ping overtakes, for it measures the line and not the queue."""
        while not self._waiting:
            self._filled = trio.Event()
            await self._filled.wait()
        key = PING if PING in self._waiting else next(iter(self._waiting))
        return self._waiting.pop(key)
