"""Codes pieces: by a base, or alone. Blocking; zstd works without the interpreter's lock.

If the base's bytes are wrong at the PC, what comes of them is no piece of the torrent: the PC says ``undecoded``, and
gets it whole. Here they are to be proven: see `ProvenStretches`.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from p2pdist.shared.coded_pieces import Codec, PrefixRange, encode_lzma2, encode_zstd
from p2pdist.shared.identifiers import Sha256Hex

MESSAGE_BYTES = 96  # of a coded piece's message beside that of a whole one, with a base
RANGE_BYTES = 12  # of one range in it
WORTH_SHARE = 0.97  # of a piece: what is not smaller is sent whole, and costs the PC nothing
SAME_LEVEL = 12  # for a piece whose very bytes are in the base: a lower one looks at the end of the prefix alone
_HEAD_BYTES = 64  # looked for, to find these bytes
_MAX_TRIES = 8  # of places where they stand


class StretchReader(Protocol):
    """Reads stretches of payloads: `ProvenStretches`, or a `ContentStore` for what is not sent."""

    def read_stretches(self, sha256: Sha256Hex, stretches: Iterable[tuple[int, int]]) -> bytes:
        """Return these stretches (offset, length) one after the other. Raises `DamagedPayloadError`."""


class Coded(NamedTuple):
    """A piece as it is sent."""

    codec: Codec
    base: str
    """SHA-256 of the payload that the prefix is of; empty: no prefix."""
    ranges: tuple[PrefixRange, ...]
    data: bytes

    @property
    def line_bytes(self) -> int:
        """What it takes of the line, without the frame that every message has."""
        return len(self.data) + MESSAGE_BYTES + RANGE_BYTES * len(self.ranges)


def code_by_base(
    content: StretchReader, base: Sha256Hex, ranges: Sequence[PrefixRange], piece: bytes, level: int
) -> Coded | None:
    """Return ``piece`` coded by these stretches of ``base``; None: it is not worth it. Raises `DamagedPayloadError`."""
    if not ranges:
        return None
    prefix = content.read_stretches(base, ranges)
    same = _same_bytes(ranges, prefix, piece)
    if same is not None:
        ranges, prefix, level = (same,), piece, SAME_LEVEL
    return _if_worth(Coded("zstd", base, tuple(ranges), encode_zstd(piece, prefix, level)), piece)


def code_alone(piece: bytes, level: int) -> Coded | None:
    """Return ``piece`` coded without a base; None: it is not worth it."""
    return _if_worth(Coded("zstd", "", (), encode_zstd(piece, b"", level)), piece)


def code_alone_slowly(piece: bytes, level: int) -> Coded | None:
    """Return as `code_alone`, of both codecs the smaller: a second of a processor for 2 MB."""
    quick, slow = code_alone(piece, level), _if_worth(Coded("lzma2_x86", "", (), encode_lzma2(piece)), piece)
    if quick is None or slow is None:
        return quick or slow
    # it takes a PC ten times as long to decode
    return slow if slow.line_bytes <= WORTH_SHARE * quick.line_bytes else quick


def _if_worth(coded: Coded, piece: bytes) -> Coded | None:
    return coded if coded.line_bytes <= WORTH_SHARE * len(piece) else None


def _same_bytes(ranges: Sequence[PrefixRange], prefix: bytes, piece: bytes) -> PrefixRange | None:
    """Return where in the base these very bytes are, within one stretch; None: they were not found."""
    at = -1
    for _ in range(_MAX_TRIES):
        at = prefix.find(piece[:_HEAD_BYTES], at + 1)
        if at < 0:
            return None
        if prefix.startswith(piece, at):
            break
    else:
        return None
    for one in ranges:
        if at + len(piece) <= one.length:
            return PrefixRange(one.offset + at, len(piece))
        if at < one.length:
            return None
        at -= one.length
    return None
