"""The data connection's socket: as the control connection's, but with packets of a size that suits the line."""

import contextlib
import socket

import trio

IPV4_HEADERS_BYTES, IPV6_HEADERS_BYTES = 40, 60  # with TCP's, without options: what a maximum segment size leaves out


async def connect_beside(other: trio.SocketStream, packet_bytes: int, local_address: str | None) -> trio.SocketStream:
    """Connect to where ``other`` is connected to, and ask for IP packets of ``packet_bytes``. Raises `OSError`.

    Only who connects can ask: the size is agreed upon in the first packets, and a
    server has one listener for fast and slow lines.
    """
    family = other.socket.family
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        headers = IPV6_HEADERS_BYTES if family == socket.AF_INET6 else IPV4_HEADERS_BYTES
        with contextlib.suppress(OSError):  # Windows does not let us: full packets, then
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, packet_bytes - headers)
        if local_address is not None:
            await sock.bind((local_address, 0))
        await sock.connect(other.socket.getpeername())
    except BaseException:
        sock.close()
        raise
    return trio.SocketStream(sock)
