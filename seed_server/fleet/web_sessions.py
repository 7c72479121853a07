"""Sessions: somebody has logged in with a browser, and this cookie is theirs. Blocking.

A session is a row that its cookie's hash finds; nothing else speaks for anybody, so what ends the row ends it. It is
not bound to an address: people move between networks, and a thief sits in the same one as often as not.
"""

import math
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from seed_server.fleet.accounts import (
    WRONG_CODE,
    checked_account_name,
    code_is_right,
    known_now,
    person_rights,
    take_attempt,
)
from seed_server.fleet.actor import Actor, Evidence
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation as _operation
from seed_server.fleet.passkeys import coded, decoded
from seed_server.fleet.people_operations import known_person, require_own
from seed_server.fleet.permissions import BARRED
from seed_server.fleet.roles import NO_PC
from seed_server.store.people_rows import PersonRow
from seed_server.store.session_records import SessionProof, WebSessionRow
from seed_server.store.token_names import token_id_of

SESSION_SECRET_BYTES = 32
MAX_SESSION_COOKIE_CHARS = 64  # 43 are a secret
STEP_UP_SECONDS = 900.0  # for so long a second factor that was shown counts for what asks for one
MAX_BROWSER_NAME_CHARS = 60

EVIDENCE: Mapping[SessionProof, Evidence] = MappingProxyType(
    {"password": "password", "code": "password", "second key": "password", "passkey": "key", "provider": "oidc"}
)
"""How a session's person is known."""

log = lazy_log()


@dataclass(frozen=True)
class CameFrom:
    """Where a login comes from."""

    place: str
    """Whose failures count together, as `LoginRow` has it: an address, or a block of them."""
    address: str
    browser: str
    """What it calls itself, in a word or two."""


@dataclass(frozen=True)
class BegunSession:
    """A session that begins; its cookie is kept nowhere else."""

    cookie: str
    row: WebSessionRow


@dataclass(frozen=True)
class WebSession:
    """A session that is open, and for whom it speaks."""

    row: WebSessionRow
    person: PersonRow
    actor: Actor

    @property
    def stepped_up_until(self) -> float:
        """Until when what needs a second factor may be done; 0: it may not."""
        return self.row.factor_at + STEP_UP_SECONDS if self.row.factor_at else 0.0


def new_session(
    context: Context, name: str, proof: SessionProof, came: CameFrom, *, most_hours: float = math.inf
) -> tuple[bytes, WebSessionRow]:
    """Return a secret and the session of ``name`` that it is to open; nothing is written yet. Raises `UserError`."""
    pages, now = context.settings().pages, context.clock.now()
    secret = secrets.token_bytes(SESSION_SECRET_BYTES)
    row = WebSessionRow(
        session_id=token_id_of(secret),
        person=name,
        created_at=now,
        used_at=now,
        ends_at=now + min(pages.session_hours, most_hours) * 3_600.0,
        idle_seconds=pages.idle_minutes * 60.0,
        proof=proof,
        factor_at=0.0 if proof == "password" else now,
        address=came.address[:MAX_BROWSER_NAME_CHARS],
        browser=came.browser[:MAX_BROWSER_NAME_CHARS],
    )
    return secret, row


def begin_session(context: Context, person: PersonRow, proof: SessionProof, came: CameFrom) -> BegunSession:
    """Let a browser speak for ``person``, who has just shown who they are.

    Writes the database and the audit log. Raises `UserError`: REFUSED where the account has changed meanwhile,
    BAD_INPUT, NOT_SET_UP, STORAGE, BUSY.
    """
    secret, row = new_session(context, person.name, proof, came)
    deed = Deed("log in", person.name, details={"session": row.session_id, "by": proof, "browser": row.browser})
    deed.after = row
    with context.audited(_actor(person, row), deed) as database, database.people_change():
        there = database.person(person.name)
        if there is None or (there.password, there.totp) != (person.password, person.totp):
            raise UserError("The account was changed meanwhile. Log in again.", FaultKind.REFUSED)
        if there.disabled:
            raise UserError(BARRED["disabled"].format(name=person.name), FaultKind.REFUSED)
        database.add_web_session(secret, row)
    log.info("logged in", person=person.name, session=row.session_id, by=proof)
    return BegunSession(coded(secret), row)


