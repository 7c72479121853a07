"""The one place that sets how fast and how far ahead the kernel sends on a data socket.

Linux spaces a TCP socket's packets at `SO_MAX_PACING_RATE` by itself, without
root and without a special queue discipline: below line rate no queue forms.
"""

import socket
import sys
from dataclasses import dataclass

import trio

from bandwidth.units import BytesPerSecond

SO_MAX_PACING_RATE = 47  # SOL_SOCKET, asm-generic/socket.h; Python names it only from 3.14 on
TCP_NOTSENT_LOWAT = 25  # IPPROTO_TCP, linux/tcp.h
NOT_SENT_BYTES = 64 << 10  # queued in the kernel but not yet sent: what a new rate cannot take back
_UNLIMITED = (1 << 64) - 1  # ~0: the kernel's word for no limit
_FITS_32_BIT = 1 << 32  # at or over it the kernel reads the value only as 64 bits (Linux 5.0)

PACED = ""
"""`PacingResult.reason` when the kernel took the rate."""


@dataclass(frozen=True)
class PacingResult:
    """Whether the kernel took the settings."""

    taken: bool
    reason: str
    """Why not, for people; empty when it did."""


def pace(sock: socket.socket | trio.socket.SocketType, rate: BytesPerSecond | None) -> PacingResult:
    """Limit what ``sock`` sends to ``rate``, or lift the limit (None), and keep its send queue short.

    May be called again at any time; a new rate holds for the next packet.
    """
    if sys.platform != "linux":
        return PacingResult(taken=False, reason=f"{sys.platform} cannot pace a socket; only a server on Linux can")
    value = _UNLIMITED if rate is None else int(rate)
    if value < 1:
        raise ValueError("a rate is at least 1 byte a second; None lifts the limit")
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, value.to_bytes(8, sys.byteorder))
        sock.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOT_SENT_BYTES)
    except OSError as error:
        return PacingResult(taken=False, reason=f"the kernel refused to pace the socket: {error.strerror}")
    return PacingResult(taken=True, reason=PACED)


def pacing_rate(sock: socket.socket | trio.socket.SocketType) -> BytesPerSecond | None:
    """Return the limit that the kernel has for ``sock``; None when there is none. Linux only."""
    value = int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, 8), sys.byteorder)
    return None if value in (_UNLIMITED, _FITS_32_BIT - 1) else BytesPerSecond(value)
