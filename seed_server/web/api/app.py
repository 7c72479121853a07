"""The API as an ASGI application: each row of the table is a route of it."""

import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

import msgspec
import trio
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from p2pdist.shared.errors import UserError
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.web.api.answering import Answering, ApiAnswered, ApiRequest
from seed_server.web.api.authenticating import REFUSAL_SECONDS
from seed_server.web.api.bodies import body_problems
from seed_server.web.api.problems import PROBLEM_MEDIA, ApiProblemError, problem_of
from seed_server.web.api.route import ApiCall, Route
from seed_server.web.client import Client, client_of
from seed_server.web.fair_turns import FairTurns
from seed_server.web.request_body import whole_body
from seed_server.web.request_log import RequestLog
from seed_server.web.statuses import OUR_FAULT
from seed_server.web.whole_names import WholeNames, address_path, whole

READ_SECONDS = 60.0  # for a whole request; a batch of ten thousand over a slow line
LARGE_BODY_BYTES = 8 << 20  # of these, one at a time
WORKERS = 8  # threads: each holds a connection to the database, and its answer

Parts: TypeAlias = AbstractAsyncContextManager[AsyncIterator[bytes]]
Streaming: TypeAlias = Callable[[ApiCall[Any, Any], ApiRequest], Parts]
"""Answers in parts, which the context manager gives; entering it raises `ApiProblemError`, `UserError`."""


_NAMED = re.compile(r"\{[a-z_]+\}")


@dataclass(frozen=True)
class _Server:
    answering: Answering
    streams: Mapping[str, Streaming]
    log: RequestLog
    workers: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(WORKERS))
    large: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(1))
    """For bodies that take much memory: one is read and worked on at a time."""
    refused: FairTurns = field(default_factory=lambda: FairTurns(seconds=REFUSAL_SECONDS))

    async def respond(self, route: Route[Any, Any], request: Request) -> Response:
        """Answer one request, whatever becomes of it."""
        client = client_of(request.scope)
        context = self.answering.context_of(client.address)
        try:
            return await self._respond(route, request, client, context)
        except ApiProblemError as error:
            problem = error
            if problem.kind.status == 401:
                self.log.refused(client, request.url.path, problem.kind.title)
                await self.refused.take(client.address)
        except UserError as error:
            problem = problem_of(error, of_path=bool(route.path_names) and route.body is None)
            if problem.kind.status >= 500:
                self.log.failed(client, request.url.path, error, reason=error.message)
        except Exception as error:  # noqa: BLE001 - it is logged
            self.log.failed(client, request.url.path, error)
            problem = ApiProblemError("failed", OUR_FAULT)
        return _of_problem(problem, context.request.request_id)

    async def _respond(
        self, route: Route[Any, Any], request: Request, client: Client, context: Context
    ) -> Response:  # fmt: skip
        answering, headers = self.answering, request.headers
        actor: Actor = await self._in_thread(
            partial(answering.admit, context, route, headers.get("authorization", ""))
        )  # fmt: skip
        client.proved()
        if route.most_body_bytes > LARGE_BODY_BYTES:
            async with self.large:
                return await self._admitted(route, request, context, actor)
        return await self._admitted(route, request, context, actor)

    async def _admitted(
        self, route: Route[Any, Any], request: Request, context: Context, actor: Actor
    ) -> Response:  # fmt: skip
        answering, headers = self.answering, request.headers
        asked = ApiRequest(
            path=address_path(request.scope),
            in_path=whole(request.path_params),
            query=request.url.query,
            headers=headers,
            body=b"" if route.body is None else await _body(request, route.most_body_bytes),
        )
        if route.streams:
            call = answering.call_of(context, actor, route, asked)
            return await self._streamed(self.streams[route.name](call, asked), route.streams, context)
        answered: ApiAnswered = await self._in_thread(partial(answering.answer, context, actor, route, asked))
        own = {"X-Request-Id": context.request.request_id, "X-Content-Type-Options": "nosniff"}
        return Response(
            answered.body or None, answered.status, {**answered.headers, **own}, media_type=answered.media
        )  # fmt: skip

    async def _streamed(self, parts: Parts, media: str, context: Context) -> Response:
        """Return what answers in parts, once there is nothing any more that would be a problem."""
        stack = contextlib.AsyncExitStack()
        given = await stack.enter_async_context(parts)
        return _PartsAnswer(stack, given, media, context.request.request_id)

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await trio.to_thread.run_sync(work, limiter=self.workers)


class _PartsAnswer(Response):
    """An answer that is sent part by part, as they come."""

    def __init__(
        self, stack: contextlib.AsyncExitStack, parts: AsyncIterator[bytes], media: str, request_id: str
    ) -> None:  # fmt: skip
        own = {"X-Request-Id": request_id, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
        super().__init__(headers=own, media_type=media)
        del self.headers["content-length"]
        self._stack, self._parts = stack, parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        del scope, receive
        async with self._stack:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            async for part in self._parts:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body"})


def make_api(
    answering: Answering, routes: tuple[Route[Any, Any], ...], streams: Mapping[str, Streaming], log: RequestLog
) -> FastAPI:  # fmt: skip
    """Return the ASGI application; ``streams`` answers those routes that answer in parts, by their names."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.add_middleware(WholeNames)
    server = _Server(answering, streams, log)

    places = [(re.compile(_NAMED.sub("[^/]+", route.path)), route.method) for route in routes]

    @app.exception_handler(HTTPException)
    async def no_route(request: Request, error: HTTPException) -> Response:
        name = {404: "no-such-thing", 405: "no-such-method"}.get(error.status_code, "malformed")
        words = {404: "There is nothing at this address.", 405: "This address does not take this method."}
        problem = ApiProblemError(name, words.get(error.status_code, "The request cannot be read."))
        request_id = answering.context_of(client_of(request.scope).address).request.request_id
        here = request.url.path
        taken = {route.method for route in routes if route.path == here} or {
            method for form, method in places if form.fullmatch(here)
        }
        return _of_problem(problem, request_id, {"Allow": ", ".join(sorted(taken))} if taken else {})

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        log.failed(client_of(request.scope), request.url.path, error)
        return _of_problem(ApiProblemError("failed", OUR_FAULT), "")

    for route in routes:
        app.add_api_route(route.path, _endpoint(server, route), methods=[route.method], response_model=None)
    return app


def _endpoint(server: _Server, route: Route[Any, Any]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await server.respond(route, request)

    return endpoint


def _of_problem(problem: ApiProblemError, request_id: str, headers: Mapping[str, str] | None = None) -> Response:
    body = msgspec.json.encode(problem.document(request_id))
    own = {"X-Request-Id": request_id, "X-Content-Type-Options": "nosniff"}
    return Response(
        body, problem.kind.status, {**problem.kind.headers, **(headers or {}), **own}, media_type=PROBLEM_MEDIA
    )  # fmt: skip


async def _body(request: Request, most: int) -> bytes:
    with body_problems(f"The body is over {most} bytes."):
        return await whole_body(request, most, seconds=READ_SECONDS)
