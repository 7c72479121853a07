"""The pages as an ASGI application: each row of the table is a route of it, beside those of the API."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import trio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from p2pdist.shared.errors import UserError
from seed_server.web.api.bodies import body_problems
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.api.route import API
from seed_server.web.client import client_of
from seed_server.web.fair_turns import FairTurns
from seed_server.web.frame.answering import PageAnswered, PageAnswering
from seed_server.web.frame.cookies import cookies_in
from seed_server.web.frame.forms import fields_in
from seed_server.web.frame.headers import page_headers
from seed_server.web.frame.live import LIVE
from seed_server.web.frame.page import Form, Page, PageRequest, Visitor
from seed_server.web.frame.static import FOREVER, STATIC, static_at
from seed_server.web.request_body import whole_body
from seed_server.web.request_log import RequestLog
from seed_server.web.statuses import OUR_FAULT
from seed_server.web.whole_names import WholeNames, address_path, whole

FORM_SECONDS = 60.0  # for a whole form
PAGE_WORKERS = 6  # threads for pages, apart from those of the API: each holds a connection to the database
STRANGERS = 2  # threads for logins: as many passwords as are verified at once
STRANGER_FORM_SECONDS = 0.05  # 20 logins a second, of all addresses in turn
STRANGER_FORM_BYTES = 8 << 10  # of whoever is not signed in: a name, a password and a code
MAX_BROWSER_CHARS = 200  # of how a browser calls itself
EVENT_MEDIA = "text/event-stream"

Watching = Callable[[Callable[[], bool], str], AbstractAsyncContextManager[AsyncIterator[bytes]]]
"""Given whether the session still holds, and the last event that is known: gives events. Raises as `live.watching`."""


@dataclass(frozen=True)
class _Pages:
    answering: PageAnswering
    watching: Watching
    log: RequestLog
    workers: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(PAGE_WORKERS))
    strangers: trio.CapacityLimiter = field(default_factory=lambda: trio.CapacityLimiter(STRANGERS))
    """For forms of whoever is not signed in: a password takes a while, and others' pages are not to wait for that."""
    turns: FairTurns = field(default_factory=lambda: FairTurns(seconds=STRANGER_FORM_SECONDS))

    async def page(self, page: Page[Any], request: Request) -> Response:
        """Answer who opens a page."""
        return await self._respond(request, lambda context, asked: self.answering.show(context, page, asked))

    async def form(self, form: Form[Any, Any], request: Request) -> Response:
        """Answer who sends a form."""
        known = await self._known(request)
        most = form.most_bytes if known else STRANGER_FORM_BYTES
        try:
            fields = fields_in(await _form_body(request, most), request.headers.get("content-type", ""))
        except ApiProblemError as problem:
            return await self.refused(request, problem)
        if not known:
            await self.turns.take(client_of(request.scope).address)
        limiter = self.workers if known else self.strangers
        return await self._respond(
            request, lambda context, asked: self.answering.send(context, form, asked, fields), limiter
        )

    async def refused(self, request: Request, problem: ApiProblemError) -> Response:
        """Answer with a problem."""
        return await self._respond(request, lambda context, asked: self.answering.refuse(context, asked, problem))

    async def live(self, request: Request) -> Response:
        """Answer a page that wants to be told what happens."""
        context = self.answering.context_of(client_of(request.scope).address)
        visitor = _visitor(request)

        def signed_in() -> bool:
            try:
                return self.answering.signed_in(context, visitor) is not None
            except UserError:
                return False

        if not await self._in_thread(signed_in):
            return Response(status_code=401, headers=page_headers(context.request.request_id, tls=_tls(request)))
        client_of(request.scope).proved()
        last = request.headers.get("last-event-id", "") or request.query_params.get("after", "")
        stack = contextlib.AsyncExitStack()
        try:
            parts = await stack.enter_async_context(self.watching(signed_in, last))
        except ApiProblemError as problem:
            own = {**page_headers(context.request.request_id, tls=_tls(request)), **problem.kind.headers}
            return Response(problem.detail, problem.kind.status, own, "text/plain; charset=utf-8")
        return _Parts(stack, parts, page_headers(context.request.request_id, tls=_tls(request)))

    async def static(self, request: Request) -> Response:
        """Answer with a file of the pages' dress."""
        file = static_at(request.url.path)
        if file is None:
            return await self.refused(request, ApiProblemError("no-such-thing", "There is no such file."))
        return _response(request, PageAnswered(200, file.data, file.media), "", cache=FOREVER)

    async def _respond(
        self,
        request: Request,
        answer: Callable[[Any, PageRequest], PageAnswered],
        limiter: trio.CapacityLimiter | None = None,
    ) -> Response:
        client = client_of(request.scope)
        context = self.answering.context_of(client.address)
        asked = PageRequest(
            address_path(request.scope), whole(request.path_params), request.url.query, _visitor(request),
            request.headers.get("accept-language", ""),
        )  # fmt: skip
        try:
            answered: PageAnswered = await self._in_thread(partial(answer, context, asked), limiter)
        except Exception as error:  # noqa: BLE001 - it is logged
            self.log.failed(client, request.url.path, error)
            problem = ApiProblemError("failed", OUR_FAULT)
            answered = await self._in_thread(partial(self.answering.refuse, context, asked, problem))
        if answered.known:
            client.proved()
        return _response(request, answered, context.request.request_id)

    async def _known(self, request: Request) -> bool:
        """Whether somebody is signed in there."""
        context = self.answering.context_of(client_of(request.scope).address)
        with contextlib.suppress(UserError):
            return await self._in_thread(partial(self.answering.signed_in, context, _visitor(request))) is not None
        return False

    async def _in_thread(self, work: Callable[[], Any], limiter: trio.CapacityLimiter | None = None) -> Any:
        return await trio.to_thread.run_sync(work, limiter=limiter or self.workers)


