"""`p2pdist.limiter.sock_diag`: real connections, and bytes that no kernel sends."""

import contextlib
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.limiter import sock_diag
from p2pdist.limiter.link_report import MAX_SOCKETS
from p2pdist.pc import netlink_dump

if sys.platform != "linux":
    pytest.skip("sock_diag is Linux's", allow_module_level=True)


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request) -> Iterator[tuple[socket.socket, socket.socket]]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with socket.socket(family) as listener:
        listener.bind((request.param, 0))
        listener.listen()
        with socket.create_connection(listener.getsockname()[:2]) as caller:
            called, _ = listener.accept()
            with called:
                yield caller, called


def of(connection: socket.socket) -> sock_diag.TcpConnection:
    local = socket.inet_pton(connection.family, connection.getsockname()[0])
    inode = os.fstat(connection.fileno()).st_ino
    (found,) = [one for one in sock_diag.tcp_connections() if one.inode == inode]
    assert found.local == local
    return found


def test_a_connections_bytes_and_round_trips_are_read(pair: tuple[socket.socket, socket.socket]) -> None:
    caller, called = pair
    before = of(called)
    caller.sendall(bytes(100_000))
    left = 100_000
    while left:
        left -= len(called.recv(left))
    receiver, sender = of(called), of(caller)
    assert receiver.received_bytes - before.received_bytes == 100_000
    assert receiver.cookie == before.cookie != sender.cookie
    assert sender.sent_bytes == 100_000
    assert sender.acked_bytes >= 100_000
    assert receiver.segments_in > before.segments_in
    # the caller has sent data alone, the called nothing
    assert before.data_segments_in < receiver.data_segments_in <= receiver.segments_in
    assert sender.data_segments_in == 0
    assert receiver.early_segments_in == 0
    assert 500 <= receiver.segment_bytes <= 65_536
    assert sender.rtt_seconds is not None
    assert sender.least_rtt_seconds is not None
    assert 0 < sender.least_rtt_seconds <= sender.rtt_seconds < 1.0


def test_own_sockets_are_known_by_their_inodes(pair: tuple[socket.socket, socket.socket]) -> None:
    caller, called = pair
    inodes = sock_diag.inodes_of("self")
    assert of(caller).inode in inodes
    assert of(called).inode in inodes
    caller.close()
    assert len(inodes - sock_diag.inodes_of("self")) == 1


def test_another_process_may_read_without_root(pair: tuple[socket.socket, socket.socket]) -> None:
    caller, _ = pair
    port = caller.getsockname()[1]
    drop = "import os; os.getuid() or os.setuid(65534); " if os.getuid() == 0 else ""
    code = (
        "from p2pdist.limiter import sock_diag; import socket, sys; "
        f"{drop}own = sock_diag.inodes_of('self'); "
        "print(len([c for c in sock_diag.tcp_connections() if c.inode not in own]))"
    )
    counted = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert port
    assert int(counted.stdout) >= 2


def take(data: bytes, found: list[sock_diag.TcpConnection]) -> bool:
    return netlink_dump.take(data, found, sock_diag.read_connection, what="connections")


def message(kind: int, body: bytes, length: int | None = None) -> bytes:
    return struct.pack("=IHHII", 16 + len(body) if length is None else length, kind, 2, 1, 0) + body


def connection(info: bytes) -> bytes:
    body = struct.pack("=4B2s2s16s16sIQ5I", 2, 1, 0, 0, b"", b"", b"\x0a", b"\x0b", 0, 77, 0, 0, 0, 0, 4_711)
    return message(20, body + struct.pack("=HH", 4 + len(info), 2) + info)


def test_the_kernels_error_is_raised() -> None:
    with pytest.raises(FileNotFoundError, match="does not list connections"):
        take(message(2, struct.pack("=i", -2)), [])


def test_an_old_kernels_connections_lack_the_least_round_trip_and_are_left_out() -> None:
    found: list[sock_diag.TcpConnection] = []
    assert not take(connection(bytes(148)), found)
    assert found == []
    assert not take(connection(bytes(152)), found)
    assert [(one.cookie, one.inode, one.rtt_seconds, one.least_rtt_seconds) for one in found] == [
        (77, 4_711, None, None)
    ]


@pytest.mark.parametrize(("length", "early", "data"), [(152, 0, 0), (156, 0, 9), (227, 0, 9), (228, 4, 9), (300, 4, 9)])
def test_what_waits_for_a_missing_segment_is_read_where_the_kernel_tells(length: int, early: int, data: int) -> None:
    info = bytearray(300)
    struct.pack_into("=I", info, 20, 1_448)  # tcpi_rcv_mss
    struct.pack_into("=I", info, 152, 9)  # tcpi_data_segs_in
    struct.pack_into("=I", info, 224, 4)  # tcpi_rcv_ooopack, Linux 5.4
    found: list[sock_diag.TcpConnection] = []
    take(connection(bytes(info[:length])), found)
    assert [(one.early_segments_in, one.data_segments_in, one.segment_bytes) for one in found] == [(early, data, 1_448)]


@pytest.mark.parametrize("length", [0, 15, 17, 1 << 31])
def test_a_length_that_leads_nowhere_is_an_error(length: int) -> None:
    with pytest.raises(OSError, match="does not list"):
        take(message(20, b"", length), [])


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda body: message(20, body)))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    found: list[sock_diag.TcpConnection] = []
    with contextlib.suppress(OSError):
        take(data, found)
    assert len(found) <= len(data)


@pytest.mark.parametrize("count", [MAX_SOCKETS - 1, MAX_SOCKETS + 1])
def test_connections_are_bounded(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one = connection(bytes(152))
    reads = iter([one * count, message(3, b""), message(3, b"")])

    class Kernel:
        def __init__(self, *_: object) -> None:
            pass

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def settimeout(self, _: float) -> None:
            pass

        def sendto(self, *_: object) -> None:
            pass

        def recv(self, _: int) -> bytes:
            return next(reads)

    monkeypatch.setattr("p2pdist.limiter.sock_diag.socket.socket", Kernel)
    assert len(sock_diag.tcp_connections()) == min(count, MAX_SOCKETS)


@pytest.mark.parametrize(
    ("text", "asked"), [("TCP6: inuse 0\nUDP6: inuse 2\n", False), ("TCP6: inuse 3\n", True), ("", True)]
)
def test_ipv6_is_asked_for_where_it_is_used(tmp_path: Path, text: str, asked: bool) -> None:
    counts = tmp_path / "sockstat6"
    counts.write_text(text)
    assert sock_diag.uses_ipv6(counts) is asked
