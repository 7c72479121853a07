"""`p2pdist.shared.packet_size` on real sockets."""

import socket
import struct
import sys
from typing import Any, cast

import pytest
import trio

from bandwidth.core.units import SAFE_PACKET_BYTES
from p2pdist.shared.packet_size import (
    IPV4_HEADERS_BYTES,
    large_packets_missing,
    limit_packets,
    use_safe_packets,
    with_safe_packets,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems do not let us")

ADDRESS = "127.0.33.3"
MOST_SEGMENT_BYTES = SAFE_PACKET_BYTES - IPV4_HEADERS_BYTES


def segment_bytes(stream: trio.SocketStream) -> int:
    return stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)


async def ends() -> tuple[int, int]:
    """Return the segment sizes of both ends of a new connection."""
    (listener,) = await trio.open_tcp_listeners(0, host=ADDRESS)
    async with listener:
        near = await trio.open_tcp_stream(*listener.socket.getsockname()[:2])
        async with near, await listener.accept() as far:
            return segment_bytes(near), segment_bytes(far)


def test_both_directions_of_every_connection_of_a_run_are_limited_and_no_other_run_s() -> None:
    near, far = trio.run(with_safe_packets(ends))
    assert MOST_SEGMENT_BYTES - 40 <= near <= MOST_SEGMENT_BYTES
    assert MOST_SEGMENT_BYTES - 40 <= far <= MOST_SEGMENT_BYTES
    assert min(trio.run(ends)) > MOST_SEGMENT_BYTES, "loopback takes large ones"


async def test_other_sockets_are_made_as_ever() -> None:
    use_safe_packets()
    for family, kind in ((socket.AF_UNIX, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM)):
        with trio.socket.socket(family, kind) as made:
            assert (made.family, made.type) == (family, kind)


def test_a_limit_holds_for_ipv6_too() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with socket.socket(socket.AF_INET6) as made:
        limit_packets(made, 1_000)
        assert made.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG) <= 940


class Told:
    """A socket of which the kernel tells this."""

    def __init__(self, *, largest: int = 0, full: int = 1_160, early: int = 0, length: int = 232) -> None:
        data = bytearray(232)
        for at, value in ((20, largest), (84, full), (224, early)):
            struct.pack_into("=I", data, at, value)
        self.data = bytes(data[:length])

    def getsockopt(self, *_: int) -> bytes:
        return self.data


@pytest.mark.parametrize(
    ("told", "missing"),
    [
        pytest.param(Told(largest=536, early=2), True, id="only a small last one came"),
        pytest.param(Told(largest=1_148, early=2), False, id="full ones have come: losses"),
        pytest.param(Told(largest=536), False, id="nothing came"),
        pytest.param(Told(largest=536, early=2, length=200), False, id="an older kernel"),
    ],
)
def test_what_follows_on_missing_full_packets_is_noticed(told: Told, missing: bool) -> None:
    assert large_packets_missing(cast("Any", told)) is missing


def test_a_closed_socket_says_nothing() -> None:
    with socket.socket() as closed:
        pass
    assert closed.fileno() < 0
    assert not large_packets_missing(closed)
