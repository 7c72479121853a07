"""What operators do to enrolled PCs: deny, allow, forget. As `operations`. Blocking."""

from dataclasses import dataclass

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.lazy_log import lazy_log
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.names import named_endpoint
from seed_server.fleet.operation import operation, require
from seed_server.fleet.roles import Area, Reach
from seed_server.store.rows import EndpointRow, TokenRow
from seed_server.store.serve_lock import is_serving

log = lazy_log()


@dataclass(frozen=True)
class Denial:
    """An endpoint that is denied now."""

    endpoint: EndpointRow
    """As it was just before."""
    revoked: tuple[TokenRow, ...]
    """The tokens that it was enrolled with and that still enrolled others, as they were before."""
    open_tokens: tuple[TokenRow, ...]
    """Those that were kept, and so enrol others still; the PC can come back with them under a new key."""
    tokens_known: bool
    """Whether it is known which tokens have enrolled it."""


@operation("deny", reach=None)
def deny(context: Context, actor: Actor, endpoint: str, *, keep_tokens: bool = False) -> Denial:
    """Refuse an endpoint from now on: a running server ends its connections, and does not renew its certificates.

    ``endpoint``: its id, the beginning of it, or its host name, where that names one PC alone (`named_endpoint`).
    A new key costs a PC nothing, so the tokens that it was enrolled with are revoked, unless ``keep_tokens``.
    Writes the database. Raises `UserError`: BAD_INPUT for a name of none or several, NOT_SET_UP, STORAGE, BUSY.
    """
    row = named_endpoint(context, endpoint)
    require(context, actor, "deny", _reach_of(row))
    denied, now = EndpointId(row.endpoint_id), context.clock.now()
    deed = Deed("deny", denied, details={"hostname": row.hostname})
    with context.audited(actor, deed) as database:
        deed.before = database.endpoint(denied)
        tokens = database.tokens_of(denied)
        still_open = tuple(token for token in tokens if token.state(now) == "open")
        database.set_denied(denied, denied=True)
        for token in () if keep_tokens else still_open:
            database.revoke_token(token.token_id, now)
            log.info("token revoked", token=token.token_id)
        deed.after = database.endpoint(denied)
        deed.details["tokens revoked"] = "" if keep_tokens else " ".join(token.token_id for token in still_open)
    log.info("endpoint denied", endpoint=denied)
    revoked, kept = ((), still_open) if keep_tokens else (still_open, ())
    return Denial(row, revoked, kept, tokens_known=bool(tokens))


@operation("endpoints", reach=None)
def allow(context: Context, actor: Actor, endpoint: str) -> EndpointRow:
    """Accept a denied endpoint again, or one that waits to be allowed; return it as it was.

    Writes and raises as `deny`.
    """
    row = named_endpoint(context, endpoint)
    require(context, actor, "endpoints", _reach_of(row))
    allowed = EndpointId(row.endpoint_id)
    deed = Deed("allow", allowed, details={"hostname": row.hostname})
    with context.audited(actor, deed) as database:
        deed.before = database.endpoint(allowed)
        database.set_denied(allowed, denied=False)
        deed.after = database.endpoint(allowed)
    log.info("endpoint allowed", endpoint=allowed)
    return row


@operation("endpoints", reach=None)
def forget_endpoint(context: Context, actor: Actor, endpoint: str) -> EndpointRow:
    """Forget ``endpoint`` (named as for `deny`) and all that it said; return it as it was.

    Writes the database. Raises `UserError`: BAD_INPUT for one that is not known, REFUSED for one that is connected, or
    denied, which is kept so that it stays refused; NOT_SET_UP, STORAGE, BUSY.
    """
    deed = Deed("forget")
    with context.audited(actor, deed) as database:  # so that nothing changes between the look and the deed
        known = named_endpoint(context, endpoint)
        require(context, actor, "endpoints", _reach_of(known))
        deed.subject, deed.before, deed.details = known.endpoint_id, known, {"hostname": known.hostname}
        if known.denied and not known.pending:
            raise UserError(
                f"{known.endpoint_id} is denied, and stays known so that it stays refused.", FaultKind.REFUSED
            )
        if known.connected and is_serving(context.home):
            raise UserError(
                f"{known.endpoint_id} is connected, so it is not gone. Deny it to keep it out, or stop its daemon "
                "first.",
                FaultKind.REFUSED,
            )
        database.forget_endpoint(known.endpoint_id, context.clock.now())
    log.info("endpoint forgotten", endpoint=known.endpoint_id)
    return known


def _reach_of(endpoint: EndpointRow) -> Reach:
    return (Area(endpoint.site, frozenset(endpoint.tags)),)
