"""Messages that must not be dropped: the network part sends no more than the daemon has room for."""

from typing import Generic, TypeVar

import trio

from p2pdist.network.messages import MAX_ON_THE_WAY, Taken, Window
from p2pdist.network.process import NetworkPart
from p2pdist.shared.channel import ChannelEndedError

Event = TypeVar("Event")

LIVES_IN_THE_QUEUE = 2  # what an ended process has sent is read before what the next one sends


class Windowed(Generic[Event]):
    """Iterates over the messages of one window, and tells the network part of each that was taken."""

    def __init__(self, part: NetworkPart, window: Window) -> None:
        self._part = part
        self._taken = Taken(window)
        # one more of each life: its end is reported too
        room = LIVES_IN_THE_QUEUE * (MAX_ON_THE_WAY + 1)
        self._put, self._get = trio.open_memory_channel[tuple[int, Event]](room)

    def put(self, event: Event) -> None:
        """Add one. Raises `ChannelEndedError` when the process has sent more than its window."""
        try:
            self._put.send_nowait((self._part.life, event))
        except trio.WouldBlock:
            raise ChannelEndedError("it sent more than its window") from None

    def put_own(self, event: Event) -> None:
        """Add one that the process has not sent; it is dropped when there is no room."""
        try:
            self._put.send_nowait((-1, event))
        except trio.WouldBlock:
            return

    def taken(self) -> None:
        """Tell the network part that a message of this window was acted on without being put here."""
        self._part.tell(self._taken)

    def __aiter__(self) -> "Windowed[Event]":
        return self

    async def __anext__(self) -> Event:
        life, event = await self._get.receive()
        if life == self._part.life:
            self.taken()
        return event
