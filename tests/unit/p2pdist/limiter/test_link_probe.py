"""`p2pdist.limiter.link_probe`; cards and traffic are in `tests/lab`."""

import errno
import sys

import pytest

from p2pdist.limiter import link_probe, sock_diag
from p2pdist.pc import system
from tests.helpers.fake_clock import FakeClock

if sys.platform != "linux":
    pytest.skip("the connections are Linux's", allow_module_level=True)


def test_connections_within_this_pc_are_no_business() -> None:
    probe = link_probe.LinkProbe(FakeClock(5.0))
    probe.refresh_addresses()
    sockets = probe.counters(("lo",)).sockets
    assert sockets is not None
    assert probe._stays_here(b"\x7f\x00\x01\x05")
    assert probe._stays_here(bytes(15) + b"\1")
    assert not probe._stays_here(b"\xc0\x00\x02\xfe")


def test_the_lan_is_what_an_own_network_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    own = [("10.1.2.3", 24), ("127.0.0.1", 8), ("2001:db8::5", 64)]
    monkeypatch.setattr(system, "own_networks", lambda: own)
    probe = link_probe.LinkProbe(FakeClock(5.0))
    probe.refresh_addresses()
    assert probe._is_on_link(bytes([10, 1, 2, 200]))
    assert not probe._is_on_link(bytes([10, 1, 3, 200]))
    assert probe._is_on_link(bytes.fromhex("20010db8000000000000000000000099"))
    assert not probe._is_on_link(bytes.fromhex("20010db8000000010000000000000099"))
    assert probe._stays_here(bytes([10, 1, 2, 3]))


def test_a_system_that_does_not_tell_is_a_problem_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> list:
        raise OSError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(sock_diag, "tcp_connections", refused)
    probe = link_probe.LinkProbe(FakeClock(5.0))
    assert probe.counters(()).sockets is None
    assert "cannot be seen: No such file" in probe.problem


def test_what_waits_for_a_lost_segment_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = sock_diag.TcpConnection(
        cookie=7, inode=1, local=bytes([10, 1, 2, 3]), peer=bytes([192, 0, 2, 9]), received_bytes=1, sent_bytes=2,
        acked_bytes=3, segments_in=4, segments_out=5, rtt_seconds=None, least_rtt_seconds=None, data_segments_in=6,
        early_segments_in=8, segment_bytes=1_448,
    )  # fmt: skip
    monkeypatch.setattr(sock_diag, "tcp_connections", lambda: [connection])
    sockets = link_probe.LinkProbe(FakeClock(5.0)).counters(()).sockets
    assert sockets is not None
    (found,) = sockets
    assert (found.data_segments_in, found.early_segments_in, found.segment_bytes) == (6, 8, 1_448)
