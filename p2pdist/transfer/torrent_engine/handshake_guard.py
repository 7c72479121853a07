"""End connections of the LAN port that libtorrent itself would keep: without a TLS handshake, or older than an hour.

libtorrent 2.1.1 keeps an incoming connection for as long as the other side says nothing, without a deadline or a cap:
its own limits begin after the handshake. And it looks at a neighbour's certificate once, in the handshake, so an open
connection outlives it. So this process looks at its own sockets, and shuts those down that have no peer after some
seconds, that are too many, or that are old: neighbours connect again, and show their certificates. libtorrent closes
such a socket as if the other side had.
"""

import contextlib
import errno
import os
import socket
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import trio

from p2pdist.shared.lazy_log import lazy_log

if os.name == "posix":
    import resource

HANDSHAKE_SECONDS = 6.0  # two round trips and some signatures: milliseconds, or seconds on a busy PC
SETTLING_SECONDS = 1.5  # a neighbour that connects for many torrents at once is not counted before
OLD_SECONDS = 3_600.0  # a certificate lives for a day: a member that has lost it is out within an hour more
MAX_CALLERS_PER_ADDRESS = 16
MAX_CALLERS = 256  # on a LAN of hundreds of PCs that all start at eight
LOOK_SECONDS, BUSY_LOOK_SECONDS = 2.0, 0.25
BUSY_CALLERS = 64
LOG_AGAIN_SECONDS = 60.0

log = lazy_log()


@dataclass(frozen=True)
class Connection:
    """A TCP connection of this process; whose it is must be found out."""

    address: str
    """The remote one, as the port."""
    port: int
    descriptor: int
    incoming: bool
    """Whether it came in at the LAN port."""

    @property
    def place(self) -> tuple[str, int]:
        """Its remote address and port."""
        return self.address, self.port


@dataclass
class ConnectionWatch:
    """Decides which connections to end; ``now`` is any clock in seconds that does not go back."""

    _first_seen: dict[tuple[str, int], float] = field(default_factory=dict)
    _proven: set[tuple[str, int]] = field(default_factory=set)
    _of_others: set[tuple[str, int]] = field(default_factory=set)
    """Old connections that are not to neighbours: to the seed server."""

    def look(self, present: Collection[Connection], now: float) -> None:
        """Record which connections there are now."""
        places = {connection.place for connection in present}
        self._first_seen = {place: self._first_seen.get(place, now) for place in places}
        self._proven &= places
        self._of_others &= places

    def unproven(self, present: Iterable[Connection]) -> list[Connection]:
        """Return the incoming ones that are not known to have passed the handshake."""
        return [c for c in present if c.incoming and c.place not in self._proven]

    def old(self, present: Iterable[Connection], now: float) -> list[Connection]:
        """Return those that are to be ended if they are neighbours'."""
        return [c for c in present if self._age(c, now) >= OLD_SECONDS and c.place not in self._of_others]

    def to_end(self, present: Collection[Connection], peers: set[tuple[str, int]], now: float) -> list[Connection]:
        """Return the connections to end. ``peers``: the neighbours that have passed the handshake."""
        self._proven |= self._first_seen.keys() & peers
        old = self.old(present, now)
        self._of_others |= {c.place for c in old if not c.incoming} - peers
        return [c for c in old if c.place in peers] + self._too_long_or_too_many(self.unproven(present), now)

    def _too_long_or_too_many(self, unproven: Iterable[Connection], now: float) -> list[Connection]:
        kept, per_address, ended = 0, Counter[str](), []
        # the first to come are the last to be too many
        for connection in sorted(unproven, key=lambda c: self._first_seen[c.place]):
            age, address = self._age(connection, now), connection.address
            settled = age >= SETTLING_SECONDS
            full = kept >= MAX_CALLERS or (settled and per_address[address] >= MAX_CALLERS_PER_ADDRESS)
            if age >= HANDSHAKE_SECONDS or full:
                ended.append(connection)
            else:
                kept += 1
                per_address[address] += 1
        return ended

    def _age(self, connection: Connection, now: float) -> float:
        return now - self._first_seen[connection.place]


