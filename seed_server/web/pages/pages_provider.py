"""The way to the identity provider and back: pages that lead on by themselves."""

from typing import Annotated

from msgspec import Meta, Struct

from p2pdist.shared.language import tr
from seed_server.fleet.provider_visit import PROVIDER_ANSWER_PATH, VISIT_SECONDS, begin_visit, end_visit
from seed_server.web.api.given import Body
from seed_server.web.api.route import Nothing
from seed_server.web.frame.browsers import browser_words, place_after
from seed_server.web.frame.cookies import cookie
from seed_server.web.frame.page import Asked, Done, Form, Page, Sent, Shown
from seed_server.web.frame.signed_in import SESSION_COOKIE, came_of
from seed_server.web.pages.pages_login import LOGIN_PATH, Next

VISITING_COOKIE = "__Host-visiting"
MAX_BROUGHT_CHARS = 6_000  # of one parameter: a code of Entra ID has some 1,500

_HEARD = ("state", "code", "iss", "error", "error_description")

Brought = Annotated[str, Meta(max_length=MAX_BROUGHT_CHARS)]


class VisitBody(Body, frozen=True):
    """Where to go on, and whether somebody is to show once more who they are."""

    next: Next = ""
    again: bool = False


class AnswerGiven(Struct, frozen=True, kw_only=True):
    """What the provider has the browser bring; providers add words of their own, which are known here."""

    state: Brought = ""
    code: Brought = ""
    iss: Brought = ""
    error: Brought = ""
    error_description: Brought = ""
    error_uri: Brought = ""
    error_subcode: Brought = ""
    session_state: Brought = ""
    scope: Brought = ""
    authuser: Brought = ""
    prompt: Brought = ""
    hd: Brought = ""


def _go(sent: Sent[Nothing, VisitBody]) -> Shown:
    begun = begin_visit(sent.context, place_after(sent.body.next), again=sent.body.again)
    # the browser comes back by a link of the provider, with which it gives no Strict cookies
    kept = cookie(VISITING_COOKIE, begun.sealed, seconds=int(VISIT_SECONDS)).replace("SameSite=Strict", "SameSite=Lax")
    return Shown(tr("To the identity provider"), {"to": begun.address}, "onward", (kept,))


def _come_back(asked: Asked[AnswerGiven]) -> Shown | Done:
    given, sealed = asked.given, asked.visitor.cookies.get(VISITING_COOKIE, "")
    if not sealed:
        return Done(LOGIN_PATH)
    answer = {name: value for name in _HEARD if (value := getattr(given, name))}
    came = came_of(asked.context, browser_words(asked.visitor.browser))
    begun, place = end_visit(asked.context, sealed, answer, came)
    cookies = (cookie(SESSION_COOKIE, begun.cookie), cookie(VISITING_COOKIE, "", seconds=0))
    return Shown(tr("You are logged in"), {"to": place_after(place)}, "onward", cookies)


PROVIDER_PAGES = (
    Page(PROVIDER_ANSWER_PATH, "login at the provider", _come_back, AnswerGiven, right=None, everybody=True),
)
PROVIDER_FORMS = (Form("/login/provider", "to the provider", _go, Nothing, VisitBody, "", "login"),)
