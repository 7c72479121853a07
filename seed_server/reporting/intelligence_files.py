"""Opens files of intelligence, packed by gzip or not, and says what they are by what is in them. Blocking.

They come from the internet by hand, so each is as hostile as what was there: nothing is unpacked as a whole, and each
ends at the caps of its kind.
"""

import hashlib
import itertools
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, TypeAlias

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.printable_text import printable
from seed_server.reporting.intelligence_epss import read_epss
from seed_server.reporting.intelligence_formats import (
    MAX_INTELLIGENCE_BYTES,
    FileForm,
    IntelligenceFileError,
    ReadEpss,
    ReadKev,
    form_of,
)
from seed_server.reporting.intelligence_kev import MAX_KEV_BYTES, read_kev

UNPACKED_AT_ONCE_BYTES = 64 << 10  # at once
_GZIP = b"\x1f\x8b"
_GZIP_WINDOW = 31  # zlib's word for: with gzip's header and checksum

ReadIntelligence: TypeAlias = ReadKev | ReadEpss
_NEITHER: dict[FileForm, str] = {
    "zip": "it is a zip archive; unpack it, and give what is in it",
    "utf-16": "it is UTF-16, as an editor may have written it; give it as it was downloaded",
    "html": "it is a web page; download the file itself",
    "unknown": "it is neither CISA's KEV catalogue (JSON) nor FIRST's EPSS scores (CSV, or that packed as .gz)",
}


class IntelligenceFile(NamedTuple):
    """A file that was read and checked."""

    path: Path
    sha256: str
    """Of the file as it lies there, in hex."""
    read: ReadIntelligence


def read_intelligence(path: Path, now: float) -> IntelligenceFile:
    """Return what is in a file; ``now``, in seconds since 1970: none is of a later day.

    Raises `UserError` (BAD_INPUT) for a file that cannot be read, is none of those that are known, or is damaged.
    """
    try:
        with _opened(path) as file:
            digest = hashlib.sha256()
            read = _read(_given(file, digest), now)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Check the path.", FaultKind.BAD_INPUT) from error
    except IntelligenceFileError as error:
        raise UserError(
            f"{printable(str(path))} is not taken: {error}. Nothing was changed. Download it again: docs/priority.md "
            "says where from.",
            FaultKind.BAD_INPUT,
        ) from error
    return IntelligenceFile(path, digest.hexdigest(), read)


def _opened(path: Path) -> IO[bytes]:
    # a pipe that nobody writes into would be waited for, here or at its first byte
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise IntelligenceFileError("it is no file")
    return os.fdopen(descriptor, "rb")


def _read(given: Iterator[bytes], now: float) -> ReadIntelligence:
    first = next(given, b"")
    chunks = itertools.chain([first], given)
    if first.startswith(_GZIP):
        chunks = itertools.chain(_unpacked(chunks))
        first = next(chunks, b"")
        chunks = itertools.chain([first], chunks)
    form = form_of(first)
    if form == "epss":
        return read_epss(chunks, now)
    if form == "kev":
        return read_kev(_joined(chunks, MAX_KEV_BYTES), now)
    raise IntelligenceFileError(_NEITHER[form])


def _given(file: IO[bytes], digest: "hashlib._Hash") -> Iterator[bytes]:
    left = MAX_INTELLIGENCE_BYTES
    while chunk := file.read(UNPACKED_AT_ONCE_BYTES):
        left -= len(chunk)
        if left < 0:
            raise IntelligenceFileError(f"it has more than {MAX_INTELLIGENCE_BYTES >> 20} MiB")
        digest.update(chunk)
        yield chunk


def _unpacked(packed: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what is in a gzip file, at most `UNPACKED_AT_ONCE_BYTES` at once; it has one member."""
    unpacker, left = zlib.decompressobj(_GZIP_WINDOW), MAX_INTELLIGENCE_BYTES
    try:
        for chunk in packed:
            if unpacker.eof:
                raise IntelligenceFileError("there is something behind the end of what is packed")
            waiting, found = chunk, b"."
            while (
                waiting or len(found) == UNPACKED_AT_ONCE_BYTES
            ) and not unpacker.eof:  # there may be more of what it has read
                found = unpacker.decompress(waiting, UNPACKED_AT_ONCE_BYTES)
                waiting = unpacker.unconsumed_tail
                left -= len(found)
                if left < 0:
                    raise IntelligenceFileError(
                        f"it has more than {MAX_INTELLIGENCE_BYTES >> 20} MiB when it is unpacked"
                    )
                if found:
                    yield found
            if unpacker.unused_data:
                raise IntelligenceFileError("there is something behind the end of what is packed")
    except zlib.error as error:
        raise IntelligenceFileError(f"it cannot be unpacked: {error}") from error
    if not unpacker.eof:
        raise IntelligenceFileError("it ends in the middle")


def _joined(chunks: Iterator[bytes], most: int) -> bytes:
    found = bytearray()
    for chunk in chunks:
        found += chunk
        if len(found) > most:
            raise IntelligenceFileError(f"it has more than {most >> 20} MiB")
    return bytes(found)
