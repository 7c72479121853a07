"""The one place that sets how fast and how far ahead the kernel sends on a data socket.

Linux spaces a TCP socket's packets at `SO_MAX_PACING_RATE` by itself, without
root and without a special queue discipline: below line rate no queue forms.
"""

import contextlib
import socket
import sys
from dataclasses import dataclass

import trio

from bandwidth.core.units import BytesPerSecond

SO_MAX_PACING_RATE = 47  # SOL_SOCKET, asm-generic/socket.h; Python names it only from 3.14 on
TCP_NOTSENT_LOWAT = 25  # IPPROTO_TCP, linux/tcp.h
TCP_CONGESTION = 13  # IPPROTO_TCP, linux/tcp.h
NOT_SENT_SECONDS = 0.05  # of data queued in the kernel: a new rate cannot take it back …
NOT_SENT_LEAST_BYTES, NOT_SENT_MOST_BYTES = 16 << 10, 2 << 20  # … but a late loop must not run dry: one or two records
LOSS_BLIND = b"bbr"  # its window follows what arrives: a line's own losses do not shrink it, and our law decides
LOSS_BOUND = b"cubic"  # where the system does not let us have BBR: 0.2 % of losses then bind on a fast line
_UNLIMITED = (1 << 64) - 1  # ~0: the kernel's value for no limit
_FITS_32_BIT = 1 << 32  # at or over it the kernel reads the value only as 64 bits (Linux 5.0)

PACED = ""
"""`PacingResult.reason` when the kernel accepted the rate."""

Socket = socket.socket | trio.socket.SocketType


@dataclass(frozen=True)
class PacingResult:
    """Whether the kernel accepted the settings."""

    taken: bool
    reason: str
    """Why not, for people; empty when it did."""


def pace(sock: Socket, rate: BytesPerSecond | None) -> PacingResult:
    """Limit what ``sock`` sends to ``rate`` (TCP payload), or lift the limit (None), and keep its send queue short.

    May be called again at any time. A new rate applies after the packets that the
    kernel has already scheduled: at most two, but at 4 kB/s they take 0.7 s.
    """
    if sys.platform != "linux":
        return PacingResult(taken=False, reason=f"{sys.platform} cannot pace a socket; only a server on Linux can")
    value = _UNLIMITED if rate is None else int(rate)
    if value < 1:
        raise ValueError("a rate is at least 1 byte a second; None lifts the limit")
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, value.to_bytes(8, sys.byteorder))
        sock.setsockopt(socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, not_sent_bytes(rate))
    except OSError as error:
        return PacingResult(taken=False, reason=f"the kernel refused to pace the socket: {error.strerror}")
    return PacingResult(taken=True, reason=PACED)


def not_sent_bytes(rate: BytesPerSecond | None) -> int:
    """Return how many bytes may wait unsent in the kernel at ``rate``."""
    if rate is None:
        return NOT_SENT_MOST_BYTES
    return min(NOT_SENT_MOST_BYTES, max(NOT_SENT_LEAST_BYTES, int(rate * NOT_SENT_SECONDS)))


def pacing_rate(sock: Socket) -> BytesPerSecond | None:
    """Return the limit that the kernel has for ``sock``; None when there is none. Linux only."""
    value = int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, 8), sys.byteorder)
    return None if value in (_UNLIMITED, _FITS_32_BIT - 1) else BytesPerSecond(value)


def use_known_control(sock: Socket) -> bool:
    """Use BBR, else CUBIC, else whatever the system has. Returns whether losses will leave the window as it is.

    Without root, Linux allows what ``net.ipv4.tcp_allowed_congestion_control`` lists. Other sockets are not touched.
    """
    if sys.platform != "linux":
        return False
    for control in (LOSS_BLIND, LOSS_BOUND):
        with contextlib.suppress(OSError):  # no such module, or not allowed
            sock.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, control)
            break
    return _control(sock) == LOSS_BLIND


def renew_window(sock: Socket) -> bool:
    """Forget what crowded moments taught the congestion window: it grows again as on a new connection.

    Returns whether it does. BBR starts anew when it takes over (`bbr_init`): the window at least doubles per round
    trip, and its pause to measure the least round trip, due after 10 s, is put off. CUBIC keeps its threshold, but
    BBR resets that one too (seen with TCP_INFO; switching to Reno and back does not).
    """
    if sys.platform != "linux":
        return False
    try:
        before = _control(sock)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, LOSS_BOUND if before == LOSS_BLIND else LOSS_BLIND)
        sock.setsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, before)
    except OSError:
        return False
    return True


def _control(sock: Socket) -> bytes:
    with contextlib.suppress(OSError):
        return sock.getsockopt(socket.IPPROTO_TCP, TCP_CONGESTION, 16).rstrip(b"\0")
    return b""
