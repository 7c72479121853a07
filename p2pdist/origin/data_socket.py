"""Open a socket beside the control connection: to the same peer, for data with packets that suit the line."""

import contextlib
import socket

import trio

IPV4_HEADERS_BYTES, IPV6_HEADERS_BYTES = 40, 60  # IP and TCP without options: what a maximum segment size leaves out


async def connect_beside(
    other: trio.SocketStream, packet_bytes: int | None, local_address: str | None
) -> trio.SocketStream:
    """Connect to where ``other`` is connected to, and ask for IP packets of ``packet_bytes``, if given.

    Raises `OSError`.

    Only the connecting side can ask: TCP agrees on the size in the SYN packets, and
    the server has one listener for fast and slow lines alike.
    """
    family = other.socket.family
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        if packet_bytes is not None:
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
