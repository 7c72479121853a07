"""The pages over a home with real sessions: people log in as they do, and send the forms that their browsers got."""

import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import trio

from p2pdist.shared.clock import SystemClock
from seed_server.fleet.context import Context, Opened
from seed_server.signing.signed_repository import SignedRepository
from seed_server.store.opening import open_lasting
from seed_server.web.api.events import EventFeed
from seed_server.web.frame.answering import PageAnswering
from seed_server.web.frame.app import make_pages
from seed_server.web.frame.live import watching
from seed_server.web.frame.page import Form, Page
from seed_server.web.frame.signed_in import SESSION_COOKIE, actor_of, step_up
from seed_server.web.pages.table import FORMS, PAGES
from seed_server.web.request_log import RequestLog
from tests.helpers.pages_client import Browser, PageAnswer
from tests.helpers.people import PASSWORD

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass
class Person(Browser):
    """Somebody at a browser of their own."""

    page: PageAnswer = field(default_factory=lambda: PageAnswer(0, [], b""))
    """The one that they look at."""

    @property
    def session(self) -> str:
        """Their cookie; empty: they are not logged in."""
        return self.cookies.get(SESSION_COOKIE, "")

    async def open(self, address: str, **headers: str) -> PageAnswer:
        """Open a page, and those that it leads on to."""
        self.page = await self.get(address, headers={"user-agent": FIREFOX, **headers})
        while self.page.status == 303:
            self.page = await self.get(self.page.header("location"), headers={"user-agent": FIREFOX})
        return self.page

    async def fill(self, action: str, /, **typed: str) -> PageAnswer:
        """Send a form of the page that they look at; what follows is what they look at then."""
        given = {**self.page.hidden(action), **typed}
        csrf = given.pop("_csrf")
        self.page = await self.post(
            action, given, csrf=csrf, headers={"user-agent": FIREFOX, "sec-fetch-site": "same-origin"}
        )
        while self.page.status == 303:
            self.page = await self.get(self.page.header("location"), headers={"user-agent": FIREFOX})
        return self.page

    async def log_in(self, name: str, password: str = PASSWORD, code: str = "", to: str = "/account") -> PageAnswer:
        """Log in with name and password."""
        await self.open(f"/login?next={to}")
        return await self.fill("/login", name=name, password=password, code=code)

    def key_options(self, action: str) -> Any:
        """Return what the page asks a key for, in the form with this address."""
        import json

        sealed = self.page.hidden(action)
        assert sealed
        buttons = [one for one in self.page.elements("button") if "data-key" in one]
        return json.loads(buttons[0]["data-key"])


@dataclass
class LoginSite:
    """The pages of one server."""

    context: Context
    app: Any

    def person(self) -> Person:
        """Return somebody who is not logged in."""
        return Person(self.app)


@asynccontextmanager
async def login_site(
    context: Context, pages: tuple[Page[Any], ...] = PAGES, forms: tuple[Form[Any, Any], ...] = FORMS
) -> AsyncIterator[LoginSite]:  # fmt: skip
    """Give the pages over a home, with its own sessions."""
    with contextlib.closing(open_lasting(context.home, context.settings())) as database:
        context = replace(context, opened=Opened(database, SignedRepository(context.home)))
        feed = EventFeed(context)
        answering = PageAnswering(context, pages, forms, actor_of, step_up, "en")
        app = make_pages(answering, partial(watching, feed), RequestLog(SystemClock()))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed.run)
            yield LoginSite(context, app)
            nursery.cancel_scope.cancel()