class _Parts(Response):
    """An answer that is sent part by part, as they come."""

    def __init__(
        self, stack: contextlib.AsyncExitStack, parts: AsyncIterator[bytes], headers: dict[str, str]
    ) -> None:  # fmt: skip
        super().__init__(headers=headers, media_type=EVENT_MEDIA)
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


def make_pages(answering: PageAnswering, watching: Watching, log: RequestLog) -> ASGIApp:
    """Return the ASGI application of the pages."""
    server = _Pages(answering, watching, log)

    async def nothing(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        name = {404: "no-such-thing", 405: "no-such-method"}.get(status, "malformed")
        words = {404: "There is nothing at this address.", 405: "This address does not take this method."}
        problem = ApiProblemError(name, words.get(status, "The request cannot be read."))
        response = await server.refused(request, problem)
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    by_path: dict[str, dict[str, Any]] = {}
    for page in answering.pages:
        by_path.setdefault(page.path, {})["GET"] = partial(server.page, page)
    for form in answering.forms:
        by_path.setdefault(form.path, {})["POST"] = partial(server.form, form)
    # of two that fit, the one without a name in braces: /people/add is nobody's page
    in_order = sorted(by_path.items(), key=lambda row: [part.startswith("{") for part in row[0].split("/")])
    routes = [Route(path, _by_method(does), methods=list(does)) for path, does in in_order]
    routes.append(Route(LIVE, server.live, methods=["GET"]))
    routes.append(Route(f"{STATIC}{{name}}", server.static, methods=["GET"]))
    app = Starlette(routes=routes, exception_handlers={HTTPException: nothing})
    app.router.redirect_slashes = False
    return WholeNames(app)


def beside(api: ASGIApp, pages: ASGIApp) -> ASGIApp:
    """Return one application for programs and people: what begins as the API's addresses is the API's."""

    async def both(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        await (api if path == API or path.startswith(f"{API}/") else pages)(scope, receive, send)

    return both


def _by_method(does: dict[str, Callable[[Request], Awaitable[Response]]]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await does["GET" if request.method == "HEAD" else request.method](request)

    return endpoint


def _visitor(request: Request) -> Visitor:
    headers = request.headers
    return Visitor(
        client_of(request.scope).address,
        browser=headers.get("user-agent", "")[:MAX_BROWSER_CHARS],
        cookies=cookies_in(headers.getlist("cookie")),
        host=headers.get("host", ""),
        origin=headers.get("origin", ""),
        site=headers.get("sec-fetch-site", ""),
        acts=request.method == "POST" or headers.get("sec-fetch-dest", "") != "empty",
        gone=client_of(request.scope).gone,
    )


def _tls(request: Request) -> bool:
    return str(request.scope.get("scheme", "")) == "https"


def _response(request: Request, answered: PageAnswered, request_id: str, *, cache: str = "no-store") -> Response:
    response = Response(
        answered.body or None, answered.status, page_headers(request_id, tls=_tls(request), cache=cache),
        answered.media if answered.body else None,
    )  # fmt: skip
    for name, value in answered.headers:
        response.headers.append(name, value)
    if request.method == "HEAD":
        response.body = b""  # its length stays that of the page
    return response


async def _form_body(request: Request, most: int) -> bytes:
    with body_problems(f"The form is over {most} bytes."):
        return await whole_body(request, most, seconds=FORM_SECONDS)
