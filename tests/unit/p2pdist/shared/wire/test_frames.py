"""Frames: cut out of a stream as they come, refused by their header when too large."""

import pytest

from p2pdist.shared.wire.frames import FrameDecoder, FrameError, encode_frame


def test_the_cap_holds_to_the_byte_on_both_sides() -> None:
    assert FrameDecoder(max_bytes=5).feed(encode_frame(b"12345", max_bytes=5)) == [b"12345"]
    with pytest.raises(FrameError, match="over this channel's cap"):
        encode_frame(b"123456", max_bytes=5)
    with pytest.raises(FrameError, match="over this channel's cap"):
        FrameDecoder(max_bytes=5).feed(encode_frame(b"123456", max_bytes=6))


def test_an_oversized_frame_is_refused_by_its_header_alone() -> None:
    with pytest.raises(FrameError):
        FrameDecoder(max_bytes=5).feed(b"\xff\xff\xff\xff")


def test_an_empty_frame_is_refused() -> None:
    with pytest.raises(FrameError, match="empty"):
        FrameDecoder(max_bytes=5).feed(bytes(4))


def test_every_prefix_of_a_frame_waits_and_is_an_error_at_the_end_of_the_stream() -> None:
    frame = encode_frame(b"hello", max_bytes=5)
    for length in range(1, len(frame)):
        decoder = FrameDecoder(max_bytes=5)
        assert decoder.feed(frame[:length]) == []
        assert decoder.is_inside_frame
        with pytest.raises(FrameError, match=f"{length} bytes after its start"):
            decoder.at_end_of_stream()


def test_a_stream_may_end_between_frames() -> None:
    decoder = FrameDecoder(max_bytes=5)
    decoder.at_end_of_stream()
    decoder.feed(encode_frame(b"hello", max_bytes=5))
    assert not decoder.is_inside_frame
    decoder.at_end_of_stream()
