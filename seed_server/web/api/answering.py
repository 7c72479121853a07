"""From a request to its answer: who asks, may they, what is given, is it to be done, what comes of it. Blocking."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Request
from seed_server.fleet.context import Context
from seed_server.fleet.operation import require
from seed_server.fleet.roles import NO_PC
from seed_server.web.api.authenticating import actor_in
from seed_server.web.api.conditional import etag_of, is_named
from seed_server.web.api.idempotency import keyed, once
from seed_server.web.api.paging import next_link
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.api.reading import body_in, given_in
from seed_server.web.api.route import JSON_MEDIA, ApiCall, Raw, Route


@dataclass(frozen=True)
class ApiRequest:
    """A request, as it has come."""

    path: str
    in_path: Mapping[str, str]
    query: str
    headers: Mapping[str, str]
    """By small names."""
    body: bytes = b""


@dataclass(frozen=True)
class ApiAnswered:
    """What it is answered with."""

    status: int
    body: bytes = b""
    media: str = JSON_MEDIA
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answering:
    """Answers the requests to one server."""

    context: Context
    _changes: threading.Lock = field(default_factory=threading.Lock)
    """Held from the look that If-Match wants to the change: of two requests, the second sees what the first did."""

    def context_of(self, address: str) -> Context:
        """Return the server for one request, of which the audit log is to say where it came from."""
        return replace(self.context, request=Request(address=address))

    def admit(self, context: Context, route: Route[Any, Any], authorization: str) -> Actor:
        """Return who asks, if they may. Raises `ApiProblemError`, `UserError`."""
        actor = actor_in(context, authorization)
        for permission, reach in route.rights:
            require(context, actor, permission, NO_PC if reach is None else reach)
        return actor

    def call_of(self, context: Context, actor: Actor, route: Route[Any, Any], asked: ApiRequest) -> ApiCall[Any, Any]:
        """Return what is asked for. Raises `ApiProblemError`."""
        given = given_in(route, asked.in_path, asked.query)
        body = None
        if route.body is not None:
            body = body_in(asked.body, asked.headers.get("content-type", ""), route.body)
        return ApiCall(context, actor, given, body)

    def answer(self, context: Context, actor: Actor, route: Route[Any, Any], asked: ApiRequest) -> ApiAnswered:
        """Do what is asked for. Raises `ApiProblemError`, `UserError`."""
        call = self.call_of(context, actor, route, asked)
        if not route.changes:
            return _looked(route, asked, route.does(call))
        key = asked.headers.get("idempotency-key")
        if key is None or route.method != "POST":
            return ApiAnswered(route.status, self._changed(route, asked, call))
        if not actor.token_id:
            raise ApiProblemError("malformed", "An Idempotency-Key goes with an API token.")
        what = keyed(actor.token_id, key, route.name.encode(), asked.path.encode(), asked.query.encode(), asked.body)
        body, again = once(
            context, what, route.status, lambda: self._changed(route, asked, call), secret=route.secret
        )  # fmt: skip
        return ApiAnswered(route.status, body, headers={"Idempotency-Replayed": "true"} if again else {})

    def _changed(self, route: Route[Any, Any], asked: ApiRequest, call: ApiCall[Any, Any]) -> bytes:
        wanted = asked.headers.get("if-match")
        if wanted is None or route.guard is None:
            return msgspec.json.encode(route.does(call))
        with self._changes:
            if not is_named(wanted, etag_of(msgspec.json.encode(route.guard(call))), weak=False):
                raise ApiProblemError("changed-meanwhile", "Somebody has changed it since it was read.")
            return msgspec.json.encode(route.does(call))


def _looked(route: Route[Any, Any], asked: ApiRequest, found: Any) -> ApiAnswered:
    if isinstance(found, Raw):
        return ApiAnswered(route.status, found.data, found.media)
    body = msgspec.json.encode(found)
    if route.method != "GET":
        return ApiAnswered(route.status, body)
    headers = {"ETag": etag_of(body), "Cache-Control": "private, no-cache"}
    if after := getattr(found, "next", None):
        headers["Link"] = next_link(asked.path, asked.query, after)
    if (known := asked.headers.get("if-none-match")) is not None and is_named(known, headers["ETag"], weak=True):
        return ApiAnswered(304, b"", headers=headers)
    return ApiAnswered(route.status, body, headers=headers)
