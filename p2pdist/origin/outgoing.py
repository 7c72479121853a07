"""What leaves on the control connection, in the order in which it was said: tasks that send run in any order."""

from collections.abc import Awaitable, Callable
from functools import partial

import trio

from p2pdist.origin.opening import Stream
from p2pdist.shared.wire.channels import Hello, encode_message
from p2pdist.shared.wire.fields import MAX_CONTROL_FRAME_BYTES
from p2pdist.shared.wire.frames import encode_frame
from p2pdist.shared.wire.messages import FromEndpoint, Holdings, Report
from p2pdist.shared.wire.witness import ConsistencyWanted

TOGETHER_SECONDS = 0.005  # what a PC says at once leaves in one packet: its question about the log and what it wants,
# and, when it has proven a file, what it has and its report


class Outgoing:
    """The messages of one connection after the other."""

    def __init__(self, send: Callable[[Stream, bytes], Awaitable[None]]) -> None:
        """``send`` sends frames, in the order in which it is called."""
        self._send = send
        self._stream: Stream | None = None
        self._frames = b""

    def use(self, stream: Stream | None) -> None:
        """Use this connection from now on; None: there is none. What has not left is dropped."""
        self._stream, self._frames = stream, b""

    def put(self, message: FromEndpoint) -> Callable[[], Awaitable[None]]:
        """Let ``message`` leave by what is returned, behind those that were put before it."""
        stream = self._stream
        if stream is not None:
            self._frames += frame_of(message)
        return partial(self._leave, stream, together=isinstance(message, Holdings | Report | ConsistencyWanted))

    async def _leave(self, stream: Stream | None, *, together: bool) -> None:
        if together:
            await trio.sleep(TOGETHER_SECONDS)
        if stream is not None and stream is self._stream and self._frames:
            frames, self._frames = self._frames, b""
            await self._send(stream, frames)


def frame_of(message: Hello | FromEndpoint) -> bytes:
    """Return the frame of a message."""
    return encode_frame(encode_message(message), max_bytes=MAX_CONTROL_FRAME_BYTES)
