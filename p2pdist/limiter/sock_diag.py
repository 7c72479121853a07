"""List the TCP connections of all processes on this PC, with the Linux kernel's counts (`man 7 sock_diag`).

No rights are needed. We have our own reader because the library for it costs 22 MB of memory (ADR 0010).
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from p2pdist.limiter.link_report import MAX_SOCKETS

ANSWER_SECONDS = 1.0  # the kernel needs microseconds per connection
READ_BYTES = 64 << 10  # the kernel fills at most 32 KiB at a time
SOCKETS_IN_USE = Path("/proc/net/sockstat6")
MAX_READS = 4 * MAX_SOCKETS  # each read brings one connection at least, so the kernel's list ends before

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_REQUEST_AND_DUMP = 0x301
_ERROR, _DONE = 2, 3
_INFO = 2  # INET_DIAG_INFO
_STATES = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8  # ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT: those that carry data
_HEADER = struct.Struct("=IHHII")
_MESSAGE = struct.Struct("=4B2s2s16s16sIQ5I")  # inet_diag_msg
_ATTRIBUTE = struct.Struct("=HH")
_COUNTS = struct.Struct("=QQIIII")  # of tcp_info, from tcpi_bytes_acked to tcpi_min_rtt
_UNKNOWN_MICROSECONDS = 0xFFFFFFFF
_MAPPED = bytes(10) + b"\xff\xff"


@dataclass(frozen=True, slots=True)
class TcpConnection:
    """One connection. ``peer`` and ``local`` are packed addresses: 4 bytes for IPv4, mapped ones too, or 16 bytes."""

    cookie: int
    inode: int
    local: bytes
    peer: bytes
    received_bytes: int
    sent_bytes: int
    acked_bytes: int
    segments_in: int
    segments_out: int
    rtt_seconds: float | None
    least_rtt_seconds: float | None
    segments_early: int = 0
    """That came before one that was missing: the card has counted them, the connection counts them with it."""


def tcp_connections() -> list[TcpConnection]:
    """Return at most `MAX_SOCKETS` connections of IPv4 and IPv6. Blocking, for milliseconds.

    Raises `OSError` where the kernel does not tell.
    """
    found: list[TcpConnection] = []
    for family in (socket.AF_INET, socket.AF_INET6) if uses_ipv6() else (socket.AF_INET,):
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG) as asked:
            asked.settimeout(ANSWER_SECONDS)
            request = struct.pack("=BBBBI48x", family, socket.IPPROTO_TCP, 1 << (_INFO - 1), 0, _STATES)
            header = _HEADER.pack(_HEADER.size + len(request), _SOCK_DIAG_BY_FAMILY, _REQUEST_AND_DUMP, 1, 0)
            asked.sendto(header + request, (0, 0))
            for _ in range(MAX_READS):
                done = _take(asked.recv(READ_BYTES), found)
                if done or len(found) >= MAX_SOCKETS:
                    break
    return found[:MAX_SOCKETS]


def uses_ipv6(counts: Path = SOCKETS_IN_USE) -> bool:
    """Return whether any IPv6 TCP socket exists. If not, a walk through the kernel's whole table is saved."""
    try:
        lines = counts.read_text().splitlines()
    except OSError:  # no such file: a kernel without IPv6, or one that hides it
        return socket.has_ipv6
    return not any(line.split()[:3] == ["TCP6:", "inuse", "0"] for line in lines)


def inodes_of(process: int | str) -> set[int]:
    """Return the inodes of a process's sockets, by its id or ``self``. Raises `OSError`."""
    inodes, descriptors = set(), f"/proc/{process}/fd"
    for descriptor in os.listdir(descriptors):  # noqa: PTH208 - runs at each sample: names are enough
        try:
            target = os.readlink(f"{descriptors}/{descriptor}")  # noqa: PTH115 - as above
        except OSError:  # closed meanwhile
            continue
        if target.startswith("socket:["):
            inodes.add(int(target[len("socket:[") : -1]))
    return inodes


def _take(data: bytes, found: list[TcpConnection]) -> bool:
    """Add the connections in one read to ``found``. Return whether it was the last. Raises the kernel's `OSError`."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, *_ = _HEADER.unpack_from(data, at)
        if kind == _DONE:
            return True
        if kind == _ERROR or not _HEADER.size <= length <= len(data) - at:
            code = struct.unpack_from("=i", data, at + _HEADER.size)[0] if len(data) - at >= _HEADER.size + 4 else 0
            raise OSError(
                -code if kind == _ERROR and code < 0 else errno.EPROTO, "the kernel does not list connections"
            )
        connection = _connection(data[at + _HEADER.size : at + length])
        if connection is not None:
            found.append(connection)
        at += -(-length // 4) * 4
    return at == 0  # nothing readable at all: not what the kernel sends


def _connection(body: bytes) -> TcpConnection | None:
    if len(body) < _MESSAGE.size:
        return None
    family, _, _, _, _, _, local, peer, _, cookie, _, _, _, _, inode = _MESSAGE.unpack_from(body)
    info = next((value for kind, value in _attributes(body, _MESSAGE.size) if kind == _INFO), b"")
    if len(info) < 152:  # a kernel before 4.6 does not report the least round trip
        return None
    (rtt_us,) = struct.unpack_from("=I", info, 68)
    acked, received, segments_out, segments_in, _, least_us = _COUNTS.unpack_from(info, 120)
    return TcpConnection(
        cookie=cookie,
        inode=inode,
        local=_packed(family, local),
        peer=_packed(family, peer),
        received_bytes=received,
        sent_bytes=struct.unpack_from("=Q", info, 200)[0] if len(info) >= 208 else acked,  # reported since 4.19
        acked_bytes=acked,
        segments_in=segments_in,
        segments_out=segments_out,
        rtt_seconds=rtt_us / 1e6 if rtt_us else None,
        least_rtt_seconds=least_us / 1e6 if least_us not in (0, _UNKNOWN_MICROSECONDS) else None,
        segments_early=struct.unpack_from("=I", info, 224)[0] if len(info) >= 228 else 0,  # since 5.5
    )


def _attributes(body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if not _ATTRIBUTE.size <= length <= len(body) - at:
            return
        yield kind, body[at + _ATTRIBUTE.size : at + length]
        at += -(-length // 4) * 4


def _packed(family: int, address: bytes) -> bytes:
    if family == socket.AF_INET:
        return address[:4]
    return address[12:] if address.startswith(_MAPPED) else address
