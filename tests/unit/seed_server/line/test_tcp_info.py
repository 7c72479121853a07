"""`seed_server.line.tcp_info` on recorded bytes, and on a real socket."""

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seed_server.line.tcp_info import has_left, has_sent, parse_tcp_info, read_tcp_info

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="TCP_INFO has this form on Linux")
RECORDED = [
    bytes.fromhex(text)
    for text in json.loads((Path(__file__).parent / "recorded" / "tcp_info.json").read_text())["little_endian_hex"]
]


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sender = socket.create_connection(server.getsockname())
        receiver, _ = server.accept()
        with sender, receiver:
            yield sender, receiver


@pytest.mark.skipif(sys.byteorder != "little", reason="was recorded on a little-endian machine")
def test_recorded_bytes_of_a_lossy_line() -> None:
    looks = [parse_tcp_info(data) for data in RECORDED]
    first, middle, last = looks
    assert first is not None
    assert middle is not None
    assert last is not None
    assert last.rtt_seconds == pytest.approx(0.005992)
    assert last.rtt_variation_seconds == pytest.approx(0.00079)
    assert last.least_rtt_seconds == pytest.approx(19e-6)
    assert (last.acked_bytes, last.retransmits, last.segment_bytes) == (7_195_112, 68, 1_448)
    assert (last.window_segments, last.slow_start_threshold_segments) == (11, 11)
    assert (last.in_flight_segments, last.unsent_bytes, last.delivery_rate) == (8, 102_488, 1_961_764)
    assert not last.application_limited
    assert first.slow_start_threshold_segments is None
    assert first.acked_bytes < middle.acked_bytes < last.acked_bytes


@pytest.mark.skipif(sys.byteorder != "little", reason="was recorded on a little-endian machine")
def test_every_shorter_structure_is_none_and_a_longer_one_is_read() -> None:
    whole = RECORDED[-1]
    needed = next(length for length in range(len(whole) + 1) if parse_tcp_info(whole[:length]) is not None)
    assert needed == 192
    assert parse_tcp_info(whole + bytes(64)) == parse_tcp_info(whole)
    shorter = parse_tcp_info(whole[:needed])
    assert shorter is not None
    assert shorter.needless_retransmits == 0


@pytest.mark.skipif(sys.byteorder != "little", reason="was recorded on a little-endian machine")
def test_what_has_arrived_before_a_missing_segment_has_arrived() -> None:
    data = bytearray(RECORDED[-1])
    look = parse_tcp_info(bytes(data))
    assert look is not None
    assert (look.early_segments, look.arrived_bytes) == (0, 7_195_112)
    data[28:32] = (3).to_bytes(4, "little")  # tcpi_sacked
    look = parse_tcp_info(bytes(data))
    assert look is not None
    assert (look.acked_bytes, look.arrived_bytes) == (7_195_112, 7_195_112 + 3 * 1_448)


@linux_only
def test_a_real_socket(pair: tuple[socket.socket, socket.socket]) -> None:
    sender, receiver = pair
    data = os.urandom(200_000)
    sender.sendall(data)
    read = 0
    while read < len(data):
        read += len(receiver.recv(65_536))
    look = read_tcp_info(sender)
    assert look is not None
    assert 0 < look.acked_bytes <= len(data) + 1  # the first acknowledgement counts the SYN
    assert 0 < look.rtt_seconds < 1
    assert look.least_rtt_seconds is not None
    assert look.least_rtt_seconds <= 1
    assert look.segment_bytes >= 500
    assert look.window_segments >= 1
    assert look.retransmits == 0


@linux_only
def test_unsent_bytes_are_seen_behind_a_receiver_that_does_not_read(pair: tuple[socket.socket, socket.socket]) -> None:
    sender, _ = pair
    sender.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            sender.send(bytes(65_536))
    look = read_tcp_info(sender)
    assert look is not None
    assert look.unsent_bytes > 0


def test_nothing_elsewhere(pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seed_server.line.tcp_info.sys.platform", "win32")
    assert read_tcp_info(pair[0]) is None


def test_nothing_of_a_closed_socket(pair: tuple[socket.socket, socket.socket]) -> None:
    pair[0].close()
    assert read_tcp_info(pair[0]) is None


@linux_only
def test_a_connection_on_which_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        caller = socket.create_connection(server.getsockname())
        answerer, _ = server.accept()
        with caller, answerer:
            caller.sendall(b"hello")
            assert not has_sent(answerer)
            answerer.sendall(b"x")
            assert has_sent(answerer)
            assert caller.recv(1) == b"x"
            assert has_sent(answerer)


@linux_only
def test_a_connection_that_its_other_side_has_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        caller = socket.create_connection(server.getsockname())
        answerer, _ = server.accept()
        with answerer:
            caller.sendall(b"a request that is not read")
            assert not has_left(answerer)
            caller.close()
            for _attempt in range(100):
                if has_left(answerer):
                    break
                time.sleep(0.01)
            assert has_left(answerer)
        assert has_left(answerer)
