"""Pieces as they travel over a branch line: compressed, with bytes that the receiver has already as a prefix. Pure.

A coded piece is a frame of its own, so pieces are decoded in any order, by whoever holds the bytes that its prefix is
made of (ADR 0079). What comes of it is proven by the torrent's hashes like any piece: a wrong prefix costs a piece,
never a wrong byte.
"""

import lzma
import sys
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from p2pdist.shared.wire.fields import MAX_PIECE_BYTES

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Codec: TypeAlias = Literal["zstd", "lzma2_x86"]
"""zstd: a frame of RFC 8878 that knows its length, with a prefix or none. lzma2_x86: LZMA2 behind the x86 filter of xz,
without a prefix; for programs it is a tenth smaller than zstd, and takes ten times as long to decode."""

MAX_PREFIX_RANGES = 16  # of a piece: what moved apart between two versions comes from some places
MAX_PREFIX_BYTES = 12 << 20  # of a piece of 4 MiB: its neighbourhood in the former version, and some more
LEAST_PREFIX_BYTES = 8  # zstd makes no use of a shorter one
LEAST_PIECE_WINDOW_LOG = 10
MAX_PIECE_WINDOW_LOG = 25  # 32 MiB: prefix and piece together, in whole powers of two
LZMA2_FILTERS: tuple[dict[str, int], ...] = ({"id": lzma.FILTER_X86}, {"id": lzma.FILTER_LZMA2, "dict_size": 8 << 20})


class PrefixRange(NamedTuple):
    """Bytes of the base, one stretch of several that make the prefix, in this order."""

    offset: int
    length: int


class CodedPieceError(ValueError):
    """A coded piece is none, or not of this prefix. The text says what is wrong."""


def prefix_length(ranges: Sequence[PrefixRange]) -> int:
    """Return how long the prefix is, in bytes."""
    return sum(one.length for one in ranges)


def encode_zstd(data: bytes, prefix: bytes, level: int) -> bytes:
    """Return a zstd frame of ``data`` with this prefix; ``level``: 1 to 22, as zstd has them."""
    window = max(LEAST_PIECE_WINDOW_LOG, min(MAX_PIECE_WINDOW_LOG, (len(prefix) + len(data) - 1).bit_length()))
    options = {
        int(zstd.CompressionParameter.compression_level): level,
        int(zstd.CompressionParameter.window_log): window,
        int(zstd.CompressionParameter.content_size_flag): 1,
        int(zstd.CompressionParameter.checksum_flag): 0,  # the torrent's hashes prove what comes of it
        int(zstd.CompressionParameter.dict_id_flag): 0,
    }
    base = zstd.ZstdDict(prefix, is_raw=True).as_prefix if len(prefix) >= LEAST_PREFIX_BYTES else None
    return zstd.compress(data, options=options, zstd_dict=base)


def encode_lzma2(data: bytes) -> bytes:
    """Return ``data`` as codec ``lzma2_x86`` has it; it takes a second of a processor for 3 MB."""
    return lzma.compress(data, format=lzma.FORMAT_RAW, filters=[dict(one) for one in LZMA2_FILTERS])


def decode_piece(codec: Codec, data: bytes, prefix: bytes, *, length_bytes: int) -> bytes:
    """Return the piece of ``length_bytes`` that ``data`` stands for. Raises `CodedPieceError`.

    However little ``data`` is, no more than ``length_bytes`` and the prefix are made of it.
    """
    assert length_bytes <= MAX_PIECE_BYTES
    try:
        if codec == "lzma2_x86":
            return _whole(_unpacked_lzma2(data, length_bytes), length_bytes)
        info = zstd.get_frame_info(data)
        if info.decompressed_size != length_bytes:
            raise CodedPieceError(f"it says that it is {info.decompressed_size} bytes, and not {length_bytes}")
        if info.dictionary_id:
            raise CodedPieceError("it is made with a dictionary")
        options = {int(zstd.DecompressionParameter.window_log_max): MAX_PIECE_WINDOW_LOG}
        base = zstd.ZstdDict(prefix, is_raw=True).as_prefix if len(prefix) >= LEAST_PREFIX_BYTES else None
        del prefix  # the library has a copy: where the caller has let go of it, this frees 12 MB on a PC
        unpacking = zstd.ZstdDecompressor(zstd_dict=base, options=options)
        found = unpacking.decompress(data, max_length=length_bytes + 1)
        if not unpacking.eof or unpacking.unused_data:
            raise CodedPieceError("it does not end where it should")
        return _whole(found, length_bytes)
    except (zstd.ZstdError, lzma.LZMAError, EOFError, ValueError) as error:
        if isinstance(error, CodedPieceError):
            raise
        raise CodedPieceError(str(error) or type(error).__name__) from error


def _unpacked_lzma2(data: bytes, length_bytes: int) -> bytes:
    unpacking = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=LZMA2_FILTERS)
    found = unpacking.decompress(data, max_length=length_bytes + 1)
    if not unpacking.eof or unpacking.unused_data:
        raise CodedPieceError("it does not end where it should")
    return found


def _whole(found: bytes, length_bytes: int) -> bytes:
    if len(found) != length_bytes:
        raise CodedPieceError(f"it is {len(found)} bytes, and not {length_bytes}")
    return found
