"""Logging in with a browser: by password and code, by password and key, or by a key that verifies. Blocking.

Waits and words are those of `accounts`, whichever way somebody comes. A right password alone opens nothing where a
second factor is set up, and counts as a failure until that was shown.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from seed_server.fleet.accounts import (
    WRONG_CODE,
    WRONG_LOGIN,
    code_is_right,
    known_now,
    own_pin,
    person_rights,
    proven,
    take_attempt,
)
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.passkeys import RelyingParty, credential_in, request_options, shown_key
from seed_server.fleet.web_challenges import Challenge, challenge_in, new_challenge, take
from seed_server.fleet.web_sessions import BegunSession, CameFrom, WebSession, begin_session, confirmed
from seed_server.settings.pages_section import origin_of
from seed_server.store.people_rows import PersonRow
from seed_server.store.session_records import PasskeyRow

if TYPE_CHECKING:
    from seed_server.store.database import Database

UNKNOWN_KEY = (
    "This key opens no account here. Log in with name and password, and add it to your account; or take another key."
)

log = lazy_log()


@dataclass(frozen=True)
class KeyAsked:
    """What a page asks a key for."""

    options: Mapping[str, Any]
    """For ``navigator.credentials``, its bytes in base64url."""
    sealed: str
    """Comes back with the key's answer."""
    person: str = ""
    code: bool = False
    """Whether a code of the app does as well."""


def relying_party(context: Context) -> RelyingParty:
    """Return these pages, as keys know them. Raises `UserError`: BAD_INPUT, NOT_SET_UP, STORAGE."""
    settings = context.settings()
    return RelyingParty.at(origin_of(settings.pages, settings.address, settings.api_port), settings.name)


def handle_of(context: Context, name: str) -> bytes:
    """Return what keys keep in the place of an account's name."""
    return hashlib.sha256(f"p2pdist account {own_pin(context)} {name}".encode()).digest()


# --- logging in --------------------------------------------------------------------------


def begin_login(
    context: Context, browser: str, name: str, password: str, code: str, came: CameFrom
) -> BegunSession | KeyAsked:
    """Log in by name, password and code; where a second factor is still to be shown, return what to ask for.

    ``browser``: what this browser alone has, as `web_challenges` takes it. Writes the database and the audit log.
    Raises `UserError` as `accounts.proven` and `begin_session`.
    """
    found = proven(context, name, password, code, source=came.place, keys=True)
    if found.proof != "key wanted":
        return begin_session(context, found.person, found.proof, came)
    challenge, sealed = new_challenge(context, "second key", browser, found.person.name)
    return asked_again(context, challenge, sealed)


def asked_again(context: Context, challenge: Challenge, sealed: str) -> KeyAsked:
    """Return what is asked for when a page is shown once more, with the challenge that it had. Raises `UserError`."""
    with context.database() as database:
        person, keys = database.person(challenge.person), database.passkeys(challenge.person)
    options = request_options(relying_party(context), challenge.octets, [one.credential_id for one in keys])
    return KeyAsked(options, sealed, challenge.person, person is not None and bool(person.totp))


def second_factor_login(
    context: Context, browser: str, sealed: str, came: CameFrom, *, answer: str = "", code: str = ""
) -> BegunSession:
    """Log in by the second factor, after the password: by a key's ``answer`` or a ``code``. Raises as `begin_login`."""
    challenge = challenge_in(context, "second key", browser, sealed)
    with context.database() as database:
        take_attempt(context, database, challenge.person, came.place)
        person = database.person(challenge.person)
        if person is None:
            raise UserError(WRONG_LOGIN, FaultKind.REFUSED)
        if answer:
            check_key(context, database, challenge, answer, person, verify=False)
        elif not person.totp or not code_is_right(context, database, person, code):
            raise UserError(WRONG_CODE, FaultKind.REFUSED)
        else:
            take(context, database, challenge)
        known_now(context, database, person, came.place)
    return begin_session(context, person, "second key" if answer else "code", came)


