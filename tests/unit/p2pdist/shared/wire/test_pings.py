"""`p2pdist.shared.wire.pings`: eight bytes, and no message looks like them."""

from typing import get_args

import msgspec
import pytest

from p2pdist.shared.wire.channels import encode_message
from p2pdist.shared.wire.messages import FromEndpoint, PieceStored, Report, RepositoryChanged
from p2pdist.shared.wire.pings import LATE_MOST_SECONDS, Echo, echo_frame, ping_frame, ping_number, read_echo


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
        assert read_echo(encode_message(message)) is None
    for length in (1, 2, 3, 5, 7, 9):
        assert ping_number(bytes(length)) is None
        assert read_echo(bytes(length)) is None


def test_no_message_is_as_short_as_an_echo() -> None:
    kinds = get_args(FromEndpoint)
    assert len(kinds) > 5
    for kind in kinds:
        names = [field.encode_name for field in msgspec.structs.fields(kind) if field.required]
        shortest = 1 + len(msgspec.msgpack.encode("t")) + len(msgspec.msgpack.encode(kind.__struct_config__.tag))
        shortest += sum(len(msgspec.msgpack.encode(name)) + 1 for name in names)
        assert shortest > 8, kind


@pytest.mark.parametrize("late", [0.0, 0.0123, LATE_MOST_SECONDS])
def test_an_echo_says_how_late_the_ping_was_read_and_the_last_echo_sent(late: float) -> None:
    frame = echo_frame(9, late, LATE_MOST_SECONDS - late)
    assert len(frame) == 12
    echo = read_echo(frame[4:])
    assert echo is not None
    assert echo.number == 9
    assert echo.read_late_seconds == pytest.approx(late, abs=1e-4)
    assert echo.last_sent_late_seconds == pytest.approx(LATE_MOST_SECONDS - late, abs=1e-4)


@pytest.mark.parametrize("late", [None, -0.001, LATE_MOST_SECONDS + 0.1, float("inf"), float("nan")])
def test_a_time_that_is_not_known_or_impossible_is_told_as_nothing(late: float | None) -> None:
    assert read_echo(echo_frame(9, late, 0.5)[4:]) == Echo(9, 0.0, 0.5)
    assert read_echo(echo_frame(9, 0.5, late or 0.0)[4:]) == Echo(9, 0.5, 0.0)


def test_no_echo_says_more_than_the_most() -> None:
    assert read_echo(b"\0\0\0\7" + b"\xff" * 4) == Echo(7, LATE_MOST_SECONDS, LATE_MOST_SECONDS)
