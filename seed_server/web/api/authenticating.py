"""Who asks: the API token of a request, and what becomes of one that is none. Blocking.

A token is never logged. Its secret has 256 bits, so guesses are no danger; the work that they cost is, so answers to
them are given in turns, each address one after all others. Nobody is locked out for what others do.
"""

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.accounts import MAX_API_TOKEN_CHARS, actor_of_token
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.permissions import BARRED
from seed_server.web.api.problems import ApiProblemError

REFUSAL_SECONDS = 0.005  # 200 tokens that are none, a second: at a millisecond of work each

_HOW = "Send the header: Authorization: Bearer TOKEN."


def token_in(header: str) -> str:
    """Return the token in the value of an Authorization header. Raises `ApiProblemError`."""
    scheme, _, token = header.strip().partition(" ")
    if not header.strip():
        raise ApiProblemError("no-token", f"The request says not on whose behalf it comes. {_HOW}")
    if scheme.casefold() != "bearer" or not token.strip():
        raise ApiProblemError("no-token", f"The header Authorization has no token of this API. {_HOW}")
    return token.strip()[: MAX_API_TOKEN_CHARS + 1]


def actor_in(context: Context, header: str) -> Actor:
    """Return for whom a request speaks. Raises `ApiProblemError` for nobody, `UserError` where that cannot be seen."""
    try:
        actor = actor_of_token(context, token_in(header))
    except UserError as error:
        if error.kind is FaultKind.REFUSED:
            raise ApiProblemError("token-not-valid", error.message) from error
        raise
    if actor.barred:
        raise ApiProblemError("token-not-valid", BARRED[actor.barred].format(name=actor.name))
    return actor
