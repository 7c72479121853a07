"""Pings on the control connection: frames of 8 bytes, and their echoes, which say how late the PC was. Pure.

The body of a ping is only its number; that of an echo has two times more. No message is that short. So a frame's length
tells them apart. How long an echo waited to be sent is known only when it has been encrypted, so the next one says it.
"""

import struct
from typing import NamedTuple

from p2pdist.shared.wire.frames import encode_frame

PING_NUMBERS = 1 << 32  # the number counts up and wraps
LATE_MOST_SECONDS = 2.0  # a longer time is of a clock that was set, or of a PC that slept
_UNIT_SECONDS = 1e-4
_PING = struct.Struct(">I")
_ECHO = struct.Struct(">IHH")


class Echo(NamedTuple):
    """The answer to a ping."""

    number: int
    read_late_seconds: float = 0.0
    """From the ping's arrival at the PC until it was read; 0 where the PC does not know."""
    last_sent_late_seconds: float = 0.0
    """Of the echo before: from then until it was sent."""


def ping_frame(number: int) -> bytes:
    """Return the whole frame of a ping."""
    return encode_frame(_PING.pack(number % PING_NUMBERS), max_bytes=_PING.size)


def ping_number(body: bytes) -> int | None:
    """Return the number in a frame's body, or None when the frame is no ping."""
    return int(_PING.unpack(body)[0]) if len(body) == _PING.size else None


def echo_frame(number: int, read_late_seconds: float | None = None, last_sent_late_seconds: float = 0.0) -> bytes:
    """Return the whole frame of an echo. A time that is not known (None) or impossible is told as 0."""
    units = (_units(seconds) for seconds in (read_late_seconds, last_sent_late_seconds))
    return encode_frame(_ECHO.pack(number % PING_NUMBERS, *units), max_bytes=_ECHO.size)


def _units(seconds: float | None) -> int:
    return round(seconds / _UNIT_SECONDS) if seconds is not None and 0.0 <= seconds <= LATE_MOST_SECONDS else 0


def read_echo(body: bytes) -> Echo | None:
    """Return the echo in a frame's body, or None when the frame is a message."""
    if len(body) != _ECHO.size:
        return None
    number, read_late, sent_late = _ECHO.unpack(body)
    return Echo(number, *(min(LATE_MOST_SECONDS, units * _UNIT_SECONDS) for units in (read_late, sent_late)))
