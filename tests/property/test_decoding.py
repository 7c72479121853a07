"""Coded pieces under any input: what is coded comes back, and of anything else comes a piece's length or one error."""

import itertools
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from p2pdist.network.decoding import decoded
from p2pdist.shared.coded_pieces import (
    MAX_PREFIX_RANGES,
    CodedPieceError,
    encode_lzma2,
    encode_zstd,
)
from p2pdist.shared.wire.data_messages import CodedPiece

BASE = "a" * 64
OLD = bytes(itertools.islice(itertools.cycle(range(251)), 4_000))
DIRECTORY = tempfile.TemporaryDirectory()
HERE = Path(DIRECTORY.name)
(HERE / BASE).write_bytes(OLD)

codecs = st.sampled_from(["zstd", "lzma2_x86"])
lengths = st.integers(1, 5_000)
stretches = st.tuples(st.integers(0, 5_000) | st.integers(0, 1 << 50), st.integers(1, 5_000) | st.integers(1, 1 << 50))
ranges = st.lists(stretches, max_size=MAX_PREFIX_RANGES).map(tuple)
inside = st.lists(
    st.integers(0, len(OLD) - 1).flatmap(lambda at: st.tuples(st.just(at), st.integers(1, len(OLD) - at))),
    min_size=1,
    max_size=MAX_PREFIX_RANGES,
).map(tuple)


def coded(codec: Any, data: bytes, length: int, **fields: Any) -> CodedPiece:
    return CodedPiece(torrent="b" * 64, piece=0, codec=codec, length_bytes=length, data=data, **fields)


def prefix_of(some: tuple[tuple[int, int], ...]) -> bytes:
    return b"".join(OLD[offset : offset + length] for offset, length in some)


def comes_of(message: CodedPiece, length: int) -> bytes | None:
    try:
        piece = decoded(HERE, message, length)
    except CodedPieceError:
        return None
    assert len(piece) == length
    return piece


@given(codec=codecs, data=st.binary(min_size=1, max_size=300), length=lengths, ranges=ranges, base=st.booleans())
def test_any_bytes_are_a_piece_or_one_error(codec: Any, data: bytes, length: int, ranges: Any, base: bool) -> None:
    message = coded(codec, data, length, ranges=ranges, base=BASE if base else "")
    comes_of(message, length)
    comes_of(message, length + 1)


@given(data=st.binary(min_size=1, max_size=5_000), ranges=inside, level=st.integers(1, 22))
def test_what_is_coded_comes_back(data: bytes, ranges: Any, level: int) -> None:
    mixed = data + OLD[: len(data)]
    frame = encode_zstd(mixed, prefix_of(ranges), level)
    assert comes_of(coded("zstd", frame, len(mixed), base=BASE, ranges=ranges), len(mixed)) == mixed
    assert comes_of(coded("zstd", encode_zstd(mixed, b"", level), len(mixed)), len(mixed)) == mixed
    assert comes_of(coded("lzma2_x86", encode_lzma2(mixed), len(mixed)), len(mixed)) == mixed


@given(ranges=inside, at=st.integers(0, 10_000), byte=st.integers(0, 255), cut=st.integers(0, 30), codec=codecs)
def test_a_damaged_one_is_a_piece_or_one_error(ranges: Any, at: int, byte: int, cut: int, codec: Any) -> None:
    piece = OLD[500:3_000] + b"new" * 50
    frame = bytearray(encode_zstd(piece, prefix_of(ranges), 3) if codec == "zstd" else encode_lzma2(piece))
    frame[at % len(frame)] = byte
    base: dict[str, Any] = {"base": BASE, "ranges": ranges} if codec == "zstd" else {}
    comes_of(coded(codec, bytes(frame[: max(1, len(frame) - cut)]), len(piece), **base), len(piece))


@given(ranges=inside, other=inside)
def test_a_wrong_prefix_makes_no_more_than_a_piece(ranges: Any, other: Any) -> None:
    piece = OLD[:3_000]
    frame = encode_zstd(piece, prefix_of(ranges), 3)
    comes_of(coded("zstd", frame, len(piece), base=BASE, ranges=other), len(piece))
