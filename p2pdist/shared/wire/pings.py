"""Pings on the control connection: frames of 8 bytes, echoed as they are. Pure.

The body of a ping is only its number, in 4 bytes. No message is that short: even
one without fields has a map with its tag. So a frame's length tells them apart.
"""

from p2pdist.shared.wire.frames import encode_frame

PING_BODY_BYTES = 4
PING_NUMBERS = 1 << 32  # the number counts up and wraps


def ping_frame(number: int) -> bytes:
    """Return the whole frame of a ping, or of its echo."""
    return encode_frame((number % PING_NUMBERS).to_bytes(PING_BODY_BYTES, "big"), max_bytes=PING_BODY_BYTES)


def ping_number(body: bytes) -> int | None:
    """Return the number in a frame's body, or None when the frame is a message."""
    return int.from_bytes(body, "big") if len(body) == PING_BODY_BYTES else None
