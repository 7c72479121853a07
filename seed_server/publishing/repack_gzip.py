"""A gzip file whose blocks are stored: as long as what is in it, and still what its name says. Blocking.

The blocks are written here: zlib divides them otherwise from release to release.
"""

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from seed_server.publishing.repack_deb import member_reader
from seed_server.publishing.stored_form import (
    NOTHING_PACKED,
    LeftAlone,
    RepackError,
    Repacking,
    StoredForm,
    checked_length,
)
from seed_server.publishing.unpacked_streams import SeveralStreamsError, UnpackError, gunzipped

GZIP_MAGIC = b"\x1f\x8b"
MAX_GZIP_TEXT_BYTES = 64 << 10  # of the name and the comment in its header, together

_BLOCK_BYTES = 65_535  # the most that a stored block holds
_BLOCK_HEADER_BYTES = 5
_HEADER_CRC, _EXTRA, _NAME, _COMMENT = 2, 4, 8, 16  # bits of its flags


class _SeveralPartsError(RepackError):
    """Such as the signature, the control files and the data of an Alpine package, each signed or hashed as it is."""


def plan_gzip(file: BinaryIO) -> Repacking:
    """Return the stored form of a gzip file, or why it has none. Raises `RepackError`, `OSError`."""
    length = file.seek(0, 2)
    file.seek(0)
    if file.read(len(GZIP_MAGIC)) != GZIP_MAGIC:
        raise RepackError("it is no gzip file")
    file.seek(0)
    head = file.read(10 + MAX_GZIP_TEXT_BYTES)
    if head[3:4] and head[3] & _EXTRA:
        return LeftAlone("its header has fields that say how it is packed")
    header = _header(head)
    content = 0
    try:
        for part in _content(file):
            content = checked_length(content + len(part))
    except _SeveralPartsError:
        return LeftAlone("it has several parts, and some programs tell them apart")
    blocks = max(1, -(-content // _BLOCK_BYTES))
    total = len(header) + content + blocks * _BLOCK_HEADER_BYTES + 8
    if total <= length:
        return NOTHING_PACKED
    return StoredForm(checked_length(total), lambda again: _parts(again, header, content))


def _header(head: bytes) -> bytes:
    """Return it with time, system, name and comment as they are, and nothing that says how it was packed."""
    if len(head) < 10 or head[2] != 8:
        raise RepackError("it is damaged: its header is none of gzip")
    end = 10
    for flag in (_NAME, _COMMENT):
        if head[3] & flag:
            place = head.find(b"\0", end)
            if place < 0:
                raise RepackError("it is damaged: its header has no end")
            end = place + 1
    return head[:3] + bytes([head[3] & ~_HEADER_CRC]) + head[4:8] + b"\0" + head[9:end]


def _content(file: BinaryIO) -> Iterator[bytes]:
    length = file.seek(0, 2)
    try:
        yield from gunzipped(member_reader(file, 0, length))
    except SeveralStreamsError as error:
        raise _SeveralPartsError(str(error)) from error
    except UnpackError as error:
        raise RepackError(str(error)) from error


def _parts(file: BinaryIO, header: bytes, length: int) -> Iterator[bytes]:
    yield header
    checksum, left, waiting = 0, length, bytearray()
    for part in _content(file):
        checksum = zlib.crc32(part, checksum)
        waiting += part
        while len(waiting) >= _BLOCK_BYTES and left > _BLOCK_BYTES:
            yield _block(bytes(waiting[:_BLOCK_BYTES]), last=False)
            del waiting[:_BLOCK_BYTES]
            left -= _BLOCK_BYTES
    yield _block(bytes(waiting), last=True)
    yield checksum.to_bytes(4, "little") + (length & 0xFFFFFFFF).to_bytes(4, "little")


def _block(data: bytes, *, last: bool) -> bytes:
    size = len(data)
    if size > _BLOCK_BYTES:
        raise RepackError("it changed while it was read")
    return bytes([last]) + size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little") + data
