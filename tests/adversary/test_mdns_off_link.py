"""A host beyond a router asks this PC by mDNS: it hears nothing, so nobody can be flooded with answers either."""

import base64
import contextlib
import os
import secrets
import socket
import struct
import sys
from collections.abc import Iterator

import pytest
import zeroconf

from p2pdist.neighbours import discovery
from p2pdist.neighbours.discovery import SERVICE_TYPE
from p2pdist.neighbours.known_peer import Announcement
from p2pdist.shared.identifiers import EndpointId

# an address of its own: other daemons on this machine must not answer in its place
PC, ROGUE, NEIGHBOUR = "127.0.68.40", "127.0.68.41", "127.0.68.42"
ON_LINK = 255  # every router takes one
POINTER, INTERNET = 12, 1
SECONDS = 1.0  # an answer takes milliseconds
ATTEMPTS = 10
SETTLE_SECONDS = 0.3

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux filters by the hop limit")


@pytest.fixture(scope="module")
def responder() -> Iterator[zeroconf.Zeroconf]:
    opened = discovery._open("192.0.2.1", PC)
    own = Announcement(
        EndpointId(base64.b32encode(os.urandom(16)).decode().lower().rstrip("=")), PC, 7691, "0" * 16, ""
    )
    opened.register_service(discovery._service_info(own, "00000001"))
    yield opened
    opened.close()


def question() -> bytes:
    """Ask which neighbours there are, as RFC 1035 writes it; what comes twice within a second is answered once."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in SERVICE_TYPE.removesuffix(".").split("."))
    return (
        secrets.token_bytes(2) + struct.pack("!5H", 0, 1, 0, 0, 0) + labels + struct.pack("!B2H", 0, POINTER, INTERNET)
    )


def ask(asking: socket.socket, hops_left: int, rogue: str = ROGUE) -> None:
    asking.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, hops_left)
    asking.bind((rogue, 0))
    asking.sendto(question(), (PC, 5353))


def answer_on_link() -> bytes:
    """Ask from this link until an answer comes, as a neighbour does: a datagram may be lost on a busy PC."""
    for _ in range(ATTEMPTS):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            ask(asking, ON_LINK, NEIGHBOUR)
            asking.settimeout(SECONDS)
            with contextlib.suppress(TimeoutError):
                return asking.recv(9_000)
    raise AssertionError(f"{PC} answered none of {ATTEMPTS} questions")


@pytest.mark.parametrize("hops_left", [64, 254])
def test_question_that_came_through_a_router_is_not_answered(responder: zeroconf.Zeroconf, hops_left: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        ask(asking, hops_left)
        answer_on_link()  # so the earlier question has been read
        asking.settimeout(SETTLE_SECONDS)
        with pytest.raises(TimeoutError):
            asking.recv(9_000)


def test_question_from_this_link_is_answered_and_the_answer_can_be_told_from_one_of_elsewhere(
    responder: zeroconf.Zeroconf,
) -> None:
    assert len(answer_on_link()) > len(question())
    for sender in responder.engine.senders:
        assert sender.sock.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == ON_LINK  # else neighbours would drop it
