"""Tries whether full packets get to the server: a host says that nobody listens on a UDP port, if a packet gets there.

The seed server sends what is no piece of a patch in packets that pass everywhere, so its own ports show nothing. The
probes go to the own server alone, to a port on which nothing listens, and may be in nobody's way.
"""

import errno
import socket
import sys

import trio

from bandwidth.core.units import LARGEST_PACKET_BYTES, SAFE_PACKET_BYTES
from p2pdist.doctor.facts import PacketFacts

PROBE_PORT = 33_434  # traceroute's first: firewalls know what it is
ANSWER_WAIT_SECONDS = 1.0  # hosts send one such message a second, after a few at once
FULL_PROBES = 3  # a lost packet is no path's MTU
_IPV4_HEADERS_BYTES, _IPV6_HEADERS_BYTES = 28, 48
_MTU_DISCOVER, _MTU_DISCOVER_6, _PROBE = 10, 23, 3  # IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, IP_PMTUDISC_PROBE of Linux


async def try_packets(
    address: str, port: int = PROBE_PORT, *, wait_seconds: float = ANSWER_WAIT_SECONDS
) -> PacketFacts:
    """Send small and full packets that no router may divide, and look which are answered."""
    if sys.platform != "linux":
        return PacketFacts("unknown", "This system does not show it; the daemon does once it fetches.")
    try:
        (family, _, _, _, place), *_ = await trio.socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)
        with trio.socket.socket(family, socket.SOCK_DGRAM) as probe:
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, _MTU_DISCOVER_6, _PROBE)
            else:
                probe.setsockopt(socket.IPPROTO_IP, _MTU_DISCOVER, _PROBE)
            await probe.connect(place)
            return await _try(probe, wait_seconds)
    except OSError as error:
        return PacketFacts("unknown", f"No probe can be sent ({error.strerror}).")


async def _try(probe: trio.socket.SocketType, wait_seconds: float) -> PacketFacts:
    headers = _IPV6_HEADERS_BYTES if probe.family == socket.AF_INET6 else _IPV4_HEADERS_BYTES
    silent = PacketFacts("unknown", "The server, or a firewall before it, does not answer probes.")
    if not await _answered(probe, SAFE_PACKET_BYTES - headers, wait_seconds):
        return silent
    for _ in range(FULL_PROBES):
        if await _answered(probe, LARGEST_PACKET_BYTES - headers, wait_seconds):
            return PacketFacts("pass")
    # only where small ones are answered still, it is the size
    return PacketFacts("lost") if await _answered(probe, SAFE_PACKET_BYTES - headers, wait_seconds) else silent


async def _answered(probe: trio.socket.SocketType, payload_bytes: int, wait_seconds: float) -> bool:
    """Whether somebody says what became of such a packet: that it came, or that a link before is too narrow."""
    try:
        await probe.send(bytes(payload_bytes))
        with trio.move_on_after(wait_seconds):
            await probe.recv(1)
            return True
    except OSError as error:
        if error.errno in (errno.ECONNREFUSED, errno.EMSGSIZE):
            return True
        raise
    return False
