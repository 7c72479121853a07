"""Connections of the web port: how many, for how long, TLS, and who is on the other side."""

import contextlib
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import structlog
import trio

from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import InvalidIdentifierError
from p2pdist.shared.log_limit import LogLimit
from seed_server.line.tcp_info import has_left, has_sent
from seed_server.ports.address_block import address_block
from seed_server.ports.gate import Gate, GateLimits, web_limits
from seed_server.ports.known_addresses import KnownAddresses
from seed_server.ports.peer_certificate import peer_certificate
from seed_server.ports.server_tls import HANDSHAKE_SECONDS
from seed_server.web.client import Client
from seed_server.web.fair_turns import MEMBER_TURN_SECONDS, STRANGER_TURN_SECONDS, FairTurns
from seed_server.web.http11 import AsgiApp, Http11, HttpTimes

MAX_CONNECTION_SECONDS = 900.0  # the largest metadata at 50 kbit/s; a slower client only holds memory
MAX_STRANGER_SECONDS = 60.0  # without an enrolled endpoint's certificate: all that such clients ask for is small
TLS_CLOSE_SECONDS = 1.0  # for TLS's last record to leave

_FAILED = "serving a web connection failed"

log = structlog.get_logger()


@dataclass(frozen=True)
class WebLimits:
    """What the clients of the web port may take; a server uses the defaults."""

    connections: GateLimits = field(default_factory=web_limits)
    handshake_seconds: float = HANDSHAKE_SECONDS
    connection_seconds: float = MAX_CONNECTION_SECONDS
    stranger_seconds: float = MAX_STRANGER_SECONDS
    stranger_turn_seconds: float = STRANGER_TURN_SECONDS
    member_turn_seconds: float = MEMBER_TURN_SECONDS
    times: HttpTimes = field(default_factory=HttpTimes)


DEFAULT_WEB_LIMITS = WebLimits()


