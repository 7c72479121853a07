"""The web port: health, enrolment, and TUF metadata and targets over HTTPS. The only FastAPI and Hypercorn import."""

import contextlib
import os
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import trio
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState
from hypercorn.utils import wrap_app
from starlette.requests import ClientDisconnect

from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import FILE_NAME_MAX_BYTES
from p2pdist.shared.wire.codec import DecodeError, Record
from p2pdist.shared.wire.enrolment import (
    MAX_ENROLMENT_BODY_BYTES,
    EnrolReply,
    EnrolRequest,
    Problem,
    RenewRequest,
    decode_body,
    encode_body,
)
from seed_server.enrolment.attempt_limiter import AttemptLimiter
from seed_server.enrolment.certificate_authority import CertificateAuthority, CertificateRequestError
from seed_server.ports.gate import Gate
from seed_server.ports.server_tls import HANDSHAKE_SECONDS
from seed_server.store.database import Database

KEEP_ALIVE_SECONDS = 15.0  # a refresh asks several times in a row; longer only holds sockets
READ_SECONDS = 20.0  # for a whole request: they are all small
MAX_CONNECTION_SECONDS = 900.0  # the largest metadata at 50 kbit/s; who reads slower only holds memory
MAX_WEB_CONNECTIONS = 1_000  # a refresh takes a second; strangers must not take the origin port's files
MAX_REQUESTS_AT_A_TIME = 200  # database and signing are quick; this bounds memory

log = structlog.get_logger()

_OUR_FAULT = "The seed server has a problem of its own; try again later, and tell the operator."
_TOKEN_PROBLEMS = {
    "unknown": "This token is not known here: it is for another server, or it was typed wrongly. "
    "Ask the operator for a new one.",
    "used": "This token has been used up. Ask the operator for a new one (seed-server token).",
    "expired": "This token has expired. Ask the operator for a new one (seed-server token).",
}


@dataclass(frozen=True)
class WebPort:
    """What the web port hands out and decides with."""

    server_name: str
    origin_port: int
    authority: CertificateAuthority
    database: Database
    trusted_root: Callable[[], str]
    """Return the TUF root that endpoints start from, JSON text. Blocking."""
    metadata_directory: Path
    targets_directory: Path

    def enrol(self, request: EnrolRequest, now: float) -> Record:
        """Spend a token's use for certificates. Blocking. Raises `_RefusedError`."""
        try:
            # before the token is spent: a broken request must not cost a use
            endpoint_id, certificates = self.authority.issue_endpoint_certificates(request.csr, now)
            secret = bytes.fromhex(request.secret)
        except CertificateRequestError as error:
            raise _RefusedError(400, f"The request is not acceptable: {error}. Update p2pdist on this PC.") from error
        except ValueError as error:
            raise _RefusedError(400, "The token's secret is not hexadecimal. Copy the whole token.") from error
        known = self.database.endpoint(endpoint_id)
        if known is not None and known.denied:
            raise _RefusedError(403, "This PC's key has been denied by the operator. Ask the operator to allow it.")
        tuf_root = self.trusted_root()
        with self.database.batch():  # the use of the token is spent with the enrolment, or not at all
            verdict = self.database.spend_token(secret, now)
            if verdict != "accepted":
                raise _RefusedError(403, _TOKEN_PROBLEMS[verdict], counts=True)
            tags = self.database.token_tags(secret)
            self.database.add_endpoint(endpoint_id, request.hostname, now, tags)
        log.info("endpoint enrolled", endpoint=endpoint_id, hostname=request.hostname)
        return EnrolReply(
            endpoint_id=endpoint_id,
            server_name=self.server_name,
            origin_port=self.origin_port,
            certificates=certificates,
            tuf_root=tuf_root,
            tags=tags,
        )

    def renew(self, request: RenewRequest, now: float) -> Record:
        """Return new certificates for an enrolled key. Blocking. Raises `_RefusedError`."""
        try:
            endpoint_id, certificates = self.authority.issue_endpoint_certificates(request.csr, now)
        except CertificateRequestError as error:
            raise _RefusedError(400, f"The request is not acceptable: {error}. Update p2pdist on this PC.") from error
        endpoint = self.database.endpoint(endpoint_id)
        if endpoint is None:
            raise _RefusedError(
                403, "This PC is not enrolled here. Enrol it again with a new token (p2pdist enrol --force)."
            )
        if endpoint.denied:
            raise _RefusedError(403, "This PC has been denied by the operator. Ask the operator to allow it.")
        return certificates


class _RefusedError(Exception):
    """A request is answered with a `Problem`."""

    def __init__(self, status: int, text: str, *, counts: bool = False) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.counts = counts
        """Whether it counts as a guess against the caller's address."""