def session_of(context: Context, cookie: str, *, used: bool = True) -> WebSession | None:
    """Return the session of a cookie; None: it is none, or over. ``used``: somebody does something in it now.

    Writes the database (its last use). Raises `UserError`: NOT_SET_UP, STORAGE, BUSY.
    """
    secret = _secret_in(cookie)
    if secret is None:
        return None
    with context.database() as database:
        row, now = database.web_session(secret), context.clock.now()
        if row is None or not row.is_open(now):
            return None
        person = database.person(row.person)
        if person is None or person.disabled:
            return None
        if used:
            database.note_web_session_use(row, now)
    return WebSession(row, person, _actor(person, row))


def end_session(context: Context, cookie: str) -> str:
    """Log out: let a cookie speak for nobody any more, and return whose it was; empty: nobody's.

    Writes the database and the audit log. Raises `UserError`: NOT_SET_UP, STORAGE, BUSY.
    """
    found = session_of(context, cookie, used=False)
    if found is None:
        return ""
    deed = Deed("log out", found.person.name, before=found.row, details={"session": found.row.session_id})
    with context.audited(found.actor, deed) as database, database.people_change():
        database.end_web_session(found.row.session_id)
    log.info("logged out", person=found.person.name, session=found.row.session_id)
    return found.person.name


@_operation("look", reach=NO_PC)
def end_sessions(context: Context, actor: Actor, name: str, session_id: str = "") -> int:
    """End a session of an account, or all but that which asks: one's own, or with the right to manage people.

    Return how many ended. Writes the database. Raises `UserError`: BAD_INPUT for no such account or session, REFUSED,
    NOT_SET_UP, STORAGE, BUSY.
    """
    if not (actor.session_id and checked_account_name(name) == actor.name):
        require_own(actor, context, name)
    deed = Deed("end sessions", checked_account_name(name))
    with context.audited(actor, deed) as database, database.people_change():
        person = known_person(database, name)
        if session_id and session_id not in {one.session_id for one in database.web_sessions(person.name)}:
            raise UserError(
                f"{person.name} has no session {session_id[:40]!r}. 'seed-server people sessions {person.name}' lists "
                "them.",
                FaultKind.BAD_INPUT,
            )
        if session_id:
            database.end_web_session(session_id)
        ended = 1 if session_id else database.end_web_sessions(person.name, but=actor.session_id)
        deed.details = {"session": session_id or "all", "ended": str(ended)}
    log.info("sessions ended", person=person.name, sessions=ended)
    return ended


def read_sessions(context: Context, name: str) -> list[WebSessionRow]:
    """Return the open sessions of an account; the one that was used last comes first.

    Raises `UserError`: BAD_INPUT for no such account, NOT_SET_UP, STORAGE, BUSY.
    """
    context.settings()
    with context.database() as database:
        found = database.web_sessions(known_person(database, name).name)
    now = context.clock.now()
    return [one for one in found if one.is_open(now)]


# --- a second factor, once more ----------------------------------------------------------


def confirm_by_code(context: Context, session: WebSession, code: str, came: CameFrom) -> WebSession:
    """Take a code of the app in an open session; return that, stepped up.

    Writes the database and the audit log. Raises `UserError`: REFUSED for a wrong code, for one too soon after wrong
    ones, and for an account without an app; NOT_SET_UP, STORAGE, BUSY.
    """
    name = session.person.name
    with context.database() as database:
        take_attempt(context, database, name, came.place)
        person = database.person(name)
        if person is None or not person.totp or not code_is_right(context, database, person, code):
            raise UserError(WRONG_CODE, FaultKind.REFUSED)
        known_now(context, database, person, came.place)
    return confirmed(context, session, "code")


def confirmed(context: Context, session: WebSession, by: str) -> WebSession:
    """Return a session in which a second factor was shown just now; with its entry in the audit log."""
    deed = Deed("confirm", session.person.name, details={"session": session.row.session_id, "by": by})
    now = context.clock.now()
    with context.audited(session.actor, deed) as database:
        database.note_second_factor(session.row.session_id, now)
    row = msgspec.structs.replace(session.row, factor_at=now)
    return WebSession(row, session.person, session.actor)


def _actor(person: PersonRow, row: WebSessionRow) -> Actor:
    return Actor(person.name, EVIDENCE[row.proof], person_rights(person), session_id=row.session_id)


def _secret_in(cookie: str) -> bytes | None:
    if len(cookie) > MAX_SESSION_COOKIE_CHARS:
        return None
    try:
        secret = decoded(cookie)
    except ValueError:
        return None
    return secret if len(secret) == SESSION_SECRET_BYTES else None
