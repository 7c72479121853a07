"""`p2pdist.limiter.gateway_ping` on loopback."""

import socket
import struct

import pytest
import trio

from p2pdist.limiter.gateway_ping import GatewayPing
from p2pdist.shared.clock import SystemClock


def _ping(address: str) -> GatewayPing:
    try:
        return GatewayPing(address, SystemClock())
    except PermissionError:
        pytest.skip("this system allows pings to root alone")


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_round_trip_is_measured(address: str) -> None:
    ping = _ping(address)
    try:
        trips = [await ping.ping(0.1) for _ in range(3)]
    finally:
        ping.close()
    assert all(trip is not None and 0 < trip < 0.1 for trip in trips)


async def test_no_answer_is_no_round_trip() -> None:
    ping = _ping("192.0.2.253")
    try:
        assert await ping.ping(0.05) is None
    finally:
        ping.close()


class HeldUpClock(SystemClock):
    """Of a process that was held up between each two looks at it."""

    def __init__(self, seconds: float) -> None:
        self._held_up = 0.0
        self._seconds = seconds

    def monotonic(self) -> float:
        self._held_up += self._seconds
        return super().monotonic() + self._held_up


@pytest.mark.parametrize(("seconds", "known"), [(0.0, True), (0.05, False)])
async def test_a_ping_of_which_nobody_knows_when_it_left_says_nothing(seconds: float, known: bool) -> None:
    ping = _ping("127.0.0.1")
    ping._clock = HeldUpClock(seconds)
    try:
        trips = [await ping.ping(0.05) for _ in range(20)]  # a busy machine holds some up, whatever the clock
    finally:
        ping.close()
    answered = sum(trip is not None for trip in trips)
    assert answered >= 3 if known else answered == 0
    assert not ping._sent


async def test_an_answer_that_is_read_late_is_neither_late_nor_lost() -> None:
    ping = _ping("127.0.0.1")
    try:
        ping._sent[5] = (100.0, 1_000.0)
        answer = b"\0" * 8 + ping._nonce + (5).to_bytes(8, "big")
        arrived = [(socket.SOL_SOCKET, 35, struct.pack("=qq", 1_000, 3_000_000))]
        assert ping._answer(answer, arrived, 103.0) == pytest.approx(0.003)
    finally:
        ping.close()


def test_what_is_no_answer_to_ours_is_ignored() -> None:
    async def check() -> None:
        ping = _ping("127.0.0.1")
        try:
            ping._sent[5] = (100.0, 1_000.0)
            answer = b"\0" * 8 + ping._nonce + (5).to_bytes(8, "big")
            for other in (b"", answer[:-1], answer + b"x", b"\x08" + answer[1:], b"\0" * 24, b"\x45" + bytes(80)):
                assert ping._answer(other, [], 100.01) is None
            assert ping._answer(bytes([0x45]) + bytes(19) + answer, [], 100.01) == pytest.approx(0.01)
            assert ping._answer(answer, [], 100.02) is None  # a second answer to the same
            ping._sent[5] = (100.0, 1_000.0)
            assert ping._answer(answer, [], 102.0) is None  # too late
        finally:
            ping.close()

    trio.run(check)
