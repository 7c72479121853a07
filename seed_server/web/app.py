"""The web port's routes: health, enrolment, and TUF metadata and targets. The only FastAPI import but the API's."""

import contextlib
import io
import os
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import trio
from fastapi import FastAPI, Request, Response
from starlette.types import Receive, Scope, Send

from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.codec import DecodeError, Record
from p2pdist.shared.wire.enrolment import (
    MAX_ENROLMENT_BODY_BYTES,
    EnrolRequest,
    Problem,
    RenewRequest,
    decode_body,
    encode_body,
)
from p2pdist.shared.wire.trust_news import BATCH_FIELD, BATCH_PATH, DIFFERENCES_QUERY
from seed_server.enrolment.decisions import EnrolmentDecisions, RequestRefusedError
from seed_server.line.byte_budget import REQUEST_COST_BYTES, ByteBudgets
from seed_server.line.metadata_line import AnswerPace, AnswersLine
from seed_server.store.published_files import find_file, read_part
from seed_server.store.trust_news import BY_DIFFERENCES, IN_WHOLE_FILES, NewsForm, TrustNewsReader
from seed_server.web.client import Client, client_of
from seed_server.web.request_body import BodyError, whole_body
from seed_server.web.request_log import RequestLog
from seed_server.web.statuses import OUR_FAULT, answer_to

READ_SECONDS = 20.0  # for a whole request: they are all small
SIGNERS = 4  # threads that decide on requests: each takes a millisecond
MAX_FETCHES_PER_ENDPOINT = 2  # at the same time; a PC needs one
TOO_MUCH_SECONDS = 1.0  # before a PC is told that it asks for too much: such answers must not cost much either
VERSION = re.compile("[0-9]{1,19}")  # of metadata: below 2 ** 62
NO_CERTIFICATE = (
    "Signed metadata and recipes are for enrolled PCs alone: show this PC's certificate. "
    "Enrol it with a token from 'seed-server token'."
)


@dataclass(frozen=True)
class WebPort:
    """What the web port serves, and what decides on requests."""

    decisions: EnrolmentDecisions
    metadata_directory: Path
    targets_directory: Path
    line: AnswersLine
    news: TrustNewsReader
    budgets: ByteBudgets = field(default_factory=ByteBudgets)
    """What each endpoint may fetch, also at the origin port."""


class _UnreadError(Exception):
    """A request is answered with a `Problem` before it is decided on."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class _Calls:
    """Answers the calls that change something or cost a signature."""

    def __init__(self, clock: Clock, line: AnswersLine, log: RequestLog) -> None:
        self._clock = clock
        self._log = log
        self._line = line
        self._signers = trio.CapacityLimiter(SIGNERS)

    async def answer(self, request: Request, kind: type[Any], decide: Callable[[Any, float], Record]) -> Response:
        """Decode the request's body as ``kind`` and answer with what ``decide`` returns."""
        client, path = client_of(request.scope), request.url.path
        try:
            body = decode_body(await _read_body(request), kind)
            answer = await trio.to_thread.run_sync(decide, body, self._clock.now(), limiter=self._signers)
        except DecodeError as error:
            return _problem(400, f"The request is malformed: {error}. Update p2pdist on this PC.")
        except _UnreadError as error:
            self._log.refused(client, path, error.text)
            return _problem(error.status, error.text)
        except UserError as error:
            if isinstance(error, RequestRefusedError):
                self._log.refused(client, path, error.message)
            else:
                self._log.failed(client, path, error, reason=error.message)
            return _problem(*answer_to(error))
        encoded = encode_body(answer)
        self._line.sent(client.address, len(encoded))
        return Response(encoded, media_type="application/json")


class _Files:
    """Answers with published files: to enrolled endpoints alone, as fast as their site's line allows."""

    def __init__(self, port: WebPort, log: RequestLog) -> None:
        self._port = port
        self._log = log
        self._budgets = port.budgets
        self._fetching: Counter[EndpointId] = Counter()

    async def answer(self, request: Request, find: Callable[[], Callable[[], BinaryIO] | None]) -> Response:
        """Answer with what ``find`` finds and its result opens; what is none is 404, which TUF clients rely on."""
        client = client_of(request.scope)
        if client.endpoint is None:
            return _problem(403, NO_CERTIFICATE)
        try:
            await trio.to_thread.run_sync(self._port.decisions.admit, client.endpoint)
        except RequestRefusedError as error:
            return _problem(*answer_to(error))
        except UserError as error:
            self._log.failed(client, request.url.path, error, reason=error.message)
            return _problem(*answer_to(error))
        client.proved()
        if not self._budgets.spend(client.endpoint, REQUEST_COST_BYTES, trio.current_time()):
            return await _too_much("This PC has asked for more than any PC needs. Try again later.")
        file = await trio.to_thread.run_sync(find)
        if file is None:
            return _problem(404, "There is no such file.")
        return _FileAnswer(file, lambda length: self._may_send(client, length))

    @contextlib.contextmanager
    def _may_send(self, client: Client, length: int) -> Iterator[AnswerPace | str]:
        """Give what paces an answer of ``length`` bytes; a text: why there is none."""
        endpoint, now = client.endpoint, trio.current_time()
        assert endpoint is not None
        if self._fetching[endpoint] >= MAX_FETCHES_PER_ENDPOINT:
            yield f"This PC is fetching {MAX_FETCHES_PER_ENDPOINT} files already. Try again later."
            return
        rank = self._budgets.rank(endpoint, now)
        if not self._budgets.spend(endpoint, length, now):
            yield "This PC has fetched more than any PC needs. Try again later."
            return
        self._fetching[endpoint] += 1
        try:
            yield self._port.line.answer(client.address, endpoint, rank=rank)
        finally:
            self._fetching[endpoint] -= 1
            if not self._fetching[endpoint]:
                del self._fetching[endpoint]


