"""From a request to its page: who asks, may they, what is given, what is shown or done, in whose language. Blocking."""

import contextlib
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from p2pdist.shared import language
from p2pdist.shared.errors import UserError
from p2pdist.shared.language import in_words, tr
from seed_server.fleet.audit_log import Request
from seed_server.fleet.audit_queries import log_size
from seed_server.fleet.context import Context
from seed_server.fleet.operation import require
from seed_server.fleet.roles import NO_PC
from seed_server.web.api.problems import ApiProblemError, problem_of
from seed_server.web.api.reading import given_of, pairs_in
from seed_server.web.frame.cookies import (
    LANGUAGE_COOKIE,
    LANGUAGE_SECONDS,
    SAID_COOKIE,
    VISIT_COOKIE,
    cookie,
    said_cookie,
)
from seed_server.web.frame.forms import FormFields, NotAcceptableError, body_of
from seed_server.web.frame.here import PageHere
from seed_server.web.frame.languages import language_for
from seed_server.web.frame.misfits import misfit
from seed_server.web.frame.page import Answer, Asked, Done, FileAnswer, Form, Page, PageRequest, Sent, Shown, Visitor
from seed_server.web.frame.problem_words import problem_remedy, problem_title
from seed_server.web.frame.reader import CSRF_FIELD, QUERY_FIELD, RefusedForm
from seed_server.web.frame.rendering import page_html
from seed_server.web.frame.signed_in import SESSION_COOKIE, ConfirmAsking, Recognising, SignedIn, StepUp, asking

HTML_MEDIA = "text/html; charset=utf-8"
LOGIN = "/login"
VISIT_BYTES = 18
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
CONFIRMING_FIELDS = frozenset({"_code", "_key", "_challenge"})
"""What `confirm.html.j2` adds to the form that waits for it."""


@dataclass(frozen=True)
class PageAnswered:
    """What a request is answered with."""

    status: int
    body: bytes = b""
    media: str = HTML_MEDIA
    headers: tuple[tuple[str, str], ...] = ()
    known: bool = False
    """Whether somebody is signed in there."""


