"""The pages *login* and *log out*: by password and code, by a key, or at the identity provider."""

from typing import Annotated

from msgspec import Meta, Struct

from p2pdist.shared.errors import UserError
from p2pdist.shared.language import in_words, tr
from seed_server.fleet.context import Context
from seed_server.fleet.passkeys import MAX_ANSWER_CHARS
from seed_server.fleet.passwords import MAX_TYPED_CHARS
from seed_server.fleet.web_challenges import MAX_SEALED_CHARS, challenge_in
from seed_server.fleet.web_logins import (
    KeyAsked,
    ask_for_passkey,
    asked_again,
    begin_login,
    passkey_login,
    second_factor_login,
)
from seed_server.fleet.web_sessions import BegunSession, CameFrom, end_session
from seed_server.web.api.given import Body, Given
from seed_server.web.api.route import Nothing
from seed_server.web.frame.browsers import MAX_PLACE_CHARS, browser_words, place_after
from seed_server.web.frame.cookies import VISIT_COOKIE, cookie
from seed_server.web.frame.page import Answer, Asked, Done, Form, Page, Sent, Shown, Visitor
from seed_server.web.frame.signed_in import SESSION_COOKIE, came_of

LOGIN_PATH = "/login"
MAX_LOGIN_NAME_CHARS = 200
MAX_CODE_CHARS = 40  # six digits, as people may divide them

Next = Annotated[str, Meta(max_length=MAX_PLACE_CHARS)]
Code = Annotated[str, Meta(max_length=MAX_CODE_CHARS)]
Password = Annotated[str, Meta(max_length=MAX_TYPED_CHARS)]
Sealed = Annotated[str, Meta(max_length=MAX_SEALED_CHARS)]
KeyAnswer = Annotated[str, Meta(max_length=MAX_ANSWER_CHARS)]


class LoginGiven(Given, frozen=True):
    """Where to go on."""

    next: Next = ""


class LoginBody(Body, frozen=True):
    """What is typed."""

    name: Annotated[str, Meta(max_length=MAX_LOGIN_NAME_CHARS)] = ""
    password: Password = ""
    code: Code = ""
    next: Next = ""


class KeyBody(Body, frozen=True):
    """What a key has answered, or in its place a code."""

    sealed: Sealed = ""
    answer: KeyAnswer = ""
    code: Code = ""
    next: Next = ""


class BareForm(Struct, frozen=True):
    """Of a form that is but a button."""


def _login_page(asked: Asked[LoginGiven]) -> Answer:
    place = place_after(asked.given.next)
    if asked.signed is not None:
        return Done(place)
    key = ask_for_passkey(asked.context, asked.visitor.visit)
    return Shown(tr("Log in"), {"next": place, "key": key, "provider": _has_provider(asked.context)})


def _log_in(sent: Sent[Nothing, LoginBody]) -> Answer:
    body = sent.body
    came = _came(sent.context, sent.visitor)
    found = begin_login(sent.context, sent.visitor.visit, body.name, body.password, body.code, came)
    return _begun(found, body.next) if isinstance(found, BegunSession) else _second(found, body.next)


def _log_in_by_key(sent: Sent[Nothing, KeyBody]) -> Answer:
    body, came = sent.body, _came(sent.context, sent.visitor)
    return _begun(passkey_login(sent.context, sent.visitor.visit, body.sealed, body.answer, came), body.next)


def _log_in_further(sent: Sent[Nothing, KeyBody]) -> Answer:
    body, visit = sent.body, sent.visitor.visit
    challenge = challenge_in(sent.context, "second key", visit, body.sealed)
    came = _came(sent.context, sent.visitor)
    try:
        begun = second_factor_login(sent.context, visit, body.sealed, came, answer=body.answer, code=body.code)
    except UserError as error:
        return _second(asked_again(sent.context, challenge, body.sealed), body.next, wrong=in_words(error.message))
    return _begun(begun, body.next)


def _log_out(sent: Sent[Nothing, BareForm]) -> Done:
    end_session(sent.context, sent.visitor.cookies.get(SESSION_COOKIE, ""))
    return Done(LOGIN_PATH, tr("You are logged out."), (cookie(SESSION_COOKIE, "", seconds=0),))


def _begun(begun: BegunSession, place: str) -> Done:
    return Done(place_after(place), cookies=(cookie(SESSION_COOKIE, begun.cookie), cookie(VISIT_COOKIE, "", seconds=0)))


def _second(asked: KeyAsked, place: str, *, wrong: str = "") -> Shown:
    values = {"key": asked, "next": place_after(place), "wrong": wrong}
    return Shown(tr("Your second factor"), values, "login_second")


def _has_provider(context: Context) -> bool:
    return context.settings().oidc is not None


def _came(context: Context, visitor: Visitor) -> CameFrom:
    return came_of(context, browser_words(visitor.browser))


LOGIN_PAGES: tuple[Page[LoginGiven], ...] = (
    Page(LOGIN_PATH, "login", _login_page, LoginGiven, right=None, everybody=True),
)
LOGIN_FORMS: tuple[Form[Nothing, LoginBody] | Form[Nothing, KeyBody], ...] = (
    Form(LOGIN_PATH, "login", _log_in, Nothing, LoginBody, "", "login"),
    Form("/login/key", "login by key", _log_in_by_key, Nothing, KeyBody, "", "login"),
    Form("/login/second", "login further", _log_in_further, Nothing, KeyBody, "", "login"),
)
LOGOUT_FORMS = (Form("/logout", "logout", _log_out, Nothing, BareForm, "", "account"),)
