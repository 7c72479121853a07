"""A file told as its difference from an older one that the receiver has. Pure.

A publication adds one entry to signed lists of thousands, and changes their version and signature. So of a list of
150 kB a few hundred bytes are new. What is made of a difference is believed as little as what is downloaded: whoever
uses it verifies it. The checksum only tells a difference that was meant for another older file, so that the file
itself can be asked for instead.
"""

import zlib
from typing import Annotated

import msgspec

from p2pdist.shared.wire.codec import DecodeError, Record

LEAST_COPY_BYTES = 24  # what is found again is as long as this: to name it costs a dozen bytes
MAX_COPIED_PARTS = 4_096  # of one file; with more changes than that there is little to be saved
MAX_CHANGED_FILE_BYTES = 1 << 24  # an offset or a length in an older file; signed files have at most some megabytes

_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_CHANGED_FILE_BYTES)]


class Difference(Record, frozen=True, array_like=True):
    """How to make a file of an older one: bytes that are new, and between them bytes copied from the older one."""

    new: bytes
    """All new bytes, in their order."""
    copies: Annotated[tuple[tuple[_Count, _Count, _Count], ...], msgspec.Meta(max_length=MAX_COPIED_PARTS)]
    """(how many new bytes come before it, offset in the older file, length). The last new bytes come after all."""
    checksum: Annotated[int, msgspec.Meta(ge=0, lt=1 << 32)]
    """CRC-32 of the whole file."""


def difference(older: bytes, newer: bytes) -> Difference | None:
    """Return how to make ``newer`` of ``older``; None: there are too many changes for that to be worth while."""
    size = LEAST_COPY_BYTES
    known = {older[at : at + size]: at for at in range(0, len(older) - size + 1, size)}
    copies: list[tuple[int, int, int]] = []
    new = bytearray()
    told = at = 0  # of the newer one, what is told by now and where to look next
    while at + size <= len(newer):
        offset = known.get(newer[at : at + size])
        if offset is None:
            at += 1
            continue
        while at > told and offset and older[offset - 1] == newer[at - 1]:
            offset, at = offset - 1, at - 1
        length = _common_length(older, offset, newer, at)
        new += newer[told:at]
        copies.append((at - told, offset, length))
        told = at = at + length
        if len(copies) > MAX_COPIED_PARTS:
            return None
    return Difference(bytes(new + newer[told:]), tuple(copies), zlib.crc32(newer))


def _common_length(older: bytes, offset: int, newer: bytes, at: int) -> int:
    """Return how many bytes are the same from these places on."""
    same, more = 0, min(len(older) - offset, len(newer) - at)
    while same < more:  # they are the same for `same` bytes, and not for longer than `more`
        half = (same + more + 1) // 2
        if older[offset + same : offset + half] == newer[at + same : at + half]:
            same = half
        else:
            more = half - 1
    return same


def apply(change: Difference, older: bytes, *, max_bytes: int) -> bytes:
    """Return the file that ``change`` makes of ``older``, of at most ``max_bytes``.

    Raises `DecodeError` where it does not fit ``older``, or the file would be larger.
    """
    if len(change.new) + sum(length for _, _, length in change.copies) > max_bytes:
        raise DecodeError(f"a difference makes more than {max_bytes} bytes")
    made = bytearray()
    at = 0
    for fresh, offset, length in change.copies:
        if at + fresh > len(change.new) or offset + length > len(older):
            raise DecodeError("a difference names bytes that are not there")
        made += change.new[at : at + fresh]
        made += older[offset : offset + length]
        at += fresh
    made += change.new[at:]
    if zlib.crc32(made) != change.checksum:
        raise DecodeError("a difference was made for another file")
    return bytes(made)
