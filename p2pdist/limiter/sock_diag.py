"""List the TCP connections of all processes on this PC, with the Linux kernel's counts (`man 7 sock_diag`).

No rights are needed.
"""

import os
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

from p2pdist.limiter.link_report import MAX_SOCKETS
from p2pdist.pc.netlink_dump import attributes, dump

SOCKETS_IN_USE = Path("/proc/net/sockstat6")
MAX_READS = 4 * MAX_SOCKETS  # each read brings one connection at least, so the kernel's list ends before

_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_INFO = 2  # INET_DIAG_INFO
_STATES = 1 << 1 | 1 << 4 | 1 << 5 | 1 << 8  # ESTABLISHED, FIN_WAIT1, FIN_WAIT2, CLOSE_WAIT: those that carry data
_MESSAGE = struct.Struct("=4B2s2s16s16sIQ5I")  # inet_diag_msg
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
    data_segments_in: int
    """Segments with payload, in whatever order they came, …"""
    early_segments_in: int
    """… and those among them that came before one that is still missing; 0 where the kernel does not tell."""
    segment_bytes: int
    """Payload of a full segment of the other side."""


def tcp_connections() -> list[TcpConnection]:
    """Return at most `MAX_SOCKETS` connections of IPv4 and IPv6. Blocking, for milliseconds.

    Raises `OSError` where the kernel does not tell.
    """
    found: list[TcpConnection] = []
    for family in (socket.AF_INET, socket.AF_INET6) if uses_ipv6() else (socket.AF_INET,):
        body = struct.pack("=BBBBI48x", family, socket.IPPROTO_TCP, 1 << (_INFO - 1), 0, _STATES)
        found += dump(
            _NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, body, read_connection,
            what="connections", most=MAX_SOCKETS - len(found), reads=MAX_READS,
        )  # fmt: skip
        if len(found) >= MAX_SOCKETS:
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


def read_connection(body: bytes) -> TcpConnection | None:
    """Read what is said of one connection (inet_diag_msg); None: not what is needed of one."""
    if len(body) < _MESSAGE.size:
        return None
    family, _, _, _, _, _, local, peer, _, cookie, _, _, _, _, inode = _MESSAGE.unpack_from(body)
    info = next((value for kind, value in attributes(body, _MESSAGE.size) if kind == _INFO), b"")
    if len(info) < 152:  # a kernel before 4.6 does not report the least round trip
        return None
    (segment_bytes,) = struct.unpack_from("=I", info, 20)
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
        data_segments_in=struct.unpack_from("=I", info, 152)[0] if len(info) >= 156 else 0,
        early_segments_in=struct.unpack_from("=I", info, 224)[0] if len(info) >= 228 else 0,  # since 5.4
        segment_bytes=segment_bytes,
    )


def _packed(family: int, address: bytes) -> bytes:
    if family == socket.AF_INET:
        return address[:4]
    return address[12:] if address.startswith(_MAPPED) else address
