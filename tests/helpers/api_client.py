"""The API over a home, without a port: requests go to the ASGI application, as a connection hands them on."""

import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote

import trio

from p2pdist.shared.clock import SystemClock
from seed_server.fleet.actor import Actor
from seed_server.fleet.api_token_operations import make_api_token
from seed_server.fleet.context import Context, Opened
from seed_server.fleet.people_operations import add_person
from seed_server.fleet.roles import ROLES, Role
from seed_server.signing.signed_repository import SignedRepository
from seed_server.store.opening import open_lasting
from seed_server.web.api.answering import Answering
from seed_server.web.api.app import make_api
from seed_server.web.api.batches import answered
from seed_server.web.api.events import EventFeed, listening
from seed_server.web.api.route import Route
from seed_server.web.api.table import API_ROUTES
from seed_server.web.client import CLIENT_EXTENSION, Client
from seed_server.web.request_log import RequestLog

ROOT = Actor.local_user("root")
ADDRESS = "127.0.0.9"


@dataclass
class Answer:
    """What a request was answered with."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The name of the problem; empty: it is none."""
        if self.status < 400:
            return ""
        assert self.headers["content-type"] == "application/problem+json"
        return str(self.document["type"]).removeprefix("urn:p2pdist:problem:")


@dataclass
class Api:
    """The API of one server."""

    context: Context
    feed: EventFeed
    app: Any
    proved: list[str] = field(default_factory=list)
    """The addresses whose connections have shown a token."""

    async def ask(
        self,
        method: str,
        path: str,
        token: str = "",
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        data: bytes | None = None,
    ) -> Answer:
        """Send a request; ``body`` is sent as JSON, ``data`` as it is."""
        content = data if data is not None else b"" if body is None else json.dumps(body).encode()
        given = {"host": "localhost", **({"authorization": f"Bearer {token}"} if token else {})}
        given |= {"content-type": "application/json"} if body is not None else {}
        given |= headers or {}
        where, _, query = path.partition("?")
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": method,
            "scheme": "https", "path": unquote(where), "raw_path": quote(where, safe="/%:@").encode(),
            "query_string": query.encode(),
            "root_path": "", "headers": [(name.encode(), value.encode()) for name, value in given.items()],
            "client": (ADDRESS, 1), "server": None,
            "extensions": {CLIENT_EXTENSION: Client(ADDRESS, 1, None, lambda: self.proved.append(ADDRESS))},
        }  # fmt: skip
        sent: list[Any] = []
        parts = [{"type": "http.request", "body": content, "more_body": False}]

        async def receive() -> Any:
            if not parts:
                await trio.sleep_forever()
            return parts.pop()

        async def send(message: Any) -> None:
            await trio.lowlevel.checkpoint()
            sent.append(message)

        await self.app(scope, receive, send)
        head = sent[0]
        found = {name.decode().lower(): value.decode() for name, value in head["headers"]}
        return Answer(head["status"], found, b"".join(one.get("body", b"") for one in sent[1:]))

    def token(self, name: str, *roles: Role, sites: tuple[str, ...] = (), tags: tuple[str, ...] = ()) -> str:
        """Make an account and an API token with all its rights; return that."""
        add_person(self.context, ROOT, name, roles=roles, sites=sites, tags=tags)
        rights = frozenset().union(*(ROLES[role] for role in roles))
        made = make_api_token(self.context, ROOT, label="test", seconds=3_600, permissions=rights, owner=name)
        return made.text


@asynccontextmanager
async def api_of(context: Context, routes: tuple[Route[Any, Any], ...] = API_ROUTES) -> AsyncIterator[Api]:
    """Give the API over a home."""
    with contextlib.closing(open_lasting(context.home, context.settings())) as database:
        context = replace(context, opened=Opened(database, SignedRepository(context.home)))
        feed, workers = EventFeed(context), trio.CapacityLimiter(1)
        streams = {
            "listenToEvents": lambda call, asked: listening(
                feed, call, asked.headers.get("authorization", ""), asked.headers.get("last-event-id", "")
            ),
            "runBatch": lambda call, _: answered(call, workers),
        }
        app = make_api(Answering(context), routes, streams, RequestLog(SystemClock()))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed.run)
            yield Api(context, feed, app)
            nursery.cancel_scope.cancel()
