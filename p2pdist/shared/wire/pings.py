"""Pings on the control connection: frames of 8 bytes, echoed with how late they were read. Pure.

The body of a ping is only its number, in 4 bytes; an echo has 4 bytes more where the PC knows when the ping came in. No
message is that short. So a frame's length tells them apart.
"""

from typing import NamedTuple

from p2pdist.shared.wire.frames import encode_frame

PING_BODY_BYTES = 4
ECHO_BODY_BYTES = 8
PING_NUMBERS = 1 << 32  # the number counts up and wraps
WAITED_MOST_SECONDS = 2.0  # a longer time is of a clock that was set, or of a PC that slept


class Echo(NamedTuple):
    """The answer to a ping."""

    number: int
    waited_seconds: float
    """From the ping's arrival at the PC until it was read; 0 where the PC does not know."""


def ping_frame(number: int) -> bytes:
    """Return the whole frame of a ping."""
    return encode_frame((number % PING_NUMBERS).to_bytes(PING_BODY_BYTES, "big"), max_bytes=PING_BODY_BYTES)


def ping_number(body: bytes) -> int | None:
    """Return the number in a frame's body, or None when the frame is a message."""
    return int.from_bytes(body, "big") if len(body) == PING_BODY_BYTES else None


def echo_frame(number: int, waited_seconds: float | None) -> bytes:
    """Return the whole frame of the echo of a ping that waited for so long to be read; None: not known."""
    if waited_seconds is None or not 0.0 <= waited_seconds <= WAITED_MOST_SECONDS:
        return ping_frame(number)
    body = number.to_bytes(PING_BODY_BYTES, "big") + int(1e6 * waited_seconds).to_bytes(4, "big")
    return encode_frame(body, max_bytes=ECHO_BODY_BYTES)


def read_echo(body: bytes) -> Echo | None:
    """Return the echo in a frame's body, or None when the frame is a message."""
    if len(body) == PING_BODY_BYTES:
        return Echo(int.from_bytes(body, "big"), 0.0)
    if len(body) == ECHO_BODY_BYTES:
        number, waited = body[:PING_BODY_BYTES], body[PING_BODY_BYTES:]
        return Echo(int.from_bytes(number, "big"), int.from_bytes(waited, "big") * 1e-6)
    return None
