"""`p2pdist.neighbours.link_filter` on real sockets."""

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from p2pdist.neighbours.link_filter import ALL_HOPS, receive_from_this_link_only, send_with_all_hops

SILENCE_SECONDS = 0.2  # loopback takes microseconds

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux filters by the hop limit")


@contextmanager
def pair(sending: str, listening: str, *, dual: bool = False) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield a socket that sends to ``sending``, and one that listens there; ``dual``: for IPv4 and IPv6."""
    families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in (sending, listening)]
    with (
        socket.socket(families[0], socket.SOCK_DGRAM) as sender,
        socket.socket(families[1], socket.SOCK_DGRAM) as other,
    ):
        if dual:
            other.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        other.bind((listening, 0))
        other.settimeout(SILENCE_SECONDS)
        sender.connect((sending, other.getsockname()[1]))
        yield sender, other


def arrives(sender: socket.socket, listener: socket.socket, size: int = 1) -> bool:
    sender.send(b"x" * size)
    try:
        return len(listener.recv(9_000)) == size
    except TimeoutError:
        return False


@linux_only
@pytest.mark.parametrize(
    ("sending", "listening", "dual"),
    [("127.0.68.50", "127.0.68.50", False), ("::1", "::1", False), ("127.0.68.50", "::", True), ("::1", "::", True)],
)
def test_what_a_router_has_passed_on_does_not_arrive(sending: str, listening: str, dual: bool) -> None:
    with pair(sending, listening, dual=dual) as (sender, listener):
        assert arrives(sender, listener)
        receive_from_this_link_only(listener)
        assert not arrives(sender, listener)
        send_with_all_hops(sender)
        assert arrives(sender, listener, size=1_400), "whole"
        v6 = ":" in sending
        level, option = (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) if v6 else (socket.IPPROTO_IP, socket.IP_TTL)
        sender.setsockopt(level, option, ALL_HOPS - 1)
        assert not arrives(sender, listener)
