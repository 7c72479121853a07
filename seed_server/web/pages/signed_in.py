"""Who is signed in: from a session's cookie to the actor for whom a page speaks. Blocking.

The pages ask here alone, so what a session is, and how long it lasts, is decided in one place.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context

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


Recognising: TypeAlias = Callable[[Context, str], SignedIn | None]
"""Returns who has this session cookie; None: nobody. Raises `UserError` where that cannot be seen."""
StepUp: TypeAlias = Callable[[Context, SignedIn, str, Mapping[str, str]], SignedIn]
"""Takes the session cookie and the fields of `confirm.html.j2` (``_code``, ``_key``) as a second factor, shown now.

Returns the session with its new ``step_up_until``. Raises `UserError` for what is wrong.
"""


def actor_of(context: Context, cookie: str) -> SignedIn | None:
    """Return who has this session cookie, as `Recognising` says: there are no sessions yet, so nobody."""
    del context, cookie
    return None


def step_up(context: Context, signed: SignedIn, cookie: str, fields: Mapping[str, str]) -> SignedIn:
    """Take a second factor, as `StepUp` says: there are no sessions yet, so it is refused."""
    del context, signed, cookie, fields
    raise UserError("Nobody is signed in.", FaultKind.REFUSED)
