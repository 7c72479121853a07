"""Pings on the control connection: frames of 8 bytes, echoed with how late the PC was. Pure.

The body of a ping is only its number, in 4 bytes; an echo has 4 bytes more where the PC knows when the ping came in.
No message is that short. So a frame's length tells them apart. How long an echo waited to be sent is known only when it
has been encrypted, so the next one says it.
"""

from typing import NamedTuple

from p2pdist.shared.wire.frames import encode_frame

PING_BODY_BYTES = 4
ECHO_BODY_BYTES = 8
PING_NUMBERS = 1 << 32  # the number counts up and wraps
LATE_MOST_SECONDS = 2.0  # a longer time is of a clock that was set, or of a PC that slept
_UNIT_SECONDS = 1e-4
_TIME_BYTES = 2


class Echo(NamedTuple):
    """The answer to a ping."""

    number: int
    read_late_seconds: float = 0.0
    """From the ping's arrival at the PC until it was read; 0 where the PC does not know."""
    last_sent_late_seconds: float = 0.0
    """Of the echo before: from then until it was sent."""


def ping_frame(number: int) -> bytes:
    """Return the whole frame of a ping."""
    return encode_frame((number % PING_NUMBERS).to_bytes(PING_BODY_BYTES, "big"), max_bytes=PING_BODY_BYTES)


def ping_number(body: bytes) -> int | None:
    """Return the number in a frame's body, or None when the frame is a message."""
    return int.from_bytes(body, "big") if len(body) == PING_BODY_BYTES else None


def echo_frame(number: int, read_late_seconds: float | None, last_sent_late_seconds: float) -> bytes:
    """Return the whole frame of the echo of a ping that waited for so long to be read; None: not known."""
    if read_late_seconds is None or not 0.0 <= read_late_seconds <= LATE_MOST_SECONDS:
        return ping_frame(number)
    times = (read_late_seconds, max(0.0, min(last_sent_late_seconds, LATE_MOST_SECONDS)))
    told = b"".join(round(seconds / _UNIT_SECONDS).to_bytes(_TIME_BYTES, "big") for seconds in times)
    return encode_frame(number.to_bytes(PING_BODY_BYTES, "big") + told, max_bytes=ECHO_BODY_BYTES)


def read_echo(body: bytes) -> Echo | None:
    """Return the echo in a frame's body, or None when the frame is a message."""
    if len(body) not in (PING_BODY_BYTES, ECHO_BODY_BYTES):
        return None
    number, read, sent = body[:PING_BODY_BYTES], body[PING_BODY_BYTES:-_TIME_BYTES], body[-_TIME_BYTES:]
    if len(body) == PING_BODY_BYTES:
        return Echo(int.from_bytes(number, "big"))
    late = (min(LATE_MOST_SECONDS, int.from_bytes(each, "big") * _UNIT_SECONDS) for each in (read, sent))
    return Echo(int.from_bytes(number, "big"), *late)