async def serve_web(
    app: AsgiApp,
    sockets: list[socket.socket],
    context: ssl.SSLContext,
    clock: Clock,
    *,
    known: KnownAddresses | None = None,
    connecting: Callable[[str], None] = lambda _: None,
    limits: WebLimits = DEFAULT_WEB_LIMITS,
    task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve ``app`` on listening sockets until cancelled; reports started once it answers.

    Whatever a client does, only its connection ends. ``known``: addresses of enrolled endpoints, for which a part of
    the connections is kept; those that prove themselves here are added.
    ``connecting`` is told the address of each handshake in which something was said.
    """
    clients = _WebClients(app, context, clock, known if known is not None else KnownAddresses(), connecting, limits)
    task_status.started()
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in sockets]
    await trio.serve_listeners(clients.serve, listeners)


class _WebClients:
    """Admits and serves connections, each in a task of its own."""

    def __init__(
        self,
        app: AsgiApp,
        context: ssl.SSLContext,
        clock: Clock,
        known: KnownAddresses,
        connecting: Callable[[str], None],
        limits: WebLimits,
    ) -> None:
        self._app = app
        self._context = context
        self._clock = clock
        self._known = known
        self._connecting = connecting
        self._limits = limits
        self._gate = Gate(limits.connections, known=known)
        self._stranger_turns = FairTurns(seconds=limits.stranger_turn_seconds)
        self._member_turns = FairTurns(seconds=limits.member_turn_seconds)
        self._log_limit = LogLimit()
        self._idle: OrderedDict[_Place, None] = OrderedDict()
        """Proven connections between two requests, the one that has waited for longest first."""

    async def serve(self, tcp: trio.SocketStream) -> None:
        """Serve one connection to its end."""
        try:
            address, port = tcp.socket.getpeername()[:2]
        except OSError:  # the client has gone already
            await trio.aclose_forcefully(tcp)
            return
        self._make_room(address)
        if self._gate.full(address) and not self._gate.made_room(address):
            await trio.aclose_forcefully(tcp)
            return
        try:
            with _Place(self._gate, tcp.socket, address, self._idle, self._limits) as place:
                await self._serve_within(tcp, address, port, place)
        except Exception:
            # a bug in serving one connection must not end those of all others
            line = self._log_limit.line(_FAILED, address_block(address), self._clock.monotonic())
            if line is not None:
                log.exception(_FAILED, address=address, left_out=line.left_out)
        finally:
            await trio.aclose_forcefully(tcp)

    def _make_room(self, address: str) -> None:
        """End the connection that has been idle for longest, if the newcomer gets in thereby and not otherwise."""
        if self._gate.full(address):
            idle = next((place for place in self._idle if self._gate.ending_helps(place.address, address)), None)
            if idle is not None:
                idle.end()

    async def _serve_within(self, tcp: trio.SocketStream, address: str, port: int, place: "_Place") -> None:
        # before the handshake, which is the dearest of what a client can ask for
        await (self._member_turns if address in self._known else self._stranger_turns).take(address)
        stream = trio.SSLStream(tcp, self._context, server_side=True, https_compatible=True)
        try:
            with trio.fail_after(self._limits.handshake_seconds):
                await stream.do_handshake()
            certificate = peer_certificate(stream)
        except (trio.TooSlowError, trio.BrokenResourceError, trio.ClosedResourceError, InvalidIdentifierError):
            return  # a stranger's fault, and nothing to log
        finally:
            if has_sent(tcp.socket):  # to one that says nothing, nothing is said
                self._connecting(address)

        def proved() -> None:
            place.prove()
            self._known.note(address)

        endpoint = certificate.endpoint if certificate else None
        client = Client(address, port, endpoint, proved, gone=lambda: has_left(tcp.socket))
        standing = _Standing(place, self._stranger_turns, self._member_turns)
        await Http11(stream, client, self._app, self._clock, standing=standing, times=self._limits.times).serve()
        with (
            trio.move_on_after(TLS_CLOSE_SECONDS),
            contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError),
        ):
            await stream.aclose()


class _Place:
    """A connection's place in the port: for how long it may last, and what it counts as; a context manager."""

    def __init__(
        self,
        gate: Gate,
        sock: trio.socket.SocketType,
        address: str,
        idle: "OrderedDict[_Place, None]",
        limits: WebLimits,
    ) -> None:
        self.address = address
        self._socket = sock
        self.is_proven = False
        self._idle = idle
        self._until = trio.current_time() + limits.connection_seconds
        self._life = trio.move_on_after(limits.stranger_seconds)
        self._counted = contextlib.ExitStack()
        self._counted.enter_context(gate.entered(address))
        self._unproven = contextlib.ExitStack()
        self._unproven.enter_context(gate.unproven(address, self))

    def __enter__(self) -> Self:
        self._life.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._uncount()
        return self._life.__exit__(kind, error, trace)

    def prove(self) -> None:
        """Count the connection among the strangers' no longer; calling it again does nothing."""
        self.is_proven = True
        self._unproven.close()
        self._life.deadline = self._until

    @contextlib.contextmanager
    def idle(self) -> Iterator[None]:
        """Let the connection be ended while the block of code runs, if it is proven."""
        if self.is_proven:
            self._idle[self] = None
        try:
            yield
        finally:
            self._idle.pop(self, None)

    def is_silent(self) -> bool:
        """Whether nothing has been said to the client."""
        return not has_sent(self._socket)

    def end(self) -> None:
        """End the connection. Its place is free at once."""
        self._idle.pop(self, None)
        self._uncount()
        self._life.cancel()

    def _uncount(self) -> None:
        self._unproven.close()
        self._counted.close()


@dataclass(frozen=True)
class _Standing:
    """What a connection is granted: turns for its requests, and to stay while nobody needs its place."""

    place: _Place
    stranger_turns: FairTurns
    member_turns: FairTurns

    async def turn(self) -> None:
        turns = self.member_turns if self.place.is_proven else self.stranger_turns
        await turns.take(self.place.address)

    def idle(self) -> contextlib.AbstractContextManager[None]:
        return self.place.idle()
