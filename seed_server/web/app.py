"""The web port's routes: health, enrolment, and TUF metadata and targets. The only FastAPI import."""

import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import trio
from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse
from starlette.requests import ClientDisconnect

from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import FILE_NAME_MAX_BYTES
from p2pdist.shared.wire.codec import DecodeError, Record
from p2pdist.shared.wire.enrolment import (
    MAX_ENROLMENT_BODY_BYTES,
    EnrolRequest,
    Problem,
    RenewRequest,
    decode_body,
    encode_body,
)
from seed_server.enrolment.attempt_limiter import AttemptLimiter
from seed_server.enrolment.decisions import EnrolmentDecisions, RequestRefusedError
from seed_server.web.statuses import OUR_FAULT, answer_to

READ_SECONDS = 20.0  # for a whole request: they are all small
MAX_REQUESTS_AT_A_TIME = 200  # database and signing are quick; this bounds memory

log = structlog.get_logger()


@dataclass(frozen=True)
class WebPort:
    """What the web port serves, and what decides on requests."""

    decisions: EnrolmentDecisions
    metadata_directory: Path
    targets_directory: Path


class _UnreadError(Exception):
    """A request is answered with a `Problem` before it is decided on."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class _Calls:
    """Answers the calls that change something or cost a signature."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._limiter = AttemptLimiter()
        self._slots = trio.CapacityLimiter(MAX_REQUESTS_AT_A_TIME)

    async def answer(
        self, request: Request, kind: type[Any], decide: Callable[[Any, float], Record], *, limited: bool
    ) -> Response:
        """Decode the request's body as ``kind`` and answer with what ``decide`` returns.

        ``limited``: the request carries a secret; an address that guesses wrong too often must wait.
        """
        address = request.client.host if request.client else "unknown"
        now = self._clock.now()
        try:
            if limited and (wait := self._limiter.wait_seconds(address, now)):
                raise _UnreadError(429, f"Too many failed attempts from {address}. Try again in {wait:.0f} s.")
            body = decode_body(await _read_body(request), kind)
            answer = await trio.to_thread.run_sync(decide, body, now, limiter=self._slots)
        except DecodeError as error:
            return _problem(400, f"The request is malformed: {error}. Update p2pdist on this PC.")
        except _UnreadError as error:
            log.warning("request refused", path=request.url.path, address=address, reason=error.text)
            return _problem(error.status, error.text)
        except UserError as error:
            if isinstance(error, RequestRefusedError):
                log.warning("request refused", path=request.url.path, address=address, reason=error.message)
                if error.guess:
                    self._limiter.failed(address, now)
            else:
                log.error("request failed", path=request.url.path, reason=error.message)  # noqa: TRY400
            return _problem(*answer_to(error))
        return Response(encode_body(answer), media_type="application/json")


def make_app(port: WebPort, clock: Clock) -> FastAPI:
    """Return the ASGI application."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    calls = _Calls(clock)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        log.error("request failed", path=request.url.path[:FILE_NAME_MAX_BYTES], exc_info=error)
        return _problem(500, OUR_FAULT)

    @app.post("/v1/enrol")
    async def enrol(request: Request) -> Response:
        return await calls.answer(request, EnrolRequest, port.decisions.enrol, limited=True)

    @app.post("/v1/renew")
    async def renew(request: Request) -> Response:
        # not limited: there is no secret to guess, and one bad PC must not stop its branch's renewals
        return await calls.answer(request, RenewRequest, port.decisions.renew, limited=False)

    @app.get("/v1/ca")
    async def control_ca() -> Response:
        return Response(port.decisions.control_ca_pem, media_type="application/x-pem-file")

    @app.get("/v1/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "server": port.decisions.server_name}

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
                        raise _UnreadError(413, f"The request is over {MAX_ENROLMENT_BODY_BYTES} bytes.")
        except ClientDisconnect:
            raise _UnreadError(400, "The request broke off. Try again.") from None
    if scope.cancelled_caught:
        raise _UnreadError(408, "The request took too long to arrive. Try again.")
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
