"""Both ends of one TCP connection, on real sockets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def stream_pair(
    host: str, *, seconds: float = 10.0
) -> AsyncIterator[tuple[trio.SocketStream, trio.SocketStream]]:
    """Open a connection to ``host``, an address of this machine, for at most so many ``seconds``."""
    with trio.fail_after(seconds):
        (listener,) = await trio.open_tcp_listeners(0, host=host)
        async with (
            listener,
            await trio.testing.open_stream_to_socket_listener(listener) as near,
            await listener.accept() as far,
        ):
            yield near, far
