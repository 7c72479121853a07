"""`p2pdist.shared.wire.pings`: eight bytes, and no message looks like them."""

import pytest

from p2pdist.shared.wire.messages import PieceStored, Report, RepositoryChanged, encode_message
from p2pdist.shared.wire.pings import ping_frame, ping_number


@pytest.mark.parametrize("number", [0, 1, (1 << 32) - 1])
def test_eight_bytes_with_the_number(number: int) -> None:
    frame = ping_frame(number)
    assert len(frame) == 8
    assert ping_number(frame[4:]) == number


def test_numbers_begin_again() -> None:
    assert ping_frame(1 << 32) == ping_frame(0)


def test_messages_and_fragments_are_none() -> None:
    for message in (
        Report(patches=[], refuses=""),
        RepositoryChanged(timestamp_version=0),
        PieceStored(torrent="0" * 64, piece=0),
    ):
        assert ping_number(encode_message(message)) is None
    for length in (1, 2, 3, 5):
        assert ping_number(bytes(length)) is None
