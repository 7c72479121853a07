"""One request for a page, once it is known who asks: what is given, in whose language, and what templates know."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.permissions import may
from seed_server.fleet.roles import NO_PC
from seed_server.web.api.route import Right
from seed_server.web.frame.cookies import SAID_COOKIE, said_in, visit_csrf
from seed_server.web.frame.page import Form, Page, PageRequest, Visitor
from seed_server.web.frame.problem_words import PageProblemError
from seed_server.web.frame.reader import PageReader, RefusedForm
from seed_server.web.frame.signed_in import SignedIn

NOBODY_ACTOR = Actor("", "password")
"""Whoever is not signed in: they may nothing."""


@dataclass(frozen=True)
class PageHere:
    """One request."""

    context: Context
    asked: PageRequest
    pairs: Sequence[tuple[str, str]]
    """The page's query."""
    signed: SignedIn | None
    language: str
    now: float
    visit: str = ""
    """The cookie of a browser in which nobody is signed in."""
    server: str = ""
    seen: int | None = None
    """The number of the last event that the page may show; None: it follows none, or there is none."""

    @property
    def actor(self) -> Actor:
        """On whose behalf it comes."""
        return NOBODY_ACTOR if self.signed is None else self.signed.actor

    @property
    def visitor(self) -> Visitor:
        """From where it comes; a browser that is new here is as it will be from now on."""
        return replace(self.asked.visitor, visit=self.visit)

    @property
    def csrf(self) -> str:
        """What each of its forms carries."""
        return self.signed.csrf if self.signed is not None else visit_csrf(self.visit)

    @property
    def filled(self) -> list[tuple[str, str]]:
        """The query without what is empty, as forms of filters send it, and without the frame's own."""
        return [(name, value) for name, value in self.pairs if value and name != "lang"]

    def check_form(self, csrf: str) -> None:
        """Raise `PageProblemError` for a form that this browser did not get from here."""
        visitor = self.asked.visitor
        same_host = visitor.origin in {"", f"https://{visitor.host}"}
        # no page can change what a browser says of the site; behind a proxy Host may be another name
        if not (visitor.site == "same-origin" if visitor.site else same_host):
            raise PageProblemError("form-not-ours", "The form was sent by another site.")
        if not hmac.compare_digest(csrf.encode(), self.csrf.encode()):
            raise PageProblemError("form-not-ours", "The form is of another login, or of one that has ended.")

    def may(self, right: Right | None) -> bool:
        """Whether whoever asks has a right, for any PC at all where the operation itself asks which."""
        if right is None:
            return True
        permission, reach = right
        return self.signed is not None and may(self.actor, permission, NO_PC if reach is None else reach) is None

    def reader(
        self, pages: tuple[Page[Any], ...], forms: tuple[Form[Any, Any], ...], page: Page[Any] | None = None,
        failed: RefusedForm | None = None,
    ) -> PageReader:  # fmt: skip
        """Return what templates know."""
        at, named = {one.path: one for one in pages}, {one.name: one for one in forms}

        def sees(path: str) -> bool:
            found = at.get(path)
            return found is not None and (found.everybody or (self.signed is not None and self.may(found.right)))

        def sends(name: str) -> bool:
            form = named.get(name)
            return form is not None and all(map(self.may, form.rights))

        def steps_up(name: str) -> bool:
            fresh = self.signed is not None and self.signed.step_up_until > self.now
            return named[name].step_up and not fresh

        return PageReader(
            self.language, self.now, self.asked.path, self.pairs, self.signed, self.csrf, self.server, sees, sends,
            steps_up, page.live if page is not None else (), said_in(self.asked.visitor.cookies.get(SAID_COOKIE, "")),
            failed, self.seen,
        )  # fmt: skip
