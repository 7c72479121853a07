"""The page *account*: who I am here, what I may, and what opens my account; and *codes*, for an authenticator app."""

from typing import Annotated

from msgspec import Meta

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import in_words, tr
from seed_server.answers.people_documents import api_token_document, person_document
from seed_server.answers.sessions import key_document, session_document
from seed_server.fleet import people_operations
from seed_server.fleet.accounts import check_own_password
from seed_server.fleet.actor import Actor
from seed_server.fleet.api_token_operations import revoke_api_token
from seed_server.fleet.context import Context
from seed_server.fleet.passkey_operations import (
    MAX_KEY_NAME_CHARS,
    add_passkey,
    ask_for_new_key,
    read_passkeys,
    remove_passkey,
    rename_passkey,
)
from seed_server.fleet.passwords import MIN_PASSWORD_CHARS
from seed_server.fleet.people_queries import new_seed, read_person
from seed_server.fleet.qr_code import svg_code
from seed_server.fleet.web_sessions import end_sessions, read_sessions
from seed_server.ports.address_block import address_block
from seed_server.web.api.given import Body
from seed_server.web.api.route import Nothing
from seed_server.web.frame.page import Asked, Done, Form, Page, Sent, Shown
from seed_server.web.pages.pages_login import Code, KeyAnswer, Password, Sealed

ACCOUNT_PATH, CODES_PATH = "/account", "/account/codes"
_OPERATION = "seed_server.fleet."

Id = Annotated[str, Meta(max_length=64)]
KeyName = Annotated[str, Meta(max_length=4 * MAX_KEY_NAME_CHARS)]  # the operation says it in words
Seed = Annotated[str, Meta(pattern="^[A-Z2-7]{32}$")]


def _account(asked: Asked[Nothing]) -> Shown:
    name, now = asked.actor.name, asked.now
    view, keys = read_person(asked.context, name), read_passkeys(asked.context, name)
    session = None if asked.signed is None else asked.signed.session
    own = asked.actor.by_account
    values = {
        "person": person_document(view.person),
        "rights": view.rights,
        "keys": [key_document(one) for one in keys],
        "new_key": ask_for_new_key(asked.context, session) if own and session is not None else None,
        "factor": bool(view.person.totp or keys),
        "own": own,
        "sessions": [session_document(one) for one in read_sessions(asked.context, name)],
        "this_session": asked.actor.session_id,
        "tokens": [api_token_document(one, now) for one in view.tokens],
        "least": MIN_PASSWORD_CHARS,
    }
    return Shown(tr("My account"), values)


def _codes(asked: Asked[Nothing]) -> Shown:
    return _codes_page(asked.context, asked.actor)


def _codes_page(context: Context, actor: Actor, seed: str = "", wrong: str = "") -> Shown:
    view, factor = read_person(context, actor.name), new_seed(context, actor.name, seed)
    values = {
        "seed": factor.seed,
        "qr": svg_code(factor.url),
        "factor": bool(view.person.totp or read_passkeys(context, actor.name)),
        "totp": bool(view.person.totp),
        "own": actor.by_account,
        "wrong": wrong,
    }
    return Shown(tr("Codes of an authenticator app"), values)


# --- forms -------------------------------------------------------------------------------


class NewPassword(Body, frozen=True):
    """A password in place of the one that there is."""

    now: Password
    new: Password
    again: Password


def _set_password(sent: Sent[Nothing, NewPassword]) -> Done:
    body = sent.body
    if body.new != body.again:
        raise UserError("The two new passwords are not the same. Type them again.", FaultKind.BAD_INPUT)
    _check_password(sent, body.now)
    people_operations.set_password(sent.context, sent.actor, sent.actor.name, body.new)
    return Done(ACCOUNT_PATH, tr("Your password is changed, and your other sessions have ended."))


class NewCodes(Body, frozen=True):
    """The seed that the app has, and a code of it."""

    seed: Seed
    code: Code
    password: Password = ""


def _set_codes(sent: Sent[Nothing, NewCodes]) -> Done | Shown:
    body = sent.body
    try:
        people_operations.set_second_factor(sent.context, sent.actor, sent.actor.name, body.seed, body.code)
    except UserError as error:  # with the same seed: the app has it already
        return _codes_page(sent.context, sent.actor, body.seed, in_words(error.message))
    return Done(ACCOUNT_PATH, tr("From now on a code is asked for at each login. The next login needs the next code."))


def _set_first_codes(sent: Sent[Nothing, NewCodes]) -> Done | Shown:
    try:
        _check_first(sent, sent.body.password)
    except UserError as error:
        return _codes_page(sent.context, sent.actor, sent.body.seed, in_words(error.message))
    return _set_codes(sent)


