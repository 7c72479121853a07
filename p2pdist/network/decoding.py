"""Makes pieces of coded ones, with the bytes of former payloads that lie in the cache. Blocking.

Whatever the server sends and whatever lies there, no more memory is taken than a piece and its prefix need, and what
comes of it is proven afterwards like any piece.
"""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from p2pdist.shared.coded_pieces import MAX_PREFIX_BYTES, CodedPieceError, PrefixRange, decode_piece, prefix_length
from p2pdist.shared.open_flags import READ_NO_LINK
from p2pdist.shared.wire.data_messages import CodedPiece


def decoded(directory: Path, message: CodedPiece, length_bytes: int) -> bytes:
    """Return the piece, ``length_bytes`` long, that ``message`` stands for; former payloads are in ``directory``.

    Raises `CodedPieceError`, which says what is wrong with it or with its base.
    """
    if message.length_bytes != length_bytes:
        raise CodedPieceError(f"it is said to be {message.length_bytes} bytes, and not {length_bytes}")
    ranges = tuple(PrefixRange(*one) for one in message.ranges)
    if bool(message.base) != bool(ranges):
        raise CodedPieceError("it names a base and no bytes of it, or bytes of no base")
    # no name for the prefix here: the one who decodes can free it, while the library has its own copy
    return decode_piece(
        message.codec,
        message.data,
        read_prefix(directory / message.base, ranges) if ranges else b"",
        length_bytes=length_bytes,
    )


def read_prefix(base: Path, ranges: Sequence[PrefixRange]) -> bytes:
    """Return these stretches of ``base``, one after the other. Raises `CodedPieceError`: they cannot be had."""
    total = prefix_length(ranges)
    if total > MAX_PREFIX_BYTES:
        raise CodedPieceError(f"its prefix has {total} bytes, over the cap of {MAX_PREFIX_BYTES}")
    try:
        descriptor = os.open(base, READ_NO_LINK)
    except OSError as error:
        raise CodedPieceError(f"its base cannot be read: {error.strerror}") from error
    try:
        return _stretches(descriptor, ranges)
    except OSError as error:
        raise CodedPieceError(f"its base cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


def _stretches(descriptor: int, ranges: Sequence[PrefixRange]) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise CodedPieceError("its base is not a file")
    if any(one.offset + one.length > status.st_size for one in ranges):
        raise CodedPieceError("its base is shorter than its prefix")
    with open(descriptor, "rb", closefd=False, buffering=0) as file:
        parts: list[bytes] = []
        for one in ranges:
            file.seek(one.offset)
            part = file.read(one.length)
            if part is None or len(part) != one.length:  # it has become shorter meanwhile
                raise CodedPieceError("its base is shorter than its prefix")
            parts.append(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)
