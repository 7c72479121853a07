"""The server's side of TLS, for thousands of connections that are idle: OpenSSL reads and writes the socket itself.

As `trio.SSLStream`, which stands between OpenSSL and the socket with two buffers: with those, each connection takes
6 kB more, and each handshake a fifth more processor time.
"""

import socket
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import TypeVar

import trio

T = TypeVar("T")


async def in_a_task_of_its_own(
    nursery: trio.Nursery, serve: Callable[[socket.socket], Awaitable[None]], tcp: trio.SocketStream
) -> None:
    """Let ``serve`` have the socket of ``tcp``, as a handler of `trio.serve_listeners`, which keeps what it gives."""
    given = tcp.socket
    nursery.start_soon(serve, socket.socket(given.family, given.type, given.proto, fileno=given.detach()))


class TlsStream:
    """One connection. One task at a time may receive, and one send."""

    __slots__ = ("socket",)

    def __init__(self, tcp: socket.socket, context: ssl.SSLContext) -> None:
        """Take over ``tcp``, which is of no use afterwards. Raises `OSError` when it is broken."""
        try:
            tcp.setblocking(False)
            self.socket = context.wrap_socket(tcp, server_side=True, do_handshake_on_connect=False)
        except BaseException:
            tcp.close()
            raise

    async def do_handshake(self) -> None:
        """Shake hands. Raises `trio.BrokenResourceError`."""
        await self._retried(self.socket.do_handshake)

    # no coroutine of its own: it would wait in memory, on each connection, beside the one that it waits for
    def receive_some(self, most_bytes: int) -> Coroutine[None, None, bytes]:
        """Return what has arrived, empty at the end. Raises `trio.BrokenResourceError`, `trio.ClosedResourceError`."""
        return self._retried(partial(self.socket.recv, most_bytes))

    async def send_all(self, data: bytes | memoryview) -> None:
        """Send. Raises `trio.BrokenResourceError`, `trio.ClosedResourceError`; when cancelled, a part may be sent."""
        rest = memoryview(data)
        while rest:
            rest = rest[await self._retried(partial(self.socket.send, rest)) :]

    async def drain(self) -> None:
        """Send nothing more, and wait until the other side closes. Raises `trio.BrokenResourceError`."""
        await self._retried(partial(self.socket.shutdown, socket.SHUT_WR))
        while await self.receive_some(65_536):
            pass

    def end(self) -> None:
        """Let whoever receives or sends find that the connection has ended. Raises `OSError` when it has already."""
        # not the TLS socket's own: it would take TLS off, and what comes after that would be read as it is
        socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close at once; calling it again does nothing."""
        if self.socket.fileno() >= 0:
            trio.lowlevel.notify_closing(self.socket)
            self.socket.close()

    async def _retried(self, act: Callable[[], T]) -> T:
        """Act when that does not block: at once if possible, so that few tasks are woken in vain."""
        await trio.lowlevel.checkpoint_if_cancelled()
        waited = False
        while True:
            try:
                done = act()
            except (ssl.SSLWantReadError, BlockingIOError):
                wait = trio.lowlevel.wait_readable
            except ssl.SSLWantWriteError:
                wait = trio.lowlevel.wait_writable
            except OSError as error:  # ssl.SSLError among them
                raise trio.BrokenResourceError(str(error)) from error
            else:
                if not waited:  # who has much to say lets others have a word
                    await trio.lowlevel.cancel_shielded_checkpoint()
                return done
            await wait(self.socket)  # not above: there the error and its frames would stay in memory
            waited = True
