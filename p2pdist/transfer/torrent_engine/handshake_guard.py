"""End connections to the LAN port that do not get through the TLS handshake: libtorrent itself never does.

libtorrent 2.1.1 keeps an incoming connection for as long as the other side says nothing, without a deadline or a cap:
its own limits begin after the handshake. So this process looks at its own sockets, and shuts those down that have no
peer after some seconds, or that are too many. libtorrent then closes them as if the other side had.
"""

import contextlib
import os
import socket
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Protocol

import structlog
import trio

HANDSHAKE_SECONDS = 6.0  # two round trips and some signatures: milliseconds, or seconds on a busy PC
SETTLING_SECONDS = 1.5  # a neighbour that connects for many torrents at once is not counted before
MAX_CALLERS_PER_ADDRESS = 16
MAX_CALLERS = 256  # on a LAN of hundreds of PCs that all start at eight
LOOK_SECONDS, BUSY_LOOK_SECONDS = 1.0, 0.25
BUSY_CALLERS = 64
LOG_AGAIN_SECONDS = 60.0

log = structlog.get_logger()


@dataclass(frozen=True)
class Caller:
    """An incoming connection, proven or not."""

    address: str
    port: int
    descriptor: int

    @property
    def place(self) -> tuple[str, int]:
        """Its remote address and port."""
        return self.address, self.port


@dataclass
class HandshakeWatch:
    """Decides which callers to end; ``now`` is any clock in seconds that does not go back."""

    _first_seen: dict[tuple[str, int], float] = field(default_factory=dict)
    _proven: set[tuple[str, int]] = field(default_factory=set)

    def unproven(self, callers: Collection[Caller], now: float) -> list[Caller]:
        """Record who is there now; return those of whom it is not known that they passed the handshake."""
        places = {caller.place for caller in callers}
        self._first_seen = {place: self._first_seen.get(place, now) for place in places}
        self._proven &= places
        return [caller for caller in callers if caller.place not in self._proven]

    def too_long_or_too_many(self, unproven: Iterable[Caller], peers: set[tuple[str, int]], now: float) -> list[Caller]:
        """Return the callers to end. ``peers``: who has passed the handshake."""
        self._proven |= self._first_seen.keys() & peers
        ages = [(now - self._first_seen[c.place], c) for c in unproven if c.place not in self._proven]
        ages.sort(key=lambda pair: pair[0], reverse=True)  # the first to come are the last to be too many
        kept, per_address, ended = 0, Counter[str](), []
        for age, caller in ages:
            settled = age >= SETTLING_SECONDS
            full = kept >= MAX_CALLERS or (settled and per_address[caller.address] >= MAX_CALLERS_PER_ADDRESS)
            if age >= HANDSHAKE_SECONDS or full:
                ended.append(caller)
            else:
                kept += 1
                per_address[caller.address] += 1
        return ended


class Listener(Protocol):
    """The part of the torrent listener that is needed."""

    @property
    def listen_port(self) -> int:
        """The TLS port that neighbours connect to."""
        ...

    async def connected_peers(self) -> set[tuple[str, int]]:
        """Return the addresses and ports of all that have passed the handshake."""
        ...


async def guard_handshakes(listener: Listener) -> None:
    """Guard the LAN port of this process until cancelled."""
    watch, ended_since, reported_at = HandshakeWatch(), Counter[str](), -LOG_AGAIN_SECONDS
    while True:
        callers = await trio.to_thread.run_sync(callers_of, listener.listen_port)
        unproven = watch.unproven(callers, trio.current_time())
        if unproven:
            peers = await listener.connected_peers()
            now = trio.current_time()
            for caller in watch.too_long_or_too_many(unproven, peers, now):
                _shut_down(caller, listener.listen_port)
                ended_since[caller.address] += 1
            if ended_since and now - reported_at >= LOG_AGAIN_SECONDS:
                address, most = ended_since.most_common(1)[0]
                log.warning(
                    "connections without a TLS handshake were ended",
                    number=ended_since.total(),
                    addresses=len(ended_since),
                    most_from=address,
                    of_it=most,
                )
                reported_at = now
                ended_since.clear()
        await trio.sleep(BUSY_LOOK_SECONDS if len(unproven) > BUSY_CALLERS else LOOK_SECONDS)


def callers_of(port: int) -> list[Caller]:
    """Return this process's connected TCP sockets whose own port is ``port``. Blocking, for milliseconds."""
    found = []
    for name in os.listdir("/dev/fd"):  # noqa: PTH208 - thousands of names, and nothing but names
        with contextlib.suppress(OSError), _borrowed(int(name)) as borrowed:
            peer = _caller(borrowed, port)
            if peer is not None:
                found.append(Caller(*peer, int(name)))
    return found


def _shut_down(caller: Caller, port: int) -> None:
    """Shut the caller's connection down, unless its descriptor is another one's by now."""
    with contextlib.suppress(OSError), _borrowed(caller.descriptor) as borrowed:
        if _caller(borrowed, port) == caller.place:
            borrowed.shutdown(socket.SHUT_RDWR)


def _borrowed(descriptor: int) -> socket.socket:
    """Return a socket of our own for the same connection. Raises `OSError` for what is no socket."""
    own = os.dup(descriptor)
    try:
        return socket.socket(fileno=own)
    except OSError:
        os.close(own)
        raise


def _caller(borrowed: socket.socket, port: int) -> tuple[str, int] | None:
    if borrowed.type != socket.SOCK_STREAM or borrowed.family not in (socket.AF_INET, socket.AF_INET6):
        return None
    if borrowed.getsockname()[1] != port:
        return None
    address, peer_port = borrowed.getpeername()[:2]  # raises for a listener
    return address.removeprefix("::ffff:"), peer_port
