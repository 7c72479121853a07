"""The pages over a home, without a port: a browser that keeps cookies asks the ASGI application, as people do.

Sessions are those of this file: who comes with a cookie that names an account is that account.
"""

import contextlib
import html.parser
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote, urlencode

import trio

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.accounts import person_rights
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context, Opened
from seed_server.fleet.people_operations import add_person
from seed_server.fleet.roles import Role
from seed_server.signing.signed_repository import SignedRepository
from seed_server.store.opening import open_lasting
from seed_server.web.api.events import EventFeed
from seed_server.web.client import CLIENT_EXTENSION, Client
from seed_server.web.frame.answering import PageAnswering
from seed_server.web.frame.app import make_pages
from seed_server.web.frame.live import watching
from seed_server.web.frame.page import Form, Page
from seed_server.web.frame.signed_in import SESSION_COOKIE, Recognising, SignedIn
from seed_server.web.pages.table import FORMS, PAGES
from seed_server.web.request_log import RequestLog

ROOT = Actor.local_user("root")
ADDRESS = "127.0.0.9"
HOST = "hq.example:8444"
RIGHT_CODE = "123456"
"""What these sessions take as a second factor."""


class _Reader(html.parser.HTMLParser):
    """Reads a page: its elements, and its text as people see it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.forms: list[tuple[dict[str, str], list[tuple[str, str]]]] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.elements.append((tag, values))
        if tag in {"script", "style"}:
            self._hidden += 1
        if tag == "form":
            self.forms.append((values, []))
        if tag == "input" and self.forms and values.get("name") and (
            values.get("type") not in {"checkbox", "radio"} or "checked" in values
        ):  # fmt: skip
            self.forms[-1][1].append((values["name"], values.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag in {"script", "style"}:
            self._hidden -= 1

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.texts.append(data)


@dataclass
class PageAnswer:
    """What a request was answered with."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        """Return a header; empty: it is not there."""
        return next((value for one, value in self.headers if one == name), "")

    @property
    def text(self) -> str:
        """The page as it was sent."""
        return self.body.decode()

    @property
    def read(self) -> _Reader:
        """The page, read."""
        reader = _Reader()
        reader.feed(self.text)
        return reader

    @property
    def words(self) -> str:
        """What people read, in one line."""
        return " ".join("".join(self.read.texts).split())

    @property
    def links(self) -> list[str]:
        """Where its links lead."""
        return [values["href"] for tag, values in self.read.elements if tag == "a" and "href" in values]

    def elements(self, tag: str) -> list[dict[str, str]]:
        """Return the attributes of all elements with a tag."""
        return [values for one, values in self.read.elements if one == tag]

    def hidden(self, action: str) -> dict[str, str]:
        """Return the fields that the form with this address has already."""
        return next(dict(fields) for values, fields in self.read.forms if values.get("action") == action)


@dataclass
class Browser:
    """Somebody's browser: it keeps cookies, and follows nothing by itself."""

    app: Any
    cookies: dict[str, str] = field(default_factory=dict)
    language: str = "en"
    proved: list[str] = field(default_factory=list)

    async def get(self, address: str, *, headers: dict[str, str] | None = None, method: str = "GET") -> PageAnswer:
        """Open a page."""
        return await self.ask(method, address, headers=headers)

    async def post(
        self, address: str, fields: dict[str, Any] | None = None, *, csrf: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> PageAnswer:  # fmt: skip
        """Send a form as this browser would: with its CSRF token, unless another one is given."""
        token = csrf if csrf is not None else f"csrf of {self.cookies.get(SESSION_COOKIE, '')}"
        body = urlencode({"_csrf": token, **(fields or {})}, doseq=True).encode()
        given = {"content-type": "application/x-www-form-urlencoded", "origin": f"https://{HOST}", **(headers or {})}
        return await self.ask("POST", address, body, headers=given)

    async def ask(
        self, method: str, address: str, body: bytes = b"", *, headers: dict[str, str] | None = None
    ) -> PageAnswer:  # fmt: skip
        """Send a request, and keep the cookies that come with its answer."""
        sent: list[Any] = []

        async def send(message: Any) -> None:
            await trio.lowlevel.checkpoint()
            sent.append(message)

        await self.app(self.scope(method, address, headers), _receiving(body), send)
        head = sent[0]
        found = [(name.decode().lower(), value.decode()) for name, value in head["headers"]]
        for name, value in found:
            if name == "set-cookie":
                self._keep(value)
        return PageAnswer(head["status"], found, b"".join(one.get("body", b"") for one in sent[1:]))

    def scope(self, method: str, address: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        """Return the ASGI scope of a request."""
        where, _, query = address.partition("?")
        given = {"host": HOST, "accept-language": self.language}
        if self.cookies:
            given["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        given |= headers or {}
        return {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": method,
            "scheme": "https", "path": unquote(where), "raw_path": quote(where, safe="/%:@").encode(),
            "query_string": query.encode(),
            "root_path": "", "headers": [(name.encode(), value.encode("latin-1")) for name, value in given.items()],
            "client": (ADDRESS, 1), "server": None,
            "extensions": {CLIENT_EXTENSION: Client(ADDRESS, 1, None, lambda: self.proved.append(ADDRESS))},
        }  # fmt: skip

    def _keep(self, value: str) -> None:
        pair, *rest = value.split("; ")
        name, _, content = pair.partition("=")
        if "Max-Age=0" in rest:
            self.cookies.pop(name, None)
        else:
            self.cookies[name] = content


@dataclass
class Site:
    """The pages of one server."""

    context: Context
    feed: EventFeed
    app: Any
    step_up_until: float = 0.0

    def browser(
        self, name: str = "", *roles: Role, sites: tuple[str, ...] = (), tags: tuple[str, ...] = (),
        password: str | None = None,
    ) -> Browser:  # fmt: skip
        """Return a browser in which ``name`` is signed in, with a new account where roles are given; or nobody."""
        if roles:
            add_person(self.context, ROOT, name, roles=roles, sites=sites, tags=tags, password=password)
        return Browser(self.app, {SESSION_COOKIE: name} if name else {})


@asynccontextmanager
async def pages_of(
    context: Context, pages: tuple[Page[Any], ...] = PAGES, forms: tuple[Form[Any, Any], ...] = FORMS
) -> AsyncIterator[Site]:  # fmt: skip
    """Give the pages over a home."""
    with contextlib.closing(open_lasting(context.home, context.settings())) as database:
        context = replace(context, opened=Opened(database, SignedRepository(context.home)))
        feed = EventFeed(context)
        site = Site(context, feed, None)
        answering = PageAnswering(context, pages, forms, _recognising(site), _step_up(site), "en")
        site.app = make_pages(answering, lambda signed, last: watching(feed, signed, last), RequestLog(SystemClock()))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed.run)
            yield site
            nursery.cancel_scope.cancel()


def _recognising(site: Site) -> Recognising:
    def recognise(context: Context, cookie: str, *, used: bool = True) -> SignedIn | None:
        del used
        with context.database() as database:
            person = database.person(cookie)
        if person is None:
            return None
        barred = "disabled" if person.disabled else ""
        actor = Actor(person.name, "password", person_rights(person), barred=barred)  # type: ignore[arg-type]
        return SignedIn(actor, f"csrf of {cookie}", site.step_up_until)

    return recognise


def _step_up(site: Site) -> Callable[..., SignedIn]:
    def confirm(context: Context, signed: SignedIn, cookie: str, fields: Any) -> SignedIn:
        if fields.get("_code") != RIGHT_CODE:
            raise UserError("The code is wrong.", FaultKind.REFUSED)
        site.step_up_until = context.clock.now() + 900.0
        return replace(signed, step_up_until=site.step_up_until)

    return confirm


def _receiving(body: bytes) -> Callable[[], Any]:
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Any:
        if not parts:
            await trio.sleep_forever()
        return parts.pop()

    return receive
