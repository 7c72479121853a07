"""A TCP stream that knows when the newest of what was read came in from the network, and when the last was sent.

Linux tells the first; elsewhere, and where the kernel does not, it is not known. A PC that is busy with its owner's
work answers a ping late. With this it can say how late, so that the server takes that for no queue on the line.
"""

import contextlib
import errno
import socket
import struct
import sys

import trio

from p2pdist.shared.clock import Clock

_SO_TIMESTAMPNS = 35  # asm-generic/socket.h: SO_TIMESTAMPNS_OLD, two native longs; also the kind of its answer
_TIMESPEC = struct.Struct("@ll")
_RECEIVE_BYTES = 64 << 10
_CLOSED = (errno.EBADF, errno.ENOTSOCK)


class StampedStream(trio.abc.HalfCloseableStream):
    """As the `trio.SocketStream` that it is made of; when bytes came in is known after `stamp_arrivals`."""

    def __init__(self, tcp: trio.SocketStream) -> None:
        self._tcp = tcp
        self._arrived_at: float | None = None
        self.sent_at = trio.current_time()
        """When the kernel was last given something to send, in trio's time."""
        self._is_stamped = False

    def stamp_arrivals(self) -> None:
        """Ask the kernel to say from now on when bytes came in, if it can."""
        if sys.platform == "linux":
            with contextlib.suppress(OSError):
                self._tcp.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
                self._is_stamped = True

    @property
    def socket(self) -> trio.socket.SocketType:
        """The socket itself."""
        return self._tcp.socket

    def waited_seconds(self, clock: Clock) -> float | None:
        """Return how long ago the newest bytes that were read reached this PC; None: not known.

        ``clock`` must be the system's, as the kernel's stamps are.
        """
        return None if self._arrived_at is None else clock.now() - self._arrived_at

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """As `trio.SocketStream.receive_some`."""
        if not self._is_stamped:
            return bytes(await self._tcp.receive_some(max_bytes))
        try:
            data, extra, _, _ = await self.socket.recvmsg(
                max_bytes or _RECEIVE_BYTES, socket.CMSG_SPACE(_TIMESPEC.size)
            )
        except OSError as error:
            if error.errno in _CLOSED:
                raise trio.ClosedResourceError("this socket was already closed") from None
            raise trio.BrokenResourceError(f"socket connection broken: {error}") from error
        self._arrived_at = None
        for level, kind, stamp in extra:
            if (level, kind, len(stamp)) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS, _TIMESPEC.size):
                seconds, nanoseconds = _TIMESPEC.unpack(stamp)
                self._arrived_at = seconds + nanoseconds * 1e-9
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """As `trio.SocketStream.send_all`."""
        self.sent_at = trio.current_time()
        await self._tcp.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """As `trio.SocketStream.wait_send_all_might_not_block`."""
        await self._tcp.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """As `trio.SocketStream.send_eof`."""
        await self._tcp.send_eof()

    async def aclose(self) -> None:
        """As `trio.SocketStream.aclose`."""
        await self._tcp.aclose()
