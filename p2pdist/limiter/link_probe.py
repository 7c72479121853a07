"""Read byte counters: of this PC's network cards, and of all its TCP connections where the system tells.

Everything here blocks, for a millisecond or less; the daemon calls it in worker threads.
"""

import ipaddress
import sys
from collections.abc import Callable, Iterable
from typing import Final

from p2pdist.limiter.link_report import MAX_SOCKETS, NicCounters, RawCounters, SocketReading
from p2pdist.pc import system
from p2pdist.shared.clock import Clock

if sys.platform == "linux":
    from p2pdist.limiter import sock_diag

HAS_SOCK_DIAG: Final = sys.platform == "linux"
MAX_OWN_NETWORKS = 256


class LinkProbe:
    """Reads the counters, in one thread at a time."""

    def __init__(self, clock: Clock, network_process: Callable[[], int | None] = lambda: None) -> None:
        """``network_process``: the id of the process that also has sockets of ours, while there is one."""
        self._clock = clock
        self._network_process = network_process
        self.problem = ""
        """Why the connections of other programs cannot be seen, in words; empty while they can."""
        self._networks: tuple[tuple[int, int, int], ...] = ()
        self._own: frozenset[bytes] = frozenset()
        self._on_link: dict[bytes, bool] = {}
        self._own_inodes: set[int] = set()

    def refresh_addresses(self) -> None:
        """Read this PC's own addresses and networks anew. Raises `OSError`."""
        networks, own = set(), set()
        for address, length in system.own_networks()[:MAX_OWN_NETWORKS]:
            parsed = ipaddress.ip_interface(f"{address}/{length}")
            own.add(parsed.packed)
            if not parsed.is_loopback:
                networks.add((parsed.version, int(parsed.network.network_address), int(parsed.netmask)))
        self._networks, self._own = tuple(networks), frozenset(own)
        self._on_link.clear()

    def counters(
        self, counted: Iterable[str], *, own_received_bytes: int = 0, own_sent_bytes: int = 0, own_line_bytes: int = 0
    ) -> RawCounters:
        """Return all counters now. The own bytes are our own counts, for systems that do not list connections."""
        cards = system.card_counters()
        interfaces = {name: NicCounters(*cards[name]) for name in counted if name in cards}
        at = self._clock.monotonic()
        return RawCounters(at, interfaces, self._sockets(), own_received_bytes, own_sent_bytes, own_line_bytes)

    def _sockets(self) -> tuple[SocketReading, ...] | None:
        if not HAS_SOCK_DIAG:
            return None
        try:
            connections = sock_diag.tcp_connections()
            # inodes of the previous call too: a socket that we have just closed is still listed, and is still ours
            before, self._own_inodes = self._own_inodes, self._present_inodes()
            ours = before | self._own_inodes
        except OSError as error:
            self.problem = f"Others' connections cannot be seen: {error.strerror}. Only the card's bytes are known."
            return None
        self.problem = ""
        return tuple(
            SocketReading(
                flow_id=connection.cookie,
                ours=connection.inode in ours,
                on_link=self._is_on_link(connection.peer),
                received_bytes=connection.received_bytes,
                sent_bytes=connection.sent_bytes,
                acked_bytes=connection.acked_bytes,
                segments_in=connection.segments_in,
                segments_out=connection.segments_out,
                rtt_seconds=connection.rtt_seconds,
                least_rtt_seconds=connection.least_rtt_seconds,
                segments_early=connection.segments_early,
                ipv6=len(connection.peer) == 16,
            )
            for connection in connections
            if not self._stays_here(connection.peer)
        )

    def _present_inodes(self) -> set[int]:
        process = self._network_process()
        return sock_diag.inodes_of("self") | (sock_diag.inodes_of(process) if process is not None else set())

    def _stays_here(self, peer: bytes) -> bool:
        return peer in self._own or (peer[0:1] == b"\x7f" and len(peer) == 4) or peer == bytes(15) + b"\1"

    def _is_on_link(self, peer: bytes) -> bool:
        known = self._on_link.get(peer)
        if known is None:
            version, value = (4 if len(peer) == 4 else 6), int.from_bytes(peer, "big")
            known = any(version == kind and value & mask == network for kind, network, mask in self._networks)
            if len(self._on_link) >= MAX_SOCKETS:
                self._on_link.clear()
            self._on_link[peer] = known
        return known
