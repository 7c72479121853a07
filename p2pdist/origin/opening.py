"""Open a TLS connection to the origin port: the first one by the server's name, others beside it."""

import os
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

import trio

from p2pdist.origin.retry_pace import CONNECT_SECONDS
from p2pdist.origin.stamped_stream import StampedStream
from p2pdist.shared.errors import first_error
from p2pdist.shared.packet_size import large_packets_missing, limit_packets

Stream: TypeAlias = trio.SSLStream[StampedStream]


class ConnectionLostError(Exception):
    """The connection is over; the text says why."""


class HandshakeStalledError(ConnectionLostError):
    """TCP stands, but what TLS needs does not arrive."""

    def __init__(self, message: str, *, large_packets_missing: bool) -> None:
        """``large_packets_missing``: the kernel has what follows on full packets, and none of these."""
        super().__init__(message)
        self.large_packets_missing = large_packets_missing


@dataclass
class OriginAddress:
    """Where and how to connect. Built anew for each attempt: certificates are renewed meanwhile."""

    host: str
    port: int
    tls: ssl.SSLContext
    local_address: str | None
    """Bind outgoing connections to this address, or None for the system's choice."""


async def open_first(address: OriginAddress, tcp_seconds: float) -> Stream:
    """Connect within ``tcp_seconds``, and do the TLS handshake.

    Raises `OSError`, `trio.TooSlowError` (also after `CONNECT_SECONDS` in all), `ConnectionLostError` for TLS.
    """
    with trio.fail_after(CONNECT_SECONDS):
        with trio.fail_after(tcp_seconds):
            tcp = await trio.open_tcp_stream(address.host, address.port, local_address=address.local_address)
        with _closed_if_it_fails(tcp):
            return await _secured(tcp, address)


async def open_beside(
    other: Stream, address: OriginAddress, tcp_seconds: float = CONNECT_SECONDS, *, packet_bytes: int | None = None
) -> Stream:
    """As `open_first`, to where ``other`` is connected to; ask for IP packets of ``packet_bytes``, if given.

    Raises `HandshakeStalledError` where TCP connects, and the TLS handshake does not come to its end.
    """
    deadline = trio.current_time() + CONNECT_SECONDS
    with trio.fail_after(tcp_seconds):
        tcp = await _connect_beside(other.transport_stream, packet_bytes, address.local_address)
    with _closed_if_it_fails(tcp):
        try:
            with trio.fail_at(deadline):
                return await _secured(tcp, address)
        except trio.TooSlowError as error:
            missing = large_packets_missing(tcp.socket)
            raise HandshakeStalledError("the server did not answer in time", large_packets_missing=missing) from error


@contextmanager
def _closed_if_it_fails(tcp: trio.SocketStream) -> Iterator[None]:
    try:
        yield
    except BaseException:  # cancellation too: nothing else would close this socket
        tcp.socket.close()
        raise


async def _secured(tcp: trio.SocketStream, address: OriginAddress) -> Stream:
    stream = trio.SSLStream(StampedStream(tcp), address.tls, server_hostname=address.host, https_compatible=True)
    try:
        await stream.do_handshake()
    except (trio.BrokenResourceError, ssl.SSLError, ssl.CertificateError) as error:
        raise ConnectionLostError(f"TLS with the server failed: {cause(error)}") from error
    return stream


async def _connect_beside(
    other: StampedStream, packet_bytes: int | None, local_address: str | None
) -> trio.SocketStream:
    """Connect. Only the connecting side can ask for a size: TCP agrees on it in the SYN packets.

    The server has one listener for fast and slow lines alike.
    """
    family = other.socket.family
    sock = trio.socket.socket(family, socket.SOCK_STREAM)
    try:
        if packet_bytes is not None:
            limit_packets(sock, packet_bytes)
        if local_address is not None:
            await sock.bind((local_address, 0))
        await sock.connect(other.socket.getpeername())
    except BaseException:
        sock.close()
        raise
    return trio.SocketStream(sock)


def cause(error: BaseException) -> str:
    """Return the words of what caused ``error`` in the end: of several, as of all addresses of a name, the first."""
    root = first_error(error)
    while root.__cause__ is not None:
        root = first_error(root.__cause__)
    if isinstance(root, OSError) and root.strerror and not isinstance(root, ssl.SSLError):
        number = root.errno or 0
        return os.strerror(number) if number > 0 else root.strerror  # without number and address
    return str(root) or type(root).__name__


def first_message(group: BaseExceptionGroup[BaseException]) -> str:
    """Return what the first error of a group says, for people."""
    first = first_error(group)
    return str(first) or type(first).__name__
