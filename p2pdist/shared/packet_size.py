"""How large the packets of TCP connections are; both ends of a connection agree on it when it begins.

On some ways full packets vanish: a link in between takes only smaller ones, and what its router says about that
(ICMP "fragmentation needed") is dropped by a firewall. Small messages still pass, so such a way looks sound.
"""

import contextlib
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import trio

from bandwidth.core.units import SAFE_PACKET_BYTES

_MTU_DISCOVER, _NEVER, _AS_USUAL = 10, 0, 1  # IP_MTU_DISCOVER, IP_PMTUDISC_DONT and IP_PMTUDISC_WANT of linux/in.h
# struct tcp_info of linux/tcp.h
_NUMBER = struct.Struct("=I")
_LARGEST_AT, _FULL_AT = 20, 84  # tcpi_rcv_mss, tcpi_advmss
_EARLY_AT = 224  # tcpi_rcv_ooopack, since Linux 5.4
MOST_OPTIONS_BYTES = 40  # of TCP: a full segment may have so much less payload

T = TypeVar("T")

IPV4_HEADERS_BYTES, IPV6_HEADERS_BYTES = 40, 60  # IP and TCP without options: what a maximum segment size leaves out


def limit_packets(sock: socket.socket | trio.socket.SocketType, packet_bytes: int) -> None:
    """Send and accept IP packets of at most ``packet_bytes`` on ``sock``, or on all connections of a listener.

    Call it before the connection is made. Where the system does not let us (Windows), packets stay full.
    """
    headers = IPV6_HEADERS_BYTES if sock.family == socket.AF_INET6 else IPV4_HEADERS_BYTES
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, packet_bytes - headers)


def allow_fragments(sock: socket.socket | trio.socket.SocketType, allowed: bool) -> None:
    """Let routers divide what ``sock`` sends where a link takes only smaller packets, or not: then they say so. Linux.

    Connections of a listener begin as it is. It is for the other ends that cannot limit their packets, over IPv4:
    IPv6's routers divide nothing.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_IP, _MTU_DISCOVER, _NEVER if allowed else _AS_USUAL)


def large_packets_missing(sock: socket.socket | trio.socket.SocketType) -> bool:
    """Whether packets have come on ``sock`` that follow on missing ones, and no full one ever has; False: unknown.

    That is how it looks where full packets vanish. Where packets are lost at random, full ones have come.
    """
    if sys.platform != "linux":
        return False
    try:
        data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _EARLY_AT + _NUMBER.size)
    except OSError:
        return False
    if len(data) < _EARLY_AT + _NUMBER.size:
        return False
    largest, full, early = (_NUMBER.unpack_from(data, at)[0] for at in (_LARGEST_AT, _FULL_AT, _EARLY_AT))
    return bool(early and largest < full - MOST_OPTIONS_BYTES)


def use_safe_packets() -> None:
    """Limit the packets of all TCP connections that trio makes in this run, in both directions, to a size that passes.

    What is not a file of a patch is small, and must come through first. Call it within `trio.run`.
    """
    trio.socket.set_custom_socket_factory(_SafeSockets())


def with_safe_packets(work: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
    """Return ``work`` for `trio.run`, with `use_safe_packets`."""

    async def limited() -> T:
        use_safe_packets()
        return await work()

    return limited


class _SafeSockets(trio.abc.SocketFactory):
    def socket(
        self,
        family: socket.AddressFamily | int = socket.AF_INET,
        type: socket.SocketKind | int = socket.SOCK_STREAM,  # noqa: A002 - trio's name for it
        proto: int = 0,
    ) -> trio.socket.SocketType:
        made = socket.socket(family, type, proto)
        if made.family in (socket.AF_INET, socket.AF_INET6) and made.type == socket.SOCK_STREAM:
            limit_packets(made, SAFE_PACKET_BYTES)
        return trio.socket.from_stdlib_socket(made)
