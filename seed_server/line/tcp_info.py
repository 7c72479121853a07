"""The one place that reads ``struct tcp_info``: what Linux knows of a TCP socket.

Linux only: elsewhere `read_tcp_info` returns None, and the callers do without.
The structure only ever grows at its end (linux/tcp.h); what we need is there since Linux 4.10.
"""

import socket
import struct
import sys

import trio

from seed_server.line.socket_look import SocketLook

_LAYOUT = struct.Struct("=8B24I4Q6I4Q")
_DSACKS = struct.Struct("=I")
_DSACKS_AT = 216  # since Linux 4.19
_SENT = struct.Struct("=Q")
_SENT_AT = 200  # since Linux 4.19
MOST_BYTES = 512  # more than any kernel's structure has
_INFINITE_THRESHOLD = 0x7FFF_FFFF  # TCP_INFINITE_SSTHRESH, net/tcp.h
_NO_LEAST_RTT = 0xFFFF_FFFF  # ~0: not measured yet
_MICROSECONDS = 1e-6
_ESTABLISHED = 1  # TCP_ESTABLISHED, include/net/tcp_states.h: the first byte

# places of the fields among the unpacked numbers
_TIMEOUTS, _FLAGS = 2, 7
_SEGMENT, _UNACKED, _SACKED, _LOST, _RETRANSMITTED = 10, 12, 13, 14, 15
_RTT, _RTT_VARIATION, _THRESHOLD, _WINDOW = 23, 24, 25, 26
_TOTAL_RETRANSMITS, _PACING_RATE, _ACKED, _UNSENT, _LEAST_RTT = 31, 32, 34, 38, 39
_DELIVERY_RATE, _RECEIVER_LIMITED = 42, 44


def parse_tcp_info(data: bytes) -> SocketLook | None:
    """Return what ``data`` says; None for the shorter structure of a kernel before 4.10."""
    if len(data) < _LAYOUT.size:
        return None
    numbers = _LAYOUT.unpack_from(data)
    threshold, least = numbers[_THRESHOLD], numbers[_LEAST_RTT]
    # delivery_rate_app_limited is the first bit field of its byte: the lowest bit, or on big-endian the highest
    limited_bit = 0x01 if sys.byteorder == "little" else 0x80
    in_flight = numbers[_UNACKED] - numbers[_SACKED] - numbers[_LOST] + numbers[_RETRANSMITTED]
    return SocketLook(
        rtt_seconds=numbers[_RTT] * _MICROSECONDS,
        rtt_variation_seconds=numbers[_RTT_VARIATION] * _MICROSECONDS,
        least_rtt_seconds=None if least in (0, _NO_LEAST_RTT) else least * _MICROSECONDS,
        acked_bytes=numbers[_ACKED],
        sent_bytes=_SENT.unpack_from(data, _SENT_AT)[0] if len(data) >= _SENT_AT + _SENT.size else None,
        retransmits=numbers[_TOTAL_RETRANSMITS],
        needless_retransmits=_DSACKS.unpack_from(data, _DSACKS_AT)[0] if len(data) >= _DSACKS_AT + _DSACKS.size else 0,
        early_segments=numbers[_SACKED],
        segment_bytes=numbers[_SEGMENT],
        window_segments=numbers[_WINDOW],
        slow_start_threshold_segments=None if threshold >= _INFINITE_THRESHOLD else threshold,
        in_flight_segments=max(0, in_flight),
        unsent_bytes=numbers[_UNSENT],
        pacing_rate=numbers[_PACING_RATE],
        delivery_rate=numbers[_DELIVERY_RATE],
        application_limited=bool(numbers[_FLAGS] & limited_bit),
        receiver_limited_seconds=numbers[_RECEIVER_LIMITED] * _MICROSECONDS,
        timeouts_in_a_row=numbers[_TIMEOUTS],
    )


def read_tcp_info(sock: socket.socket | trio.socket.SocketType) -> SocketLook | None:
    """Return what the kernel knows of ``sock``; None where it does not tell, or the socket is closed."""
    if sys.platform != "linux":
        return None
    try:
        return parse_tcp_info(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, MOST_BYTES))
    except OSError:
        return None


def has_left(sock: socket.socket | trio.socket.SocketType) -> bool:
    """Whether the other side has ended the connection of ``sock``; False where the system does not tell."""
    if sys.platform != "linux":
        return False
    try:
        return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] != _ESTABLISHED
    except OSError:  # it is closed here, too
        return True


def has_sent(sock: socket.socket | trio.socket.SocketType) -> bool:
    """Whether anything was written to ``sock``; True where the system does not tell."""
    look = read_tcp_info(sock)
    return look is None or look.acked_bytes + look.unsent_bytes + look.in_flight_segments > 0