class _FileAnswer(Response):
    """A file, whole: no ranges, which multiply what one request costs."""

    def __init__(
        self,
        open_file: Callable[[], BinaryIO],
        may_send: Callable[[int], contextlib.AbstractContextManager[AnswerPace | str]],
    ) -> None:
        super().__init__(media_type="application/octet-stream")
        self._open = open_file
        self._may_send = may_send

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it as fast as its receiver's line allows."""
        with await trio.to_thread.run_sync(self._open) as file:
            length = file.seek(0, os.SEEK_END)  # the open file's: another may take its name meanwhile
            file.seek(0)
            with self._may_send(length) as paced:
                if isinstance(paced, str):
                    await (await _too_much(paced))(scope, receive, send)
                    return
                self.headers["content-length"] = str(length)
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                while length:
                    part = await trio.to_thread.run_sync(read_part, file, length)
                    length -= len(part)
                    while part:
                        count = await paced.may_send(len(part))
                        await send({"type": "http.response.body", "body": part[:count], "more_body": True})
                        part = part[count:]
                await send({"type": "http.response.body"})


def make_app(port: WebPort, clock: Clock) -> FastAPI:
    """Return the ASGI application."""
    # no redirects: their target would be taken from the request's Host
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    log = RequestLog(clock)
    calls, files = _Calls(clock, port.line, log), _Files(port, log)

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        log.failed(client_of(request.scope), request.url.path, error)
        return _problem(500, OUR_FAULT)

    @app.post("/v1/enrol")
    async def enrolment(request: Request) -> Response:
        enrol = partial(port.decisions.enrol, address=client_of(request.scope).address)
        return await calls.answer(request, EnrolRequest, enrol)

    @app.post("/v1/renew")
    async def renew(request: Request) -> Response:
        return await calls.answer(request, RenewRequest, port.decisions.renew)

    @app.get("/v1/ca")
    async def control_ca() -> Response:
        return Response(port.decisions.control_ca_pem, media_type="application/x-pem-file")

    @app.get("/v1/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "server": port.decisions.server_name}

    @app.get("/tuf/metadata/{name:path}")
    async def metadata(request: Request, name: str) -> Response:
        return await files.answer(request, lambda: _published(port.metadata_directory, name))

    @app.get("/tuf/targets/{name:path}")
    async def target(request: Request, name: str) -> Response:
        return await files.answer(request, lambda: _published(port.targets_directory, name))

    @app.get("/tuf/news/{root}/{snapshot}")
    async def trust_news(request: Request, root: str, snapshot: str) -> Response:
        form = BY_DIFFERENCES if request.url.query == DIFFERENCES_QUERY else IN_WHOLE_FILES
        return await files.answer(request, lambda: _news(port.news, root, snapshot, form))

    @app.get(BATCH_PATH)
    async def batch(request: Request) -> Response:
        places = request.query_params.getlist(BATCH_FIELD)
        return await files.answer(request, lambda: partial(io.BytesIO, port.news.several(places)))

    return app


def _published(directory: Path, name: str) -> Callable[[], BinaryIO] | None:
    if (path := find_file(directory, name)) is None:
        return None
    found = path
    return lambda: found.open("rb")


def _news(news: TrustNewsReader, root: str, snapshot: str, form: NewsForm) -> Callable[[], BinaryIO] | None:
    if not VERSION.fullmatch(root) or not VERSION.fullmatch(snapshot):
        return None
    answer = news.answer(int(root), int(snapshot), form)
    return None if answer is None else partial(io.BytesIO, answer)


async def _read_body(request: Request) -> bytes:
    try:
        return await whole_body(request, MAX_ENROLMENT_BODY_BYTES, seconds=READ_SECONDS)
    except BodyError as error:
        raise {
            "too long": _UnreadError(413, f"The request is over {MAX_ENROLMENT_BODY_BYTES} bytes."),
            "broken off": _UnreadError(400, "The request broke off. Try again."),
            "too late": _UnreadError(408, "The request took too long to arrive. Try again."),
        }[error.fault] from None


async def _too_much(text: str) -> Response:
    await trio.sleep(TOO_MUCH_SECONDS)
    return _problem(429, text)


def _problem(status: int, text: str) -> Response:
    return Response(encode_body(Problem(error=text)), status_code=status, media_type="application/json")
