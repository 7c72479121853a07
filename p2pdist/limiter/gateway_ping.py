"""Measure the round trip to the gateway: small ICMP echoes, a few per second, while something is shared.

This needs either permission for unprivileged pings (Linux: ``net.ipv4.ping_group_range``) or root, which a system
service has. Without either no delay is seen, and the limiter uses the card's bytes alone.
"""

import contextlib
import ipaddress
import os
import socket
import struct
from collections import OrderedDict

import trio

from p2pdist.shared.clock import Clock

LOST_SECONDS = 1.0  # an answer of the next hop takes milliseconds
SURE_SECONDS = 0.001  # sending takes microseconds: if it took longer, nobody knows when the ping left this busy PC
MAX_OUTSTANDING = 64
RECEIVE_BYTES = 256  # ours has 24, and IPv4's header at most 60

_ECHO = {4: (8, 0), 6: (128, 129)}
_PAYLOAD = struct.Struct("!8sQ")
_TIMESTAMP_NS = 35  # SO_TIMESTAMPNS: the kernel's time of arrival, for a busy event loop reads late
_SOL_RAW, _ICMP_FILTER = 255, 1
_ONLY_ECHO_REPLIES = struct.pack("=I", 0xFFFFFFFF & ~1)


class GatewayPing:
    """Pings one address, for one task. Close it when done."""

    def __init__(self, gateway: str, clock: Clock) -> None:
        """Raise `OSError` where pings are not allowed."""
        self._clock = clock
        address, _, scope = gateway.partition("%")
        self._version = ipaddress.ip_address(address).version
        scope_id = socket.if_nametoindex(scope) if scope else 0
        self._target = (address, 0) if self._version == 4 else (address, 0, 0, scope_id)
        self._socket = _open(self._version)
        self._nonce = os.urandom(8)
        self._number = 0
        self._sent: OrderedDict[int, tuple[float, float]] = OrderedDict()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    async def ping(self, wait_seconds: float) -> float | None:
        """Send one ping, and receive answers, late ones too, for ``wait_seconds``.

        Returns the newest round trip in seconds, or None. Always takes ``wait_seconds``.
        """
        self._number += 1
        kind, _ = _ECHO[self._version]
        body = struct.pack("!BBHHH", kind, 0, 0, 0, self._number & 0xFFFF) + _PAYLOAD.pack(self._nonce, self._number)
        body = body[:2] + struct.pack("!H", _checksum(body)) + body[4:]  # IPv6's is the kernel's to compute
        self._sent[self._number] = (self._clock.monotonic(), self._clock.now())
        while len(self._sent) > MAX_OUTSTANDING:
            self._sent.popitem(last=False)
        with contextlib.suppress(OSError):  # no network: no answer either
            await self._socket.sendto(body, self._target)
        if self._clock.monotonic() - self._sent[self._number][0] > SURE_SECONDS:
            del self._sent[self._number]
        newest: float | None = None
        with trio.move_on_after(wait_seconds):
            while True:
                try:
                    data, ancillary, _, _ = await self._socket.recvmsg(RECEIVE_BYTES, 64)
                except OSError:  # an ICMP error of the network: the ping is lost
                    await trio.sleep(wait_seconds)
                    continue
                found = self._answer(data, ancillary, self._clock.monotonic())
                newest = found if found is not None else newest
        return newest

    def _answer(self, data: bytes, ancillary: list[tuple[int, int, bytes]], now: float) -> float | None:
        """Return the round trip if ``data`` answers one of our pings. Anybody can send ICMP, but not with our nonce."""
        if self._version == 4 and data[:1] and data[0] >> 4 == 4:  # a raw socket delivers the IP header as well
            data = data[(data[0] & 15) * 4 :]
        if len(data) != 8 + _PAYLOAD.size or data[0] != _ECHO[self._version][1]:
            return None
        nonce: bytes
        number: int
        nonce, number = _PAYLOAD.unpack_from(data, 8)
        sent = self._sent.pop(number, None) if nonce == self._nonce else None
        if sent is None or now < sent[0]:
            return None
        taken = now - sent[0]
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, _TIMESTAMP_NS) and len(value) >= 16:
                seconds, nanoseconds = struct.unpack_from("=qq", value)
                by_kernel: float = seconds + nanoseconds / 1e9 - sent[1]
                if 0.0 < by_kernel < taken:  # else the system clock was set meanwhile
                    taken = by_kernel
        return taken if taken <= LOST_SECONDS else None


def _open(version: int) -> trio.socket.SocketType:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    protocol = socket.IPPROTO_ICMP if version == 4 else socket.IPPROTO_ICMPV6
    try:
        opened = trio.socket.socket(family, socket.SOCK_DGRAM, protocol)
    except PermissionError:
        opened = trio.socket.socket(family, socket.SOCK_RAW, protocol)
        if version == 4:
            with contextlib.suppress(OSError):  # without the filter, all ICMP is read and the rest discarded
                opened.setsockopt(_SOL_RAW, _ICMP_FILTER, _ONLY_ECHO_REPLIES)
    with contextlib.suppress(OSError):
        opened.setsockopt(socket.SOL_SOCKET, _TIMESTAMP_NS, 1)
    return opened


def _checksum(body: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(body) // 2}H", body))
    total = (total >> 16) + (total & 0xFFFF)
    return 0xFFFF & ~(total + (total >> 16))
