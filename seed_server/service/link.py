"""A part's connection to the other part, which may end and come back: then the parent hands over a new socket."""

import socket
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog
import trio

from p2pdist.shared.channel import Calls, Channel, ChannelEndedError, UnexpectedMessageError
from p2pdist.shared.wire.codec import Record
from seed_server.service.messages import MAX_LINK_MESSAGE_BYTES, LinkMessage

Heard = TypeVar("Heard", bound=Record)

log = structlog.get_logger()


class PartLink(Generic[Heard]):
    """Carries messages while the other part is there; `run` must be running."""

    def __init__(
        self,
        decode: Callable[[bytes], Heard],
        *,
        at_each_start: Callable[[], None] = lambda: None,
        at_each_end: Callable[[], None] = lambda: None,
    ) -> None:
        """``at_each_start`` may tell what the other part needs first."""
        self._decode = decode
        self._at_each_start = at_each_start
        self._at_each_end = at_each_end
        self._calls = Calls[LinkMessage]()
        self._channel: Channel[Heard] | None = None

    def tell(self, message: LinkMessage) -> None:
        """Send a message; it is dropped while the other part is gone, or has read nothing for long."""
        if self._channel is not None:
            try:
                self._channel.tell(message)
            except ChannelEndedError as error:
                log.warning("the other part of the server does not keep up", reason=str(error))

    async def send(self, message: LinkMessage) -> None:
        """Like `tell`, but wait while the other part has much to read."""
        if self._channel is not None:
            await self._channel.send(message)

    async def ask(
        self, question: Callable[[int], LinkMessage], *, abandon: Callable[[int], LinkMessage]
    ) -> LinkMessage:
        """Return the answer to a question, however long it takes; ``abandon`` is sent when nobody waits any longer.

        Raises `ChannelEndedError` when the other part is gone, or has read nothing for long.
        """
        if (channel := self._channel) is None:
            raise ChannelEndedError("it is not running")
        return await self._calls.ask(channel.tell, question, abandon=abandon)

    def answered(self, call: int, answer: LinkMessage) -> None:
        """Hand an answer to whoever asked."""
        self._calls.answered(call, answer)

    async def run(
        self, connections: trio.MemoryReceiveChannel[socket.socket], handle: Callable[[Heard], Awaitable[None]]
    ) -> None:
        """Speak over one socket after the other, until cancelled.

        Raises `UnexpectedMessageError` for what is no message: this part is to begin anew, and the other one with it.
        """
        async for sock in connections:
            stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))
            async with stream:
                channel = Channel(stream, stream, self._decode, max_bytes=MAX_LINK_MESSAGE_BYTES)
                self._channel = channel
                self._at_each_start()
                try:
                    await channel.run(handle)
                except UnexpectedMessageError:
                    raise
                except ChannelEndedError as error:
                    log.debug("the other part of the server is gone", reason=str(error))
                finally:
                    self._channel = None
                    self._calls.fail()
                    self._at_each_end()
