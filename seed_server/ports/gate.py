"""How many connections a port may hold, unproven ones too. No I/O but the process's limit of open files.

One caller is an address block: an IPv4 address or a /64. What strangers' addresses may fill together leaves a
reserve for the addresses from which enrolled endpoints have come before. A branch behind address translation and a
stranger in it are one caller: there, a newcomer takes the place of one that says nothing.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from seed_server.ports.address_block import address_block
from seed_server.ports.known_addresses import KnownAddresses

MAX_CONNECTIONS = 60_000  # of the origin port: 25,000 PCs with two each, as release 0.2.0 has, and room for newcomers
MAX_PER_ADDRESS = 2_000  # a branch of a thousand PCs behind one address
MAX_UNPROVEN = 1_000  # in their handshake: memory and processor time that strangers can take
PART_PER_ADDRESS = 10  # one address gets this part of what may be unproven, and of the web port's connections
PART_FOR_KNOWN = 4  # of what may be unproven, this part is kept for known addresses
MAX_WEB_CONNECTIONS = 1_000  # a refresh takes a second; strangers must not take the origin port's files
MAX_WEB_UNPROVEN = 400  # most of the web port stays for clients that show an enrolled endpoint's certificate
FILES_PER_WEB_CONNECTION = 2  # its socket, and the file that it is answered with
RESERVED_FILES = 500 + FILES_PER_WEB_CONNECTION * MAX_WEB_CONNECTIONS  # payloads, the database, the web port; half
# of all where the limit is low, with the same part for the web port

_WHY_FULL = "too many connections"
MORE_FILES = "raise the limit of open files of the seed server's process (LimitNOFILE= in its unit)"


@dataclass(frozen=True)
class GateLimits:
    """How many connections may be there at the same time."""

    connections: int = MAX_CONNECTIONS
    per_address: int = MAX_PER_ADDRESS
    unproven: int = MAX_UNPROVEN
    """That have not shown the certificate of an enrolled endpoint."""

    @property
    def unproven_per_address(self) -> int:
        """The part of ``unproven`` that one address may have."""
        return max(1, self.unproven // PART_PER_ADDRESS)

    @property
    def unproven_of_strangers(self) -> int:
        """The part of ``unproven`` that addresses which are not known may have together."""
        return max(1, self.unproven - self.unproven // PART_FOR_KNOWN)


def web_limits(connections: int = MAX_WEB_CONNECTIONS) -> GateLimits:
    """Return the web port's limits when it may have ``connections``."""
    unproven = max(1, connections * MAX_WEB_UNPROVEN // MAX_WEB_CONNECTIONS)
    return GateLimits(connections, max(1, connections // PART_PER_ADDRESS), unproven)


class Newcomer(Protocol):
    """A connection that is not proven yet."""

    def is_silent(self) -> bool:
        """Whether nothing has been said to it: it has not begun a handshake, or waits for its turn."""

    def end(self) -> None:
        """End it. Returns at once."""


class Gate:
    """Counts connections; one that is over a cap is turned away before any work is done for it."""

    def __init__(self, limits: GateLimits | None = None, *, known: KnownAddresses | None = None) -> None:
        """``known``: the addresses of enrolled endpoints, which get in when strangers have filled their part."""
        self._limits = limits or GateLimits()
        self._known = known if known is not None else KnownAddresses()
        self._all = _Count()
        self._unproven = _Count()
        self._strangers = _Count()
        """Those of the unproven whose address was not known when they came."""
        self._newcomers: dict[str, dict[Newcomer, None]] = {}
        """By address block, those that can be ended, the oldest first."""

    @property
    def most_connections(self) -> int:
        """How many connections there may be."""
        return self._limits.connections

    @property
    def at_the_cap(self) -> bool:
        """Whether nobody can come in any more."""
        return self._all.total >= self._limits.connections

    def full(self, address: str) -> str:
        """Return why a new connection from ``address`` must be turned away; empty when it may come in."""
        if self.at_the_cap:
            return _WHY_FULL
        if self._all.of[address_block(address)] >= self._limits.per_address:
            return f"{_WHY_FULL} from {address_block(address)}"
        return self._full_of_unproven(address)

    def made_room(self, address: str) -> bool:
        """End another newcomer of the same address block, if one from ``address`` may come in for it.

        The oldest silent one goes, else the oldest: its place is the newcomer's, which needs it for a moment.
        """
        limits, block = self._limits, address_block(address)
        if self._unproven.of[block] < limits.unproven_per_address or self._all.of[block] > limits.per_address:
            return False  # something else is full
        newcomers = self._newcomers.get(block, {})
        chosen = next((one for one in newcomers if one.is_silent()), next(iter(newcomers), None))
        if chosen is None:
            return False
        del newcomers[chosen]
        chosen.end()
        return True

    def ending_helps(self, ended: str, address: str) -> bool:
        """Whether a connection from ``address`` may come in once a proven one from ``ended`` is gone."""
        block = address_block(address)
        same = address_block(ended) == block
        return not self._full_of_unproven(address) and (same or self._all.of[block] < self._limits.per_address)

    def _full_of_unproven(self, address: str) -> str:
        limits, block = self._limits, address_block(address)
        if self._unproven.total >= limits.unproven:
            return f"{_WHY_FULL} without a certificate"
        if address not in self._known and self._strangers.total >= limits.unproven_of_strangers:
            return f"{_WHY_FULL} from addresses of no enrolled endpoint"
        if self._unproven.of[block] >= limits.unproven_per_address:
            return f"{_WHY_FULL} without a certificate from {block}"
        return ""

    def entered(self, address: str) -> contextlib.AbstractContextManager[None]:
        """Count a connection while it is there."""
        return self._all.counted(address_block(address))

    @contextlib.contextmanager
    def unproven(self, address: str, newcomer: Newcomer | None = None) -> Iterator[None]:
        """Count a connection until it has shown the certificate of an enrolled endpoint.

        ``newcomer``: what ends it, if another one of its address should get its place.
        """
        block = address_block(address)
        strangers = contextlib.nullcontext() if address in self._known else self._strangers.counted(block)
        with self._unproven.counted(block), strangers:
            newcomers = self._newcomers.setdefault(block, {})
            if newcomer is not None:
                newcomers[newcomer] = None
            try:
                yield
            finally:
                if newcomer is not None:
                    newcomers.pop(newcomer, None)
                if not newcomers and self._newcomers.get(block) is newcomers:
                    del self._newcomers[block]


class _Count:
    """How many there are, in all and of each address block."""

    def __init__(self) -> None:
        self.total = 0
        self.of: Counter[str] = Counter()

    def counted(self, block: str) -> contextlib.AbstractContextManager[None]:
        """Count one more of ``block`` for as long as the block of code runs."""
        return _Counted(self, block)

    def change(self, block: str, by: int) -> None:
        """Count ``by`` more of ``block``."""
        self.total += by
        self.of[block] += by
        if not self.of[block]:
            del self.of[block]


class _Counted(contextlib.AbstractContextManager[None]):
    """One that is counted: no generator, as there is one for each of thousands of connections."""

    __slots__ = ("_block", "_count")

    def __init__(self, count: _Count, block: str) -> None:
        self._count = count
        self._block = block

    def __enter__(self) -> None:
        self._count.change(self._block, 1)

    def __exit__(self, *_: object) -> None:
        self._count.change(self._block, -1)


@dataclass(frozen=True)
class AllowedConnections:
    """How many connections fit into the process's limit of open files."""

    origin: int
    web: int


def allowed_connections() -> AllowedConnections:
    """Raise this process's limit of open files as far as it may, and return how many connections fit."""
    most = AllowedConnections(MAX_CONNECTIONS, MAX_WEB_CONNECTIONS)
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return most
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + RESERVED_FILES
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return most
    reserved = min(RESERVED_FILES, soft // 2)
    web = max(1, MAX_WEB_CONNECTIONS * reserved // RESERVED_FILES)
    return AllowedConnections(min(MAX_CONNECTIONS, soft - reserved), web)
