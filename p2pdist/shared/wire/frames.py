"""Length-prefixed frames: 4 bytes of big-endian length, then that many bytes of msgpack. Pure.

The decoder refuses an oversized frame by its header alone, before it keeps a byte of the body. So a peer can make it
hold at most one frame.
"""

FRAME_HEADER_BYTES = 4
SEND_SECONDS = 30.0  # a control frame that cannot be sent for this long: dead connection


class FrameError(ValueError):
    """Bytes are not a valid frame. When the other side sent them, the connection must be closed."""


def encode_frame(body: bytes, *, max_bytes: int) -> bytes:
    """Return header and body. Raises `FrameError` when our own body is over ``max_bytes``."""
    if len(body) > max_bytes:
        raise FrameError(f"a frame of {len(body)} bytes is over this channel's cap of {max_bytes}")
    return len(body).to_bytes(FRAME_HEADER_BYTES, "big") + body


class FrameDecoder:
    """Splits a byte stream into frame bodies of at most ``max_bytes`` each."""

    __slots__ = ("_buffer", "_max_bytes")

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Add bytes of the stream, and return the bodies that are now complete.

        Raises `FrameError` for an empty frame and for one whose header announces
        more than the cap.
        """
        self._buffer += data
        bodies: list[bytes] = []
        start = 0
        while len(self._buffer) - start >= FRAME_HEADER_BYTES:
            length = int.from_bytes(self._buffer[start : start + FRAME_HEADER_BYTES], "big")
            if length == 0:
                raise FrameError("empty frame")
            if length > self._max_bytes:
                raise FrameError(f"frame of {length} bytes is over this channel's cap of {self._max_bytes}")
            end = start + FRAME_HEADER_BYTES + length
            if len(self._buffer) < end:
                break
            bodies.append(bytes(self._buffer[start + FRAME_HEADER_BYTES : end]))
            start = end
        del self._buffer[:start]
        return bodies

    @property
    def is_inside_frame(self) -> bool:
        """Whether a part of a frame has come, and the rest has not."""
        return bool(self._buffer)

    def at_end_of_stream(self) -> None:
        """Check that the stream ends between two frames. Raises `FrameError` if it ends inside one."""
        if self._buffer:
            raise FrameError(f"stream ended inside a frame, {len(self._buffer)} bytes after its start")
