"""Connections of the web port: TLS, HTTP, and how many at a time. The only Hypercorn import."""

import socket
import ssl
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import structlog
import trio
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState
from hypercorn.utils import wrap_app

from seed_server.ports.gate import Gate
from seed_server.ports.server_tls import HANDSHAKE_SECONDS

KEEP_ALIVE_SECONDS = 15.0  # a refresh asks several times in a row; longer only holds sockets
MAX_CONNECTION_SECONDS = 900.0  # the largest metadata at 50 kbit/s; a slower client only holds memory
MAX_WEB_CONNECTIONS = 1_000  # a refresh takes a second; strangers must not take the origin port's files

AsgiApp: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]
"""An application by the ASGI standard: scope, receive, send."""

log = structlog.get_logger()


async def serve_web(
    app: AsgiApp,
    sockets: list[socket.socket],
    context: ssl.SSLContext,
    *,
    max_connections: int = MAX_WEB_CONNECTIONS,
    task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve ``app`` on listening sockets until cancelled; reports started once it answers.

    Whatever a client does, only its connection ends.
    """
    context.set_alpn_protocols(["http/1.1"])
    asgi: Any = app  # the types of the standard and of Hypercorn for the same interface differ in their details
    clients = _WebClients(wrap_app(asgi, 0, "asgi"), context, Gate(max_connections))
    task_status.started()
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in sockets]
    await trio.serve_listeners(clients.serve, listeners)


class _WebClients:
    """Serves connections with Hypercorn's HTTP, without its server: there, one client's error ends all connections."""

    def __init__(self, app: AppWrapper, context: ssl.SSLContext, gate: Gate) -> None:
        self._app = app
        self._context = context
        self._gate = gate
        self._config = Config()
        self._config.keep_alive_timeout = KEEP_ALIVE_SECONDS
        self._config.ssl_handshake_timeout = HANDSHAKE_SECONDS
        self._config.include_server_header = False
        self._config.accesslog = None
        self._config.errorlog = None  # the app logs its own errors; all others are the clients' fault
        self._config.h11_max_incomplete_size = 16 << 10

    async def serve(self, tcp: trio.SocketStream) -> None:
        """Serve one connection to its end."""
        try:
            address = str(tcp.socket.getpeername()[0])
        except OSError:  # the client has gone already
            address = ""
        if not address or self._gate.full(address):
            await trio.aclose_forcefully(tcp)
            return
        with self._gate.entered(address):
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_close_in_the_end, tcp)
                    stream = trio.SSLStream(tcp, self._context, server_side=True, https_compatible=True)
                    await TCPServer(self._app, self._config, WorkerContext(None), ConnectionState({}), stream)
                    nursery.cancel_scope.cancel()
            except* Exception as errors:  # noqa: BLE001 - Hypercorn's or OpenSSL's, on what a stranger sent
                log.warning("a web connection failed", address=address, reason=repr(errors.exceptions[0]))


async def _close_in_the_end(tcp: trio.SocketStream) -> None:
    try:
        await trio.sleep(MAX_CONNECTION_SECONDS)
    finally:
        tcp.socket.close()  # also when cancelled: Hypercorn shields what it sends, to a client that may never read
