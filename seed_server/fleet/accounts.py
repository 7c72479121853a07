"""Who somebody is: accounts with a password and a second factor, and API tokens that speak for them. Blocking.

Whoever is wrong is told the same, in the same time, whether the account exists or not.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import msgspec

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.actor import ENGINE_NAME, Actor, Barred
from seed_server.fleet.context import Context
from seed_server.fleet.login_wait import login_wait
from seed_server.fleet.passwords import hash_password, is_outdated, password_matches
from seed_server.fleet.permissions import BARRED
from seed_server.fleet.roles import PERMISSIONS, ROLES, Permission, PersonScope, Rights, Role, rights_of
from seed_server.fleet.second_factor import matching_step, opened
from seed_server.store.people_rows import ApiTokenRow, PersonRow

if TYPE_CHECKING:
    from seed_server.store.database import Database

ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")
TOKEN_MARK = "p2papi"  # noqa: S105 - how tokens begin, so that scanners of leaked secrets can find them
TOKEN_SECRET_BYTES = 32
TOKEN_PIN_CHARS = 8  # of the server's root pin: tells a token of another server
MAX_API_TOKEN_CHARS = 100
MOST_HOLDERS = 5  # of a right, in a refusal

WRONG_LOGIN = "The name, the password or the code is wrong. A code is taken once; wait for the next one and try again."
WRONG_CODE = "The code is wrong. A code is taken once; wait for the next one and try again."
"""For who has shown the password already."""


def checked_account_name(text: str) -> str:
    """Return ``text`` as the name of an account. Raises `UserError` (BAD_INPUT)."""
    name = text.strip().casefold()
    if not ACCOUNT_NAME.fullmatch(name) or name == ENGINE_NAME:
        raise UserError(
            f"{text[:60]!r} is no name of an account: use 1 to 40 of a-z, 0-9, '.', '_' and '-', and begin with a "
            "letter or a digit.",
            FaultKind.BAD_INPUT,
        )
    return name


def roles_in(names: Iterable[str]) -> frozenset[Role]:
    """Return the roles of these names; what this release does not know gives nothing."""
    return frozenset(role for role in ROLES if role in set(names))


def person_rights(person: PersonRow) -> Rights:
    """Return what somebody may by their roles, were their account in order."""
    return rights_of(roles_in(person.roles), PersonScope(frozenset(person.sites), frozenset(person.tags)))


def token_rights(token: ApiTokenRow, owner: PersonRow) -> Rights:
    """Return what an API token may now: what it was given, of what its owner still has."""
    permissions: frozenset[Permission] = frozenset(one for one in PERMISSIONS if one in token.permissions)
    given = Rights(permissions, PersonScope(frozenset(token.sites), frozenset(token.tags)))
    return person_rights(owner).both(given)


@dataclass(frozen=True)
class Proven:
    """Whose password was given."""

    person: PersonRow
    proof: Literal["password", "code", "key wanted"]
    """What was shown besides: nothing, as nothing is asked for; a code; or a key is still to be shown. Then the attempt
    counts as failed until `known_now`."""


def login(context: Context, name: str, password: str, code: str, *, source: str) -> Actor:
    """Return who gave this name, password and code; ``source``: from where, as `LoginRow` has it.

    No key is asked for: who is at a terminal of this machine can show none. Writes the database. Raises as `proven`.
    """
    person = proven(context, name, password, code, source=source, keys=False).person
    return Actor(person.name, "password", person_rights(person))


def proven(context: Context, name: str, password: str, code: str, *, source: str, keys: bool) -> Proven:
    """Return whose name, password and code these are; with ``keys``, who has keys shows a code or, next, a key.

    Writes the database. Raises `UserError`: REFUSED for what is wrong or came too soon after that, and for an account
    that is disabled; NOT_SET_UP, STORAGE, BUSY.
    """
    given = name.strip().casefold()
    known = given if ACCOUNT_NAME.fullmatch(given) else ""  # any other name is nobody's, and kept nowhere
    with context.database() as database:
        take_attempt(context, database, known, source)
        person = database.person(known) if known else None
        try:
            right = password_matches("" if person is None else person.password, password)
        except UserError:  # too many at once: else strangers who crowd would make a person's own places wait
            database.forget_login_failure(known, source)
            raise
        if not right or person is None:
            raise UserError(WRONG_LOGIN, FaultKind.REFUSED)
        by_key = keys and not (person.totp and code.strip()) and bool(database.passkeys(known))
        if not by_key and not code_is_right(context, database, person, code):
            raise UserError(WRONG_LOGIN, FaultKind.REFUSED)
        known_now(context, database, person, source, by_key=by_key)
        if is_outdated(person.password):
            _keep_anew(database, person, password)
    return Proven(person, "key wanted" if by_key else "code" if person.totp else "password")


def known_now(context: Context, database: "Database", person: PersonRow, source: str, *, by_key: bool = False) -> None:
    """Record that somebody has logged in, unless a key is still to be shown. Raises `UserError` (REFUSED): disabled."""
    if not by_key:
        database.note_login(person.name, source, context.clock.now())
    if person.disabled:
        raise UserError(BARRED["disabled"].format(name=person.name), FaultKind.REFUSED)


def check_own_password(context: Context, name: str, password: str, *, source: str) -> None:
    """Raise `UserError` unless this is the password of an account whose session it is, as `proven` does for a login.

    Writes the database: guesses wait here as they do there.
    """
    with context.database() as database:
        take_attempt(context, database, name, source)
        person = database.person(name)
        if not password_matches("" if person is None else person.password, password):
            raise UserError("The password of now is wrong. Type it again.", FaultKind.REFUSED)
        database.forget_login_failure(name, source)


def comes_by_provider(context: Context, name: str) -> bool:
    """Whether an account is of somebody whom the identity provider lets in; for who may read the database anyway.

    Raises `UserError`: NOT_SET_UP, STORAGE, BUSY.
    """
    with context.database() as database:
        person = database.person(name.strip().casefold())
    return person is not None and bool(person.subject)


def take_attempt(context: Context, database: "Database", name: str, source: str) -> None:
    """Count an attempt as failed until it has succeeded, so that those at the same time count too.

    Raises `UserError` (REFUSED) where it came too soon after others that failed.
    """
    with database.people_change():
        now = context.clock.now()
        wait = login_wait(database.logins(name), source, now)
        if wait <= 0:
            database.note_login_failure(name, source, now)
    if wait > 0:
        raise UserError(
            f"Too many attempts were wrong. Try again in {max(1, round(wait))} s; until then none is looked at.",
            FaultKind.REFUSED,
        )


def code_is_right(context: Context, database: "Database", person: PersonRow, code: str) -> bool:
    """Whether a code is of now and new, or none is asked for; it is taken. Raises `UserError`: STORAGE, REFUSED."""
    if not person.totp:
        return True
    step = matching_step(opened(context.home.people_key, person.name, person.totp), code, context.clock.now())
    return step is not None and database.take_totp_step(person.name, step)


def _keep_anew(database: "Database", person: PersonRow, password: str) -> None:
    kept = hash_password(password)
    with database.people_change():
        now = database.person(person.name)
        if now is not None and now.password == person.password:
            database.change_person(msgspec.structs.replace(now, password=kept))


def new_token_text(context: Context, secret: bytes) -> str:
    """Return what a program gives to speak with the API token of ``secret``."""
    coded = base64.urlsafe_b64encode(secret).decode().rstrip("=")
    return f"{TOKEN_MARK}_{own_pin(context)}_{coded}"


def actor_of_token(context: Context, text: str) -> Actor:
    """Return for whom an API token speaks, and with which rights; one that is spent is barred.

    Writes the database (its last use). Raises `UserError`: REFUSED for a token that is none, NOT_SET_UP, STORAGE, BUSY.
    """
    pin, secret = parsed_token(text)
    if pin != own_pin(context):
        raise UserError(BARRED["foreign"], FaultKind.REFUSED)
    with context.database() as database:
        token = database.api_token(secret)
        owner = None if token is None else database.person(token.owner)
        if token is None or owner is None:
            raise UserError(
                "This API token is not known here: it was made by nobody, or long ago, or its owner's account is gone. "
                "Make a new one: seed-server api-token make",
                FaultKind.REFUSED,
            )
        now = context.clock.now()
        state = token.state(now)
        barred: Barred = "owner disabled" if owner.disabled else "" if state == "open" else state
        if not barred:
            database.note_api_token_use(token, now)
    if owner.subject:  # what a login left
        over: Barred = "disabled" if owner.disabled else "login over" if barred else ""
        return Actor(owner.name, "oidc", token_rights(token, owner), barred=over)
    return Actor(owner.name, "token", token_rights(token, owner), token.token_id, barred)


def parsed_token(text: str) -> tuple[str, bytes]:
    """Return a token's part of the server's root pin, and its secret. Raises `UserError` (REFUSED) for none."""
    mark, _, rest = text.strip()[: MAX_API_TOKEN_CHARS + 1].partition("_")
    pin, _, coded = rest.partition("_")
    secret = b""
    if mark == TOKEN_MARK and len(text.strip()) <= MAX_API_TOKEN_CHARS and coded.isascii():
        try:
            secret = base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True)
        except binascii.Error:
            secret = b""
    if len(secret) != TOKEN_SECRET_BYTES:
        raise UserError(
            f"This is no API token: one begins with {TOKEN_MARK}_ and is a single line. Make one: seed-server "
            "api-token make",
            FaultKind.REFUSED,
        )
    return pin, secret


def own_pin(context: Context) -> str:
    """Return the part of this server's root pin that its API tokens carry. Raises `UserError`."""
    try:
        first = context.home.first_root.read_bytes()
    except OSError as error:
        context.settings()  # says it where there is no server
        raise UserError(
            f"Cannot read {context.home.first_root}: {error.strerror}. Restore it from a backup.", FaultKind.STORAGE
        ) from error
    return hashlib.sha256(first).hexdigest()[:TOKEN_PIN_CHARS]


def holders_of(context: Context, permission: Permission) -> tuple[str, ...]:
    """Return a few people who have a permission for the whole fleet; none also where that cannot be read."""
    try:
        with context.database() as database:
            people = database.people()
    except UserError:
        return ()
    found = [
        person.name
        for person in people
        if not person.disabled
        and permission in person_rights(person).permissions
        and not person_rights(person).scope.limited
    ]
    return tuple(found[:MOST_HOLDERS])