@dataclass(frozen=True)
class PageAnswering:
    """Answers the requests for pages of one server."""

    context: Context
    pages: tuple[Page[Any], ...]
    forms: tuple[Form[Any, Any], ...]
    recognise: Recognising
    step_up: StepUp
    default_language: str = field(default_factory=language.current)
    asking: ConfirmAsking = asking

    @cached_property
    def page_named(self) -> Mapping[str, Page[Any]]:
        """The pages by their names."""
        return {page.name: page for page in self.pages}

    def context_of(self, address: str) -> Context:
        """Return the server for one request, of which the audit log is to say where it came from."""
        return replace(self.context, request=Request(address=address))

    def signed_in(self, context: Context, visitor: Visitor) -> SignedIn | None:
        """Return who asks; None: nobody who is signed in. Raises `UserError`."""
        session = visitor.cookies.get(SESSION_COOKIE, "")
        signed = self.recognise(context, session, used=visitor.acts) if session else None
        return None if signed is None or signed.actor.barred else signed

    def show(self, context: Context, page: Page[Any], asked: PageRequest) -> PageAnswered:
        """Answer who opens a page."""
        with self._here(context, asked, asked.query) as nobody:
            here = nobody
            try:
                here = self._known(nobody)
                if here.signed is None and not page.everybody:
                    return self._to_login(here)
                self._admit(here, page)
                if page.live and (size := log_size(context)):  # before it is looked at: what comes meanwhile is told
                    here = replace(here, seen=size - 1)
                return self._answered(here, page, self._view(here, page))
            except (ApiProblemError, UserError) as error:
                return self._problem(here, _problem(error, of_path=bool(page.path_names)))

    def refuse(self, context: Context, asked: PageRequest, problem: ApiProblemError) -> PageAnswered:
        """Answer with a problem that is no page's."""
        with self._here(context, asked, asked.query) as nobody:
            here = nobody
            with contextlib.suppress(UserError):  # then without the menu
                here = self._known(nobody)
            return self._problem(here, problem)

    def send(self, context: Context, form: Form[Any, Any], asked: PageRequest, fields: FormFields) -> PageAnswered:
        """Carry out a form that was sent."""
        page = self.page_named[form.of_page]
        with self._here(context, asked, fields.first(QUERY_FIELD)) as nobody:
            here = nobody
            try:
                here = self._known(nobody)
                if here.signed is None and not page.everybody:
                    return self._to_login(replace(here, asked=_at_page(asked, page, fields)))
                here.check_form(fields.first(CSRF_FIELD))
                self._admit(here, page)
                for permission, reach in form.rights:
                    require(context, here.actor, permission, NO_PC if reach is None else reach)
            except (ApiProblemError, UserError) as error:
                return self._problem(here, _problem(error))
            if form.step_up and here.signed is not None and here.signed.step_up_until <= here.now:
                confirmed = self._step_up(here, here.signed, _at_page(asked, page, fields), fields)
                if isinstance(confirmed, PageAnswered):
                    return confirmed
                here = replace(here, signed=confirmed)
            return self._carried_out(here, form, page, fields)

    # --- forms ---------------------------------------------------------------------------

    def _carried_out(self, here: PageHere, form: Form[Any, Any], page: Page[Any], fields: FormFields) -> PageAnswered:
        asked, wrong = here.asked, dict[str, str]()
        at_page = replace(here, asked=_at_page(asked, page, fields))
        try:
            given = _given(form, asked.in_path, ())
            body = body_of(form.body, fields)
            sent = Sent(here.context, here.actor, given, body, here.now, here.signed, here.visitor)
            return self._answered(at_page, page, form.does(sent))
        except NotAcceptableError as error:
            status, message, wrong = 422, tr("Nothing was done: see what is marked below."), dict(error.fields)
        except (ApiProblemError, UserError) as error:
            problem = _problem(error)
            status, message = problem.kind.status, in_words(problem.detail)
        failed = RefusedForm(form.name, asked.path, message, wrong, fields.values)
        try:
            return self._answered(at_page, page, self._view(at_page, page), failed=failed, status=status)
        except (ApiProblemError, UserError):  # what the form was about is not there: that alone is told
            return self._problem(at_page, ApiProblemError("not-acceptable", message))

    def _step_up(
        self, here: PageHere, signed: SignedIn, at_page: PageRequest, fields: FormFields
    ) -> SignedIn | PageAnswered:  # fmt: skip
        """Return the session once its second factor is shown; until then the page that asks for it."""
        wrong, given = "", {name: fields.first(name) for name in fields.values if name in CONFIRMING_FIELDS}
        if given:
            try:
                session = here.asked.visitor.cookies.get(SESSION_COOKIE, "")
                return self.step_up(here.context, signed, session, given)
            except UserError as error:
                wrong = in_words(error.message)
        kept = [pair for pair in fields.pairs if pair[0] != CSRF_FIELD and pair[0] not in CONFIRMING_FIELDS]
        values = {"kept": kept, "address": here.asked.path, "back": _address(at_page), "wrong": wrong}
        values |= self.asking(here.context, signed)
        return self._page(here, "confirm", tr("Is it you?"), values, status=422 if wrong else 200)

    # --- both ----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _here(self, context: Context, asked: PageRequest, query: str) -> Iterator[PageHere]:
        """Give a request of somebody who is not known yet; what is said within is in their language."""
        visitor = asked.visitor
        try:
            pairs = pairs_in(query)
        except ApiProblemError:  # it is said by whoever reads them
            pairs = []
        chosen = (dict(pairs).get("lang", ""), visitor.cookies.get(LANGUAGE_COOKIE, ""))
        spoken = language_for(*chosen, accepted=asked.accept_language, default=self.default_language)
        visit = visitor.cookies.get(VISIT_COOKIE, "") or secrets.token_urlsafe(VISIT_BYTES)
        with language.speaking(spoken):
            yield PageHere(context, asked, pairs, None, spoken, context.clock.now(), visit)

    def _known(self, here: PageHere) -> PageHere:
        """Return a request with who asks. Raises `UserError`."""
        signed = self.signed_in(here.context, here.asked.visitor)
        return replace(here, signed=signed, server=here.context.settings().name)

    def _admit(self, here: PageHere, page: Page[Any]) -> None:
        """Raise `RightMissingError` where whoever asks may not see a page."""
        if page.right is not None and not page.everybody:
            permission, reach = page.right
            require(here.context, here.actor, permission, NO_PC if reach is None else reach)

    def _view(self, here: PageHere, page: Page[Any]) -> Answer:
        asked = here.asked
        pairs_in(asked.query)  # raises what is wrong with it
        given = _given(page, asked.in_path, here.filled)
        return page.view(Asked(here.context, here.actor, given, here.now, here.signed, here.visitor))

    def _answered(
        self, here: PageHere, page: Page[Any], found: Answer, *, failed: RefusedForm | None = None, status: int = 200
    ) -> PageAnswered:  # fmt: skip
        if isinstance(found, Done):
            assert found.to.startswith("/")
            assert not found.to.startswith(("//", "/\\"))
            cookies = (*found.cookies, *((said_cookie(found.said),) if found.said else ()))
            headers = (("Location", found.to), *(("Set-Cookie", one) for one in cookies))
            return PageAnswered(303, headers=headers, known=here.signed is not None)
        if isinstance(found, FileAnswer):
            assert FILE_NAME.fullmatch(found.name)
            as_file = (("Content-Disposition", f'attachment; filename="{found.name}"'),)
            return PageAnswered(200, found.data, found.media, as_file, known=here.signed is not None)
        assert isinstance(found, Shown)
        return self._page(
            here, found.template or page.name, found.title, dict(found.values), page=page, failed=failed,
            status=status, cookies=found.cookies,
        )  # fmt: skip

    def _page(
        self, here: PageHere, template: str, title: str, values: dict[str, Any], *, page: Page[Any] | None = None,
        failed: RefusedForm | None = None, status: int = 200, cookies: tuple[str, ...] = (),
    ) -> PageAnswered:  # fmt: skip
        one = here.reader(self.pages, self.forms, page, failed)
        html = page_html(template, one, title, values)
        kept = [*cookies]
        if one.said:
            kept.append(cookie(SAID_COOKIE, "", seconds=0))
        if here.language == dict(here.pairs).get("lang"):
            kept.append(cookie(LANGUAGE_COOKIE, here.language, seconds=LANGUAGE_SECONDS))
        if here.signed is None and VISIT_COOKIE not in here.asked.visitor.cookies:
            kept.append(cookie(VISIT_COOKIE, here.visit))
        headers = tuple(("Set-Cookie", made) for made in kept)
        return PageAnswered(status, html.encode(), headers=headers, known=here.signed is not None)

    def _to_login(self, here: PageHere) -> PageAnswered:
        """Send whoever is not signed in to where that is done, and from there to the page.

        Whoever follows a link of another site, as of a mail, may be signed in all the same: a browser does not send the
        session then. So the page is opened once more, by a page of ours.
        """
        address = _address(here.asked)
        if here.asked.visitor.site == "cross-site":
            return self._page(here, "again", tr("One moment"), {"address": address})
        return PageAnswered(303, headers=(("Location", f"{LOGIN}?{urlencode({'next': address})}"),))

    def _problem(self, here: PageHere, problem: ApiProblemError) -> PageAnswered:
        values = {
            "detail": problem.detail, "remedy": problem_remedy(problem.kind.name),
            "request_id": here.context.request.request_id, "again": _address(here.asked),
        }  # fmt: skip
        answered = self._page(here, "problem", problem_title(problem.kind.name), values, status=problem.kind.status)
        return replace(answered, headers=(*answered.headers, *problem.kind.headers.items()))


def _given(row: Page[Any] | Form[Any, Any], in_path: Mapping[str, str], pairs: Iterable[tuple[str, str]]) -> Any:
    """Return what path and query give a page or a form. Raises `ApiProblemError`, in the reader's language."""
    try:
        return given_of(row.takes, row.path_names, in_path, pairs)
    except ApiProblemError as error:
        if isinstance(error.__cause__, msgspec.ValidationError):
            name, words = misfit(str(error.__cause__))
            raise ApiProblemError("not-acceptable", f"{name}: {words}" if name else words) from error
        raise


def _problem(error: ApiProblemError | UserError, *, of_path: bool = False) -> ApiProblemError:
    return error if isinstance(error, ApiProblemError) else problem_of(error, of_path=of_path)


def _at_page(asked: PageRequest, page: Page[Any], fields: FormFields) -> PageRequest:
    """Return the request for the page that holds a form, as it was when the form was filled in."""
    path = page.path.format_map({name: quote(value, safe="") for name, value in asked.in_path.items()})
    return replace(asked, path=path, query=fields.first(QUERY_FIELD))


def _address(asked: PageRequest) -> str:
    return f"{asked.path}?{asked.query}" if asked.query else asked.path
