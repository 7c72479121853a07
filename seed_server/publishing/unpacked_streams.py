"""Packed bytes, unpacked piece by piece: memory is bounded, however much a stream says that it holds. Blocking.

The packings are those of Debian packages and of archives. What follows a stream is another one, or zeros.
"""

import bz2
import lzma
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Literal, Protocol, TypeAlias

from p2pdist.shared.archive_members import MAX_DECODER_BYTES

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKED_READ_BYTES = 256 << 10
UNPACKED_CHUNK_BYTES = 1 << 20
UNPACK_WINDOW_LOG = 27  # of zstd: 128 MiB of memory, what its own tools allow

Packing: TypeAlias = Literal["gz", "xz", "zst", "bz2"]
ReadPacked: TypeAlias = Callable[[int], bytes]
"""Returns at most so many of the next bytes; b"" at the end."""

_GZIP_BEGIN = b"\x1f"  # of its magic one byte is enough: the other one may be the next that is read
_MAGIC: dict[bytes, Packing] = {b"\x1f\x8b": "gz", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zst", b"BZh": "bz2"}


class UnpackError(Exception):
    """The bytes are damaged, or not of this packing. The message says how; it is for people."""


class SeveralStreamsError(UnpackError):
    """Another stream follows the first one."""


class _Decoder(Protocol):
    """What the decoders of the standard library have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def packing_of(head: bytes) -> Packing | None:
    """Return how bytes that begin so are packed; None: not at all, or in a way that is not known here."""
    return next((packing for magic, packing in _MAGIC.items() if head.startswith(magic)), None)


def unpacked(read: ReadPacked, packing: Packing) -> Iterator[bytes]:
    """Yield what the streams hold, at most `UNPACKED_CHUNK_BYTES` at a time.

    Raises `UnpackError`, and what ``read`` raises.
    """
    packed = read(PACKED_READ_BYTES)
    while packed:
        decoder = _decoder(packing)
        yield from _stream(read, decoder, packed)
        packed = decoder.unused_data.lstrip(b"\0")
        while not packed and (more := read(PACKED_READ_BYTES)):
            packed = more.lstrip(b"\0")


def gunzipped(read: ReadPacked) -> Iterator[bytes]:
    """Yield what one stream of gzip holds, which nothing but zeros may follow.

    Raises as `unpacked`, `SeveralStreamsError` where another one follows.
    """
    decoder = _decoder("gz")
    yield from _stream(read, decoder, b"")
    rest = decoder.unused_data.lstrip(b"\0")
    while not rest and (more := read(PACKED_READ_BYTES)):
        rest = more.lstrip(b"\0")
    if rest.startswith(_GZIP_BEGIN):
        raise SeveralStreamsError("it has several parts")
    if rest:
        raise UnpackError("it has bytes behind its end")


def inflated(read: ReadPacked) -> Iterator[bytes]:
    """Yield what one raw stream of deflate holds, which must fill what ``read`` gives. Raises as `unpacked`."""
    decoder = _Inflating(-zlib.MAX_WBITS)
    yield from _stream(read, decoder, b"")
    if decoder.unused_data or read(1):
        raise UnpackError("it has bytes behind its end")


def bunzipped(read: ReadPacked) -> Iterator[bytes]:
    """Yield what one stream of bzip2 holds, which must fill what ``read`` gives. Raises as `unpacked`."""
    decoder = bz2.BZ2Decompressor()
    yield from _stream(read, decoder, b"")
    if decoder.unused_data or read(1):
        raise UnpackError("it has bytes behind its end")


def _stream(read: ReadPacked, decoder: _Decoder, packed: bytes) -> Iterator[bytes]:
    while not decoder.eof:
        if decoder.needs_input and not packed:
            packed = read(PACKED_READ_BYTES)
            if not packed:
                raise UnpackError("it ends too early")
        try:
            found = decoder.decompress(packed, UNPACKED_CHUNK_BYTES)
        except (zlib.error, lzma.LZMAError, zstd.ZstdError, OSError, EOFError, ValueError) as error:
            raise UnpackError(f"it is damaged: {error}") from error
        packed = b""
        if found:
            yield found


def _decoder(packing: Packing) -> _Decoder:
    if packing == "gz":
        return _Inflating(16 + zlib.MAX_WBITS)
    if packing == "xz":
        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MAX_DECODER_BYTES)
    if packing == "zst":
        return zstd.ZstdDecompressor(options={int(zstd.DecompressionParameter.window_log_max): UNPACK_WINDOW_LOG})
    return bz2.BZ2Decompressor()


class _Inflating:
    """zlib's decoder, as the others are."""

    def __init__(self, wbits: int) -> None:
        self._decoder = zlib.decompressobj(wbits)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._decoder.eof

    @property
    def needs_input(self) -> bool:
        return not self._full and not self._decoder.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._decoder.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        found = self._decoder.decompress(self._decoder.unconsumed_tail + data, max_length)
        self._full = len(found) == max_length
        return found