class _Decisions:
    """Answers the calls that change something or cost a signature."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._limiter = AttemptLimiter()
        self._slots = trio.CapacityLimiter(MAX_REQUESTS_AT_A_TIME)

    async def answer(
        self, request: Request, kind: type[Any], decision: Callable[[Any, float], Record], *, limited: bool
    ) -> Response:
        """Decode the request's body as ``kind`` and answer with what ``decision`` returns.

        ``limited``: the request carries a secret, which an address may not guess.
        """
        address = request.client.host if request.client else "unknown"
        now = self._clock()
        try:
            if limited and (wait := self._limiter.wait_seconds(address, now)):
                raise _RefusedError(429, f"Too many failed attempts from {address}. Try again in {wait:.0f} s.")
            body = decode_body(await _read_body(request), kind)
            answer = await trio.to_thread.run_sync(decision, body, now, limiter=self._slots)
        except DecodeError as error:
            return _problem(400, f"The request is malformed: {error}. Update p2pdist on this PC.")
        except _RefusedError as error:
            if error.counts:
                self._limiter.failed(address, now)
            log.warning("request refused", path=request.url.path, address=address, reason=error.text)
            return _problem(error.status, error.text)
        except UserError as error:
            log.error("request failed", path=request.url.path, reason=error.message)  # noqa: TRY400
            return _problem(503, _OUR_FAULT)
        return Response(encode_body(answer), media_type="application/json")


def make_app(port: WebPort, clock: Callable[[], float] = time.time) -> FastAPI:
    """Return the ASGI application. ``clock`` gives seconds since 1970."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    decisions = _Decisions(clock)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        log.error("request failed", path=request.url.path[:FILE_NAME_MAX_BYTES], exc_info=error)
        return _problem(500, _OUR_FAULT)

    @app.post("/v1/enrol")
    async def enrol(request: Request) -> Response:
        return await decisions.answer(request, EnrolRequest, port.enrol, limited=True)

    @app.post("/v1/renew")
    async def renew(request: Request) -> Response:
        # not limited: there is no secret to guess, and one bad PC must not stop its branch's renewals
        return await decisions.answer(request, RenewRequest, port.renew, limited=False)

    @app.get("/v1/ca")
    async def control_ca() -> Response:
        return Response(port.authority.control_ca_pem, media_type="application/x-pem-file")

    @app.get("/v1/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "server": port.server_name}

    @app.get("/tuf/metadata/{name:path}")
    async def metadata(name: str) -> Response:
        return await _file(port.metadata_directory, name)

    @app.get("/tuf/targets/{name:path}")
    async def target(name: str) -> Response:
        return await _file(port.targets_directory, name)

    return app


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    with trio.move_on_after(READ_SECONDS) as scope:
        try:
            async with contextlib.aclosing(request.stream()) as chunks:
                async for chunk in chunks:
                    body += chunk
                    if len(body) > MAX_ENROLMENT_BODY_BYTES:
                        raise _RefusedError(413, f"The request is over {MAX_ENROLMENT_BODY_BYTES} bytes.")
        except ClientDisconnect:
            raise _RefusedError(400, "The request broke off. Try again.") from None
    if scope.cancelled_caught:
        raise _RefusedError(408, "The request took too long to arrive. Try again.")
    return bytes(body)


async def _file(directory: Path, name: str) -> Response:
    """Answer with a file below ``directory``; anything else is 404, which TUF clients rely on."""

    def find() -> Path | None:
        parts = name.split("/")
        if any(part == "" or part.startswith(".") or "\\" in part or "\0" in part for part in parts):
            return None
        if any(len(os.fsencode(part)) > FILE_NAME_MAX_BYTES for part in parts):
            return None
        path = directory.joinpath(*parts)
        # a link would lead out of the directory
        return path if path.is_file() and path.resolve().is_relative_to(directory.resolve()) else None

    path = await trio.to_thread.run_sync(find)
    if path is None:
        return _problem(404, "There is no such file.")
    return FileResponse(path, media_type="application/octet-stream")


def _problem(status: int, text: str) -> Response:
    return Response(encode_body(Problem(error=text)), status_code=status, media_type="application/json")


async def serve_web(
    app: FastAPI,
    sockets: list[socket.socket],
    context: ssl.SSLContext,
    *,
    task_status: trio.TaskStatus[Any] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve ``app`` on listening sockets until cancelled; started once it answers.

    Whatever a client does, only its connection ends.
    """
    context.set_alpn_protocols(["http/1.1"])
    asgi: Any = app  # FastAPI's and Hypercorn's types for the same interface differ in their details
    clients = _WebClients(wrap_app(asgi, 0, "asgi"), context)
    task_status.started()
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(sock)) for sock in sockets]
    await trio.serve_listeners(clients.serve, listeners)


class _WebClients:
    """Serves connections with Hypercorn's HTTP, but not its server: there, one client's error ends all others too."""

    def __init__(self, app: AppWrapper, context: ssl.SSLContext) -> None:
        self._app = app
        self._context = context
        self._gate = Gate(MAX_WEB_CONNECTIONS)
        self._config = Config()
        self._config.keep_alive_timeout = KEEP_ALIVE_SECONDS
        self._config.ssl_handshake_timeout = HANDSHAKE_SECONDS
        self._config.include_server_header = False
        self._config.accesslog = None
        self._config.errorlog = None  # the app logs its own errors; the others are the clients', and no news
        self._config.h11_max_incomplete_size = 16 << 10

    async def serve(self, tcp: trio.SocketStream) -> None:
        """Serve one connection to its end."""
        try:
            address = str(tcp.socket.getpeername()[0])
        except OSError:  # gone already
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