class NewPasskey(Body, frozen=True):
    """A key that was just made, and what it is called."""

    label: KeyName
    sealed: Sealed = ""
    answer: KeyAnswer = ""
    password: Password = ""


def _add_key(sent: Sent[Nothing, NewPasskey]) -> Done:
    body = sent.body
    added = add_passkey(sent.context, sent.actor, body.label, body.sealed, body.answer)
    return Done(ACCOUNT_PATH, tr("The key {name} opens your account from now on.", name=added.name))


def _add_first_key(sent: Sent[Nothing, NewPasskey]) -> Done:
    _check_first(sent, sent.body.password)
    return _add_key(sent)


class KeyNamed(Body, frozen=True):
    """A key, and another name of it."""

    key: Id
    label: KeyName


def _rename_key(sent: Sent[Nothing, KeyNamed]) -> Done:
    renamed = rename_passkey(sent.context, sent.actor, sent.body.key, sent.body.label)
    return Done(ACCOUNT_PATH, tr("The key is called {name} now.", name=renamed.name))


class OneKey(Body, frozen=True):
    """A key."""

    key: Id


def _remove_key(sent: Sent[Nothing, OneKey]) -> Done:
    removed = remove_passkey(sent.context, sent.actor, sent.actor.name, sent.body.key)
    return Done(ACCOUNT_PATH, tr("The key {name} opens nothing any more.", name=removed.name))


class OneSession(Body, frozen=True):
    """A session; empty: all but this one."""

    session: Id = ""


def _end_sessions(sent: Sent[Nothing, OneSession]) -> Done:
    ended = end_sessions(sent.context, sent.actor, sent.actor.name, sent.body.session)
    return Done(ACCOUNT_PATH, tr("Sessions that have ended: {number}.", number=ended))


class OneToken(Body, frozen=True):
    """An API token."""

    token: Id


def _revoke_token(sent: Sent[Nothing, OneToken]) -> Done:
    revoked = revoke_api_token(sent.context, sent.actor, sent.body.token)
    return Done(ACCOUNT_PATH, tr("The API token {label} speaks for nobody any more.", label=revoked.label))


def _check_first(sent: Sent[Nothing, NewCodes] | Sent[Nothing, NewPasskey], password: str) -> None:
    """Raise `UserError` unless this is the account's first second factor, and its password is right.

    Whoever has a second factor shows that instead: a password alone is to bring no other one.
    """
    name = sent.actor.name
    if read_person(sent.context, name).person.totp or read_passkeys(sent.context, name):
        raise UserError("Your account has a second factor meanwhile. Open the page again.", FaultKind.REFUSED)
    _check_password(sent, password)


def _check_password(
    sent: Sent[Nothing, NewPassword] | Sent[Nothing, NewCodes] | Sent[Nothing, NewPasskey], password: str
) -> None:
    check_own_password(sent.context, sent.actor.name, password, source=address_block(sent.visitor.address))


ACCOUNT_PAGES = (
    Page(ACCOUNT_PATH, "account", _account, Nothing, right=None),
    Page(CODES_PATH, "codes", _codes, Nothing, right=None),
)
_PEOPLE, _KEYS = f"{_OPERATION}people_operations.", f"{_OPERATION}passkey_operations."
_ME, _APP = ACCOUNT_PATH, CODES_PATH
ACCOUNT_FORMS = (
    Form(f"{_ME}/password", "set my password", _set_password, Nothing, NewPassword, f"{_PEOPLE}set_password",
         "account"),
    Form(_APP, "renew codes", _set_codes, Nothing, NewCodes, f"{_PEOPLE}set_second_factor", "codes", step_up=True),
    Form(f"{_APP}/first", "first codes", _set_first_codes, Nothing, NewCodes, f"{_PEOPLE}set_second_factor", "codes"),
    Form(f"{_ME}/keys", "add key", _add_key, Nothing, NewPasskey, f"{_KEYS}add_passkey", "account", step_up=True),
    Form(f"{_ME}/keys/first", "add first key", _add_first_key, Nothing, NewPasskey, f"{_KEYS}add_passkey", "account"),
    Form(f"{_ME}/keys/name", "rename key", _rename_key, Nothing, KeyNamed, f"{_KEYS}rename_passkey", "account",
         step_up=True),
    Form(f"{_ME}/keys/remove", "remove key", _remove_key, Nothing, OneKey, f"{_KEYS}remove_passkey", "account",
         step_up=True),
    Form(f"{_ME}/sessions", "end my sessions", _end_sessions, Nothing, OneSession,
         f"{_OPERATION}web_sessions.end_sessions", "account"),
    Form(f"{_ME}/tokens", "revoke my token", _revoke_token, Nothing, OneToken,
         f"{_OPERATION}api_token_operations.revoke_api_token", "account"),
)  # fmt: skip
