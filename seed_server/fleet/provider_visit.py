"""A login at the identity provider with the browser that opens the pages: there, and back with an answer. Blocking.

What has to be known when the browser comes back is sealed, and the browser keeps it: nothing is kept here of logins
that nobody finishes. Few at a time ask the provider, so that one that is slow takes no more threads than these.
"""

import contextlib
import hmac
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire.codec import Record
from seed_server.fleet import sealing
from seed_server.fleet.context import Context
from seed_server.fleet.identity_provider import IdentityProvider, LoginAttempt
from seed_server.fleet.passkeys import coded, decoded
from seed_server.fleet.provider_login import log_in_with_browser, provider_settings
from seed_server.fleet.sealing import NotOpenedError, SealingError
from seed_server.fleet.web_logins import relying_party
from seed_server.fleet.web_sessions import BegunSession, CameFrom

PROVIDER_ANSWER_PATH = "/login/oidc"
VISIT_SECONDS = 600.0  # to find one's password and phone
MAX_VISIT_CHARS = 3_800  # of a cookie, of which browsers keep 4,096 bytes with its name
VISITS_AT_ONCE = 2

_NAME = "login at the identity provider"
_turns = threading.BoundedSemaphore(VISITS_AT_ONCE)


class _Visit(Record, frozen=True):
    """What is sealed."""

    state: str
    nonce: str
    verifier: str
    until: float
    place: str
    """Of these pages, to go on with."""


@dataclass(frozen=True)
class VisitBegun:
    """Where the browser goes, and what it keeps meanwhile."""

    address: str
    sealed: str


def begin_visit(context: Context, place: str, *, again: bool) -> VisitBegun:
    """Return where somebody logs in; ``again``: also who is logged in there is asked who they are.

    Raises `UserError`: NOT_SET_UP, UNREACHABLE, REFUSED, BAD_INPUT, STORAGE, BUSY.
    """
    attempt = LoginAttempt(_redirect_uri(context))
    with _turn():
        provider = IdentityProvider(provider_settings(context), context.home)
        address = provider.login_address(attempt, again=again)
    visit = _Visit(attempt.state, attempt.nonce, attempt.verifier, context.clock.now() + VISIT_SECONDS, place)
    try:
        sealed = coded(sealing.seal(context.home.people_key, _NAME, msgspec.json.encode(visit)))
    except SealingError as error:
        raise UserError(f"The key {context.home.people_key} cannot be used: {error}.", FaultKind.STORAGE) from error
    if len(sealed) > MAX_VISIT_CHARS:
        sealed = coded(
            sealing.seal(context.home.people_key, _NAME, msgspec.json.encode(msgspec.structs.replace(visit, place="/")))
        )
    return VisitBegun(address, sealed)


def end_visit(context: Context, sealed: str, answer: Mapping[str, str], came: CameFrom) -> tuple[BegunSession, str]:
    """Let in who comes back from the provider; return their session, and where they go on.

    Writes the database and the audit log. Raises `UserError` as `log_in_with_browser`, and REFUSED for an answer that
    belongs to no login of this browser.
    """
    visit = _opened(context, sealed)
    if not hmac.compare_digest(answer.get("state", "").encode(), visit.state.encode()):
        raise _of_another()
    attempt = LoginAttempt(_redirect_uri(context), visit.state, visit.nonce, visit.verifier)
    with _turn():
        provider = IdentityProvider(provider_settings(context), context.home)
        identity = provider.identity(attempt, answer, context.clock.now())
    return log_in_with_browser(context, identity, came), visit.place


def _opened(context: Context, sealed: str) -> _Visit:
    try:
        inside = sealing.unsealed(context.home.people_key, _NAME, decoded(sealed[: MAX_VISIT_CHARS + 1]))
        visit = msgspec.json.decode(inside, type=_Visit)
    except (NotOpenedError, ValueError) as error:  # msgspec's errors are ValueErrors
        raise _of_another() from error
    except SealingError as error:
        raise UserError(f"The key {context.home.people_key} cannot be used: {error}.", FaultKind.STORAGE) from error
    if not 0 <= visit.until - context.clock.now() <= VISIT_SECONDS:
        raise _of_another()
    return visit


def _of_another() -> UserError:
    return UserError("This answer is of another login, or came too late. Log in again.", FaultKind.REFUSED)


def _redirect_uri(context: Context) -> str:
    return f"{relying_party(context).origin}{PROVIDER_ANSWER_PATH}"


@contextlib.contextmanager
def _turn() -> Iterator[None]:
    if not _turns.acquire(blocking=False):
        raise UserError("Others log in at the identity provider at this moment. Try again.", FaultKind.BUSY)
    try:
        yield
    finally:
        _turns.release()