class Listener(Protocol):
    """The part of the torrent engine that is needed."""

    @property
    def listen_port(self) -> int:
        """The TLS port that neighbours connect to."""
        ...

    async def connected_peers(self) -> set[tuple[str, int]]:
        """Return the addresses and ports of all that have passed the handshake."""
        ...


async def guard_handshakes(listener: Listener, calm_again: Callable[[], None]) -> None:
    """Guard the LAN connections of this process until cancelled.

    ``calm_again`` is called, in a thread, when many connections have come and are gone.
    """
    watch, refused, was_busy = ConnectionWatch(), _Refused(), False
    while True:
        present = await trio.to_thread.run_sync(connections_of, listener.listen_port)
        watch.look(present, trio.current_time())
        unproven = watch.unproven(present)
        if unproven or watch.old(present, trio.current_time()):
            peers = await listener.connected_peers()
            for connection in watch.to_end(present, peers, trio.current_time()):
                _shut_down(connection, listener.listen_port)
                if connection.place not in peers:
                    refused.count(connection.address)
            refused.log(trio.current_time())
        busy = len(unproven) > BUSY_CALLERS
        if was_busy and not busy:
            await trio.to_thread.run_sync(calm_again)
        was_busy = busy
        await trio.sleep(BUSY_LOOK_SECONDS if busy else LOOK_SECONDS)


@dataclass
class _Refused:
    """What is said in the log of strangers: one line a minute."""

    _since: Counter[str] = field(default_factory=Counter)
    _logged_at: float = float("-inf")

    def count(self, address: str) -> None:
        self._since[address] += 1

    def log(self, now: float) -> None:
        if not self._since or now - self._logged_at < LOG_AGAIN_SECONDS:
            return
        address, most = self._since.most_common(1)[0]
        log.warning(
            "connections without a TLS handshake were ended",
            number=self._since.total(),
            addresses=len(self._since),
            most_from=address,
            of_it=most,
        )
        self._logged_at = now
        self._since.clear()


def connections_of(port: int) -> list[Connection]:
    """Return this process's TCP connections; ``port`` is its LAN port. Blocking, for milliseconds."""
    found = []
    for descriptor in _descriptors():
        with contextlib.suppress(OSError), _lent(descriptor) as lent:
            peer = _peer(lent)
            if peer is not None:
                found.append(Connection(*peer, descriptor, incoming=lent.getsockname()[1] == port))
    return found


def _descriptors() -> Iterable[int]:
    """Return the numbers of all descriptors. Where strangers have taken all, even listing them is refused: try each."""
    try:
        return [int(name) for name in os.listdir("/dev/fd")]  # noqa: PTH208 - thousands of names, and nothing but names
    except OSError:
        return range(resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _shut_down(connection: Connection, port: int) -> None:
    """Shut the connection down, unless its descriptor is another one's by now."""
    with contextlib.suppress(OSError), _held(connection.descriptor) as held:
        same_way = (held.getsockname()[1] == port) == connection.incoming
        if _peer(held) == connection.place and same_way:
            held.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def _held(descriptor: int) -> Iterator[socket.socket]:
    """Yield a socket that stays the same connection, whatever libtorrent does with the descriptor meanwhile.

    Without a descriptor left for that, the connection may change between two calls: a wrong one is then shut down at
    worst. Raises `OSError` for what is no socket.
    """
    try:
        own = os.dup(descriptor)
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        with _lent(descriptor) as lent:
            yield lent
        return
    try:
        with _lent(own) as lent:
            yield lent
    finally:
        os.close(own)


@contextlib.contextmanager
def _lent(descriptor: int) -> Iterator[socket.socket]:
    """Yield a socket on the descriptor itself: that costs no other one. Raises `OSError` for what is no socket."""
    lent = socket.socket(fileno=descriptor)
    try:
        yield lent
    finally:
        lent.detach()


def _peer(lent: socket.socket) -> tuple[str, int] | None:
    """Return the remote address and port of a TCP connection. Raises `OSError` for a listener."""
    if lent.type != socket.SOCK_STREAM or lent.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    address, port = lent.getpeername()[:2]
    return address.removeprefix("::ffff:"), port
