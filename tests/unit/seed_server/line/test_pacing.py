"""`seed_server.line.pacing` on real sockets."""

import socket
import sys
from collections.abc import Iterator
from typing import cast

import pytest

from bandwidth.core.units import BytesPerSecond
from seed_server.line import pacing
from seed_server.line.pacing import pace, pacing_rate

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="SO_MAX_PACING_RATE is Linux's")


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        yield sock


@linux_only
@pytest.mark.parametrize("rate", [1, 2_250_000, (1 << 32) - 2, 1 << 33])
def test_kernel_takes_a_rate(tcp: socket.socket, rate: int) -> None:
    result = pace(tcp, BytesPerSecond(rate))
    assert result.taken, result.reason
    assert pacing_rate(tcp) == rate


@linux_only
def test_none_lifts_the_limit(tcp: socket.socket) -> None:
    pace(tcp, BytesPerSecond(1_000))
    assert pace(tcp, None).taken
    assert pacing_rate(tcp) is None


@linux_only
def test_send_queue_is_kept_short(tcp: socket.socket) -> None:
    pace(tcp, None)
    assert tcp.getsockopt(socket.IPPROTO_TCP, pacing.TCP_NOTSENT_LOWAT) == pacing.NOT_SENT_MOST_BYTES


def test_zero_is_refused_rather_than_read_as_unlimited(tcp: socket.socket) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        pace(tcp, BytesPerSecond(0))


def test_says_why_where_the_platform_cannot(tcp: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seed_server.line.pacing.sys.platform", "win32")
    result = pace(tcp, BytesPerSecond(1_000))
    assert not result.taken
    assert "win32" in result.reason


@linux_only
def test_says_why_when_the_kernel_refuses(tcp: socket.socket) -> None:
    tcp.close()
    result = pace(tcp, BytesPerSecond(1_000))
    assert not result.taken
    assert "kernel" in result.reason


@linux_only
def test_more_waits_in_the_kernel_on_a_faster_line(tcp: socket.socket) -> None:
    for rate, expected in ((1, 16 << 10), (2_500_000, 125_000), (1 << 31, 2 << 20)):
        pace(tcp, BytesPerSecond(rate))
        assert tcp.getsockopt(socket.IPPROTO_TCP, pacing.TCP_NOTSENT_LOWAT) == expected


# --- the kernel's own congestion control ---------------------------------------------------------


class FakeKernel:
    """A socket on a system that has these controls; the first is what a new socket has."""

    def __init__(self, *controls: bytes, reads: bool = True) -> None:
        self.controls = controls
        self.reads = reads
        self.set = [controls[0]]

    def setsockopt(self, level: int, option: int, value: bytes) -> None:
        assert (level, option) == (socket.IPPROTO_TCP, pacing.TCP_CONGESTION)
        if value not in self.controls:
            raise FileNotFoundError(2, "No such file or directory")
        self.set.append(value)

    def getsockopt(self, level: int, option: int, length: int) -> bytes:
        assert (level, option) == (socket.IPPROTO_TCP, pacing.TCP_CONGESTION)
        if not self.reads:
            raise OSError(22, "Invalid argument")
        return self.set[-1].ljust(length, b"\0")


def fake(*controls: bytes, reads: bool = True) -> tuple[socket.socket, FakeKernel]:
    kernel = FakeKernel(*controls, reads=reads)
    return cast("socket.socket", kernel), kernel


@pytest.fixture
def linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seed_server.line.pacing.sys.platform", "linux")


@pytest.mark.usefixtures("linux")
@pytest.mark.parametrize(
    ("controls", "used", "loss_blind"),
    [
        ((b"cubic", b"reno", b"bbr"), b"bbr", True),
        ((b"bbr",), b"bbr", True),
        ((b"reno", b"cubic"), b"cubic", False),  # no BBR, or not allowed without root
        ((b"reno",), b"reno", False),
    ],
)
def test_data_sockets_use_a_control_that_losses_do_not_stop_where_there_is_one(
    controls: tuple[bytes, ...], used: bytes, loss_blind: bool
) -> None:
    sock, kernel = fake(*controls)
    assert pacing.use_known_control(sock) is loss_blind
    assert kernel.set[-1] == used


@pytest.mark.usefixtures("linux")
def test_what_the_kernel_does_not_tell_is_taken_for_one_that_losses_stop() -> None:
    assert not pacing.use_known_control(fake(b"bbr", reads=False)[0])


@pytest.mark.usefixtures("linux")
@pytest.mark.parametrize(
    ("before", "over"), [(b"bbr", b"cubic"), (b"cubic", b"bbr"), (b"reno", b"bbr")], ids=["bbr", "cubic", "reno"]
)
def test_a_window_begins_anew_when_another_control_has_been_there(before: bytes, over: bytes) -> None:
    sock, kernel = fake(before, over)
    assert pacing.renew_window(sock)
    assert kernel.set == [before, over, before]


@pytest.mark.usefixtures("linux")
@pytest.mark.parametrize("only", [b"bbr", b"cubic"])
def test_with_no_other_control_to_take_over_nothing_is_renewed(only: bytes) -> None:
    sock, kernel = fake(only)
    assert not pacing.renew_window(sock)
    assert kernel.set == [only]


def test_elsewhere_the_systems_control_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seed_server.line.pacing.sys.platform", "win32")
    sock, kernel = fake(b"cubic", b"bbr")
    assert not pacing.use_known_control(sock)
    assert not pacing.renew_window(sock)
    assert kernel.set == [b"cubic"]


def congestion_control(sock: socket.socket) -> bytes:
    return sock.getsockopt(socket.IPPROTO_TCP, pacing.TCP_CONGESTION, 16).rstrip(b"\0")


@linux_only
def test_other_sockets_of_the_host_keep_theirs(tcp: socket.socket) -> None:
    with socket.socket() as other:
        before = congestion_control(other)
        assert pacing.use_known_control(tcp) is (congestion_control(tcp) == b"bbr")
        assert congestion_control(other) == before
    with socket.socket() as later:
        assert congestion_control(later) == before


@linux_only
def test_renewing_the_window_comes_back_to_the_same_control(tcp: socket.socket) -> None:
    pacing.use_known_control(tcp)
    before = congestion_control(tcp)
    pacing.renew_window(tcp)
    assert congestion_control(tcp) == before


@linux_only
def test_renewing_is_no_error_where_it_cannot_be_done(tcp: socket.socket) -> None:
    tcp.close()
    assert not pacing.renew_window(tcp)
    assert not pacing.use_known_control(tcp)
