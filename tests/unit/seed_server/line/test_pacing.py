"""`seed_server.line.pacing` on real sockets."""

import socket
import sys
from collections.abc import Iterator

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


def congestion_control(sock: socket.socket) -> bytes:
    return sock.getsockopt(socket.IPPROTO_TCP, pacing.TCP_CONGESTION, 16).rstrip(b"\0")


@linux_only
def test_renewing_the_window_comes_back_to_the_same_control(tcp: socket.socket) -> None:
    pacing.use_known_control(tcp)
    before = congestion_control(tcp)
    pacing.renew_window(tcp)
    assert congestion_control(tcp) == before


@linux_only
def test_renewing_is_no_error_where_it_cannot_be_done(tcp: socket.socket) -> None:
    before = congestion_control(tcp)
    assert not pacing.renew_window(tcp, b"no such module")
    assert congestion_control(tcp) == before
    tcp.close()
    assert not pacing.renew_window(tcp)
