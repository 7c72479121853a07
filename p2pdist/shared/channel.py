"""Messages between two processes of one program: frames with a cap, a queue before the writer, calls and their answers.

Both sides use the same code. What the other side sends is decoded strictly; anything else ends the channel.
"""

import contextlib
import math
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import trio

from p2pdist.shared.errors import first_error
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Record
from p2pdist.shared.wire.frames import FrameDecoder, FrameError, encode_frame

QUEUED_MESSAGES = 1_024  # some seconds of a busy process; an other side that reads nothing for longer hangs
PIPE_READ_BYTES = 256 << 10
WRITTEN_TOGETHER_BYTES = 64 << 10  # the pipe holds as much

Incoming = TypeVar("Incoming", bound=Record)
Message = TypeVar("Message", bound=Record)


class ChannelEndedError(Exception):
    """The other side is gone, sends what it must not, or reads nothing; the text says which."""


class UnexpectedMessageError(ChannelEndedError):
    """The other side sends what it must not."""


class Channel(Generic[Incoming]):
    """One side of the channel. `run` must be running for messages to move."""

    def __init__(
        self,
        reads_from: trio.abc.ReceiveStream,
        writes_to: trio.abc.SendStream,
        decode: Callable[[bytes], Incoming],
        *,
        max_bytes: int,
    ) -> None:
        """``max_bytes``: the cap of a message, in both directions."""
        self._reads_from = reads_from
        self._writes_to = writes_to
        self._decode = decode
        self._max_bytes = max_bytes
        self._queue_in, self._queue = trio.open_memory_channel[Record](QUEUED_MESSAGES)
        self._written = trio.Event()
        self._ended = False

    def tell(self, message: Record) -> None:
        """Queue a message, without waiting. Raises `ChannelEndedError` when the other side has long read nothing.

        After the end it is dropped.
        """
        if self._ended:
            return
        try:
            self._queue_in.send_nowait(message)
        except trio.WouldBlock:
            raise ChannelEndedError("it reads nothing") from None

    async def send(self, message: Record) -> None:
        """Queue a message; wait while the queue is full. After the end it is dropped."""
        with contextlib.suppress(trio.BrokenResourceError):
            await self._queue_in.send(message)

    async def run(self, handle: Callable[[Incoming], Awaitable[None]]) -> None:
        """Write what is queued, and hand over each message that comes, until the other side ends.

        Always ends with a `ChannelEndedError`, such as an `UnexpectedMessageError`, or by cancellation. ``handle`` is
        awaited for one message after the other: it must not wait for an answer that comes over this channel.
        """
        ended = ChannelEndedError("it has ended")
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write)
                await self._read(handle)
        except* ChannelEndedError as group:
            ended = first_error(group)
        finally:
            self._ended = True
            self._queue.close()  # whoever waits in `send` goes on
        raise ended

    async def finish(self, seconds: float) -> None:
        """Write what is queued, within ``seconds``; nothing can be sent afterwards."""
        self._queue_in.close()
        with trio.move_on_after(seconds):
            await self._written.wait()

    async def _write(self) -> None:
        async for first in self._queue:
            try:
                await self._writes_to.send_all(self._with_those_behind(first))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                raise ChannelEndedError("it has ended") from None
        self._written.set()

    def _with_those_behind(self, first: Record) -> bytes:
        """Return ``first`` and what is queued behind it, for one write: each wakes the other process."""
        frames = bytearray(self._frame(first))
        while len(frames) < WRITTEN_TOGETHER_BYTES:
            try:
                frames += self._frame(self._queue.receive_nowait())
            except (trio.WouldBlock, trio.EndOfChannel):
                break
        return bytes(frames)

    async def _read(self, handle: Callable[[Incoming], Awaitable[None]]) -> None:
        decoder = FrameDecoder(max_bytes=self._max_bytes)
        while True:
            try:
                data = await self._reads_from.receive_some(PIPE_READ_BYTES)
                bodies = decoder.feed(bytes(data))
                if not data:
                    raise ChannelEndedError("it has ended")
                for body in bodies:
                    await handle(self._decode(body))
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                raise ChannelEndedError("it has ended") from None
            except (FrameError, DecodeError) as error:
                raise UnexpectedMessageError(f"it sent what it must not: {error}") from error

    def _frame(self, message: Record) -> bytes:
        return encode_frame(codec.encode(message), max_bytes=self._max_bytes)


class Calls(Generic[Message]):
    """The calls that wait for an answer."""

    def __init__(self) -> None:
        self._next = 0
        self._waiting: dict[int, tuple[trio.Event, list[Message]]] = {}

    async def ask(
        self,
        tell: Callable[[Message], None],
        question: Callable[[int], Message],
        *,
        seconds: float = math.inf,
        abandon: Callable[[int], Message] | None = None,
    ) -> Message:
        """Send ``question`` of a new call number, and return its answer.

        Raises `ChannelEndedError` when `fail` is called meanwhile, and `trio.TooSlowError` after ``seconds``. When
        nobody waits any longer, ``abandon`` is sent.
        """
        self._next += 1
        call = self._next
        answered, answer = trio.Event(), list[Message]()
        self._waiting[call] = (answered, answer)
        try:
            tell(question(call))
            with trio.fail_after(seconds):
                await answered.wait()
        finally:
            del self._waiting[call]
            if not answered.is_set() and abandon is not None:
                with contextlib.suppress(ChannelEndedError):  # what reads nothing need not know
                    tell(abandon(call))
        if not answer:
            raise ChannelEndedError("it has ended")
        return answer[0]

    def answered(self, call: int, answer: Message) -> None:
        """Hand over an answer; one that nobody waits for any longer is dropped."""
        if call in self._waiting:
            event, answers = self._waiting[call]
            answers.append(answer)
            event.set()

    def fail(self) -> None:
        """End every call: no answer will come."""
        for event, _ in self._waiting.values():
            event.set()