def ask_for_passkey(context: Context, browser: str) -> KeyAsked:
    """Return what a key is asked for by whom nothing is known yet. Raises `UserError`."""
    challenge, sealed = new_challenge(context, "passkey", browser)
    return KeyAsked(request_options(relying_party(context), challenge.octets, ()), sealed)


def passkey_login(context: Context, browser: str, sealed: str, answer: str, came: CameFrom) -> BegunSession:
    """Log in by a key alone, which has verified its owner.

    Its owner's failures are not counted: nobody guesses a signature. Raises as `begin_login`.
    """
    challenge = challenge_in(context, "passkey", browser, sealed)
    credential_id, handle = credential_in(answer)
    with context.database() as database:
        key = database.passkey(credential_id)
        person = None if key is None else database.person(key.person)
        if person is None or (handle and handle != handle_of(context, person.name)):
            raise UserError(UNKNOWN_KEY, FaultKind.REFUSED)
        check_key(context, database, challenge, answer, person, verify=True)
        known_now(context, database, person, came.place)
    return begin_session(context, person, "passkey", came)


# --- once more ---------------------------------------------------------------------------


def ask_to_confirm(context: Context, session: WebSession) -> KeyAsked | None:
    """Return what a key is asked for in an open session; None: the account has none. Raises `UserError`."""
    with context.database() as database:
        if not database.passkeys(session.person.name):
            return None
    challenge, sealed = new_challenge(context, "confirm", session.row.session_id, session.person.name)
    return asked_again(context, challenge, sealed)


def confirm_by_key(context: Context, session: WebSession, sealed: str, answer: str) -> WebSession:
    """Take a key in an open session; return that, stepped up.

    Writes the database and the audit log. Raises `UserError`: REFUSED for a wrong answer, NOT_SET_UP, STORAGE, BUSY.
    """
    challenge = challenge_in(context, "confirm", session.row.session_id, sealed)
    with context.database() as database:
        check_key(context, database, challenge, answer, session.person, verify=False)
    return confirmed(context, session, "key")


def check_key(
    context: Context, database: "Database", challenge: Challenge, answer: str, person: PersonRow, *, verify: bool
) -> None:
    """Take a key's answer to a challenge: it is of ``person``, true, and no copy of the key has answered since.

    Writes the database. Raises `UserError` (REFUSED); a count that went back has an entry in the audit log.
    """
    credential_id, _ = credential_in(answer)
    key = next((one for one in database.passkeys(person.name) if one.credential_id == credential_id), None)
    if key is None:
        raise UserError(UNKNOWN_KEY, FaultKind.REFUSED)
    shown = shown_key(relying_party(context), answer, challenge.octets, key.public_key, verify=verify)
    take(context, database, challenge)
    now = context.clock.now()
    counts = shown.sign_count > 0 or key.sign_count > 0
    if counts and shown.sign_count <= key.sign_count:
        _refuse_copy(context, key, person, shown.sign_count)
    if not database.take_passkey_use(key, shown.sign_count, now) and counts:
        _refuse_copy(context, key, person, shown.sign_count)


def _refuse_copy(context: Context, key: PasskeyRow, person: PersonRow, count: int) -> None:
    """Say that there may be two of a key, and refuse it. Raises `UserError` (REFUSED)."""
    deed = Deed("refuse key", person.name, reason="its count went back: there may be a copy of it")
    deed.details = {"key": key.key_id, "counted": str(count), "before": str(key.sign_count)}
    with context.audited(Actor(person.name, "key", person_rights(person)), deed):
        pass
    log.warning("a key was refused whose count went back", person=person.name, key=key.key_id)
    raise UserError(
        "This key has counted less than at its last use, so there may be a copy of it. Log in another way, remove it "
        "from your account, and tell the security team.",
        FaultKind.REFUSED,
    )
