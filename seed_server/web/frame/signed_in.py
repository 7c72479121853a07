"""Who is signed in: from a session's cookie to the actor for whom a page speaks. Blocking.

The pages ask here alone, so what a session is, and how long it lasts, is decided in one place.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.web_logins import ask_to_confirm, confirm_by_key
from seed_server.fleet.web_sessions import CameFrom, WebSession, confirm_by_code, session_of
from seed_server.ports.address_block import address_block

SESSION_COOKIE = "__Host-session"


@dataclass(frozen=True)
class SignedIn:
    """Somebody who has shown who they are."""

    actor: Actor
    csrf: str
    """What each form of this session carries; made from the session's secret, and no secret of the account."""
    step_up_until: float = 0.0
    """Until when what needs a second factor may be done, seconds since 1970."""
    language: str = ""
    """The code of the language that the person has chosen; empty: none."""
    session: WebSession | None = None


class Recognising(Protocol):
    """Says who has a session cookie."""

    def __call__(self, context: Context, cookie: str, *, used: bool = True) -> SignedIn | None:
        """Return who; None: nobody. ``used``: they do something now. Raises `UserError` where that cannot be seen."""


class StepUp(Protocol):
    """Takes a second factor, shown now."""

    def __call__(self, context: Context, signed: SignedIn, cookie: str, fields: Mapping[str, str]) -> SignedIn:
        """Return the session with its new ``step_up_until``. Raises `UserError` for what is wrong.

        ``fields`` are those of `confirm.html.j2`: ``_code``, or ``_challenge`` and ``_key``.
        """


class ConfirmAsking(Protocol):
    """Says what can be asked for."""

    def __call__(self, context: Context, signed: SignedIn) -> Mapping[str, Any]:
        """Return what `confirm.html.j2` is given besides. Raises `UserError`."""


def actor_of(context: Context, cookie: str, *, used: bool = True) -> SignedIn | None:
    """Return who has this session cookie, as `Recognising` says."""
    session = session_of(context, cookie, used=used)
    return None if session is None else _signed_in(session, cookie)


def step_up(context: Context, signed: SignedIn, cookie: str, fields: Mapping[str, str]) -> SignedIn:
    """Take a second factor, as `StepUp` says."""
    session = signed.session
    if session is None:
        raise UserError("Nobody is signed in.", FaultKind.REFUSED)
    if answer := fields.get("_key", ""):
        return _signed_in(confirm_by_key(context, session, fields.get("_challenge", ""), answer), cookie)
    return _signed_in(confirm_by_code(context, session, fields.get("_code", ""), came_of(context)), cookie)


def asking(context: Context, signed: SignedIn) -> Mapping[str, Any]:
    """Return by what somebody confirms, as `ConfirmAsking` says."""
    session = signed.session
    if session is None:
        return {"code": True, "key": None, "provider": False}
    key = ask_to_confirm(context, session)
    return {"code": bool(session.person.totp), "key": key, "provider": bool(session.person.subject)}


def came_of(context: Context, browser: str = "") -> CameFrom:
    """Return where the request comes from that a context is of."""
    address = context.request.address
    return CameFrom(address_block(address), address, browser)


def _signed_in(session: WebSession, cookie: str) -> SignedIn:
    mark = hmac.digest(cookie.encode(), b"p2pdist form of a session", hashlib.sha256)
    csrf = base64.urlsafe_b64encode(mark).decode().rstrip("=")
    return SignedIn(session.actor, csrf, session.stepped_up_until, session=session)
