"""`p2pdist.shared.coded_pieces`: what is coded comes back, in few bytes; nothing else comes of it than its length."""

import random

import pytest

from p2pdist.shared.coded_pieces import (
    LEAST_PREFIX_BYTES,
    MAX_PREFIX_BYTES,
    CodedPieceError,
    PrefixRange,
    decode_piece,
    encode_lzma2,
    encode_zstd,
    prefix_length,
)
from p2pdist.shared.wire.fields import MAX_PIECE_BYTES

OLD = random.Random(1).randbytes(200_000)
NEW = OLD[100:90_000] + b"new" + OLD[90_000:]


@pytest.mark.parametrize("level", [1, 9, 19])
def test_a_piece_is_some_bytes_where_its_prefix_has_the_rest(level: int) -> None:
    frame = encode_zstd(NEW, OLD, level)
    assert len(frame) < 300
    assert decode_piece("zstd", frame, OLD, length_bytes=len(NEW)) == NEW
    assert len(encode_zstd(OLD, OLD, level)) < 100


@pytest.mark.parametrize("length", [0, 1, LEAST_PREFIX_BYTES - 1, LEAST_PREFIX_BYTES])
def test_a_prefix_may_be_short_or_none(length: int) -> None:
    frame = encode_zstd(NEW, OLD[:length], 3)
    assert decode_piece("zstd", frame, OLD[:length], length_bytes=len(NEW)) == NEW


def test_the_largest_piece_with_the_longest_prefix() -> None:
    prefix = OLD * (MAX_PREFIX_BYTES // len(OLD) + 1)
    piece = bytes(reversed(prefix[:MAX_PIECE_BYTES]))
    frame = encode_zstd(piece, prefix[:MAX_PREFIX_BYTES], 1)
    assert decode_piece("zstd", frame, prefix[:MAX_PREFIX_BYTES], length_bytes=MAX_PIECE_BYTES) == piece


def test_programs_without_a_prefix() -> None:
    # calls of one function from many places: only behind the filter they are the same bytes
    calls = (b"\xe8" + (1_000_000 - at).to_bytes(4, "little") + b"\x90" for at in range(5, 60_000, 6))
    program = b"".join(calls)
    coded = encode_lzma2(program)
    assert len(coded) < len(program) // 50
    assert decode_piece("lzma2_x86", coded, b"", length_bytes=len(program)) == program


def test_of_a_frame_that_is_none_of_ours_comes_an_error() -> None:
    good = encode_zstd(NEW, OLD, 3)
    for frame, prefix, length in (
        (good, OLD, len(NEW) + 1),
        (good, OLD, len(NEW) - 1),
        (good + b"x", OLD, len(NEW)),
        (good + good, OLD, len(NEW)),
        (good[:-1], OLD, len(NEW)),
        (b"", OLD, len(NEW)),
        (bytes.fromhex("28b52ffd000021000064617461"), b"", 4),  # a frame of "data" that does not say how long it is
    ):
        with pytest.raises(CodedPieceError):
            decode_piece("zstd", frame, prefix, length_bytes=length)
    with pytest.raises(CodedPieceError):
        decode_piece("lzma2_x86", encode_lzma2(NEW) + b"x", b"", length_bytes=len(NEW))
    with pytest.raises(CodedPieceError):
        decode_piece("lzma2_x86", encode_lzma2(NEW + NEW), b"", length_bytes=len(NEW))


def test_a_wrong_prefix_gives_an_error_or_other_bytes_of_that_length() -> None:
    frame = encode_zstd(NEW, OLD, 3)
    for prefix in (OLD[:-1], b"", bytes(len(OLD))):
        try:
            found = decode_piece("zstd", frame, prefix, length_bytes=len(NEW))
        except CodedPieceError:
            continue
        assert len(found) == len(NEW)
        assert found != NEW


def test_how_long_a_prefix_is() -> None:
    assert prefix_length(()) == 0
    assert prefix_length([PrefixRange(5, 7), PrefixRange(0, 3)]) == 10
