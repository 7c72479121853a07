"""What operators do to enrolled PCs: deny, allow, forget. As `operations`. Blocking."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.lazy_log import lazy_log
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.endpoint_pages import EndpointsQuestion, all_endpoints, unseen_since
from seed_server.fleet.names import endpoint_in, named_endpoint
from seed_server.fleet.operation import operation, require
from seed_server.fleet.roles import Area, Reach
from seed_server.signing.offers import checked_reason
from seed_server.store.rows import EndpointRow, TokenRow
from seed_server.store.serve_lock import is_serving

FEW_PCS = 10
GONE_SHARE = 0.25  # of all PCs, that go at once by a rule: more are away because the server or the network is

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
def deny(context: Context, actor: Actor, endpoint: str, *, keep_tokens: bool = False, reason: str = "") -> Denial:
    """Refuse an endpoint from now on: a running server ends its connections, and does not renew its certificates.

    ``endpoint``: its id, the beginning of it, or its host name, where that names one PC alone (`named_endpoint`).
    A new key costs a PC nothing, so the tokens that it was enrolled with are revoked, unless ``keep_tokens``.
    ``reason``: for the audit log alone; may be empty.
    Writes the database. Raises `UserError`: BAD_INPUT for a name of none or several, NOT_SET_UP, STORAGE, BUSY.
    """
    row = named_endpoint(context, endpoint)
    require(context, actor, "deny", _reach_of(row))
    denied, now = EndpointId(row.endpoint_id), context.clock.now()
    deed = Deed("deny", denied, reason=_why(reason), details={"hostname": row.hostname})
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
def allow(context: Context, actor: Actor, endpoint: str, *, reason: str = "") -> EndpointRow:
    """Accept a denied endpoint again, or one that waits to be allowed; return it as it was.

    Writes and raises as `deny`.
    """
    row = named_endpoint(context, endpoint)
    require(context, actor, "endpoints", _reach_of(row))
    allowed = EndpointId(row.endpoint_id)
    deed = Deed("allow", allowed, reason=_why(reason), details={"hostname": row.hostname})
    with context.audited(actor, deed) as database:
        deed.before = database.endpoint(allowed)
        database.set_denied(allowed, denied=False)
        deed.after = database.endpoint(allowed)
    log.info("endpoint allowed", endpoint=allowed)
    return row


@operation("endpoints", reach=None)
def forget_endpoint(context: Context, actor: Actor, endpoint: str, *, reason: str = "") -> EndpointRow:
    """Forget ``endpoint`` (named as for `deny`) and all that it said; return it as it was.

    What it did stays as long as `[retention]` says. It is not refused: it may enrol again, and goes on as who it was.
    Writes the database. Raises `UserError`: BAD_INPUT for one that is not known, REFUSED for one that is connected, or
    denied, which is kept so that it stays refused; NOT_SET_UP, STORAGE, BUSY.
    """
    named = named_endpoint(context, endpoint)
    require(context, actor, "endpoints", _reach_of(named))
    known = _forget(context, actor, named.endpoint_id, reason=_why(reason))
    assert known is not None
    _forget_what_nobody_says(context)
    return known


@operation("endpoints", reach=None)
def forget_unseen(
    context: Context,
    actor: Actor,
    question: EndpointsQuestion,
    *,
    only_show: bool = False,
    even_many: bool = False,
    on_forgotten: Callable[[EndpointRow], None] = lambda _: None,
) -> list[EndpointRow]:
    """Forget all PCs that ``question`` is about, whose ``not_seen_days`` it gives; return them as they were.

    Those that are denied stay: so they stay refused; and who is seen meanwhile stays. ``only_show``: nothing changes.
    Each is forgotten by itself, as by `forget_endpoint`, and ``on_forgotten`` is called: what was cut off goes on with
    the next call. Raises `UserError` before anything changes: REFUSED for PCs that the actor may not touch, and where
    they are many of all that there are, unless ``even_many``; BAD_INPUT, NOT_SET_UP, STORAGE, BUSY.
    """
    context.settings()
    with context.database() as database:
        since = unseen_since(context, database, question.not_seen_days or 0)
        everybody = database.endpoint_counts(None).everyone
    rows = [row for row, *_ in all_endpoints(context, question) if not row.denied or row.pending]
    for row in rows:
        require(context, actor, "endpoints", _reach_of(row))
    if len(rows) > max(FEW_PCS, GONE_SHARE * everybody) and not (even_many or only_show):
        raise UserError(
            f"{len(rows)} of {everybody} PCs were not seen for {question.not_seen_days} days: so many are rarely gone "
            "at once. Look whether they reach this server (seed-server doctor); --dry-run shows them, --even-many "
            "forgets them all.",
            FaultKind.REFUSED,
        )
    found = []
    for row in rows:
        if only_show or _forget(context, actor, row.endpoint_id, unseen_since=since) is not None:
            found.append(row)
            on_forgotten(row)
    if found and not only_show:
        _forget_what_nobody_says(context)
    return found


def _forget(
    context: Context, actor: Actor, endpoint: str, *, unseen_since: float | None = None, reason: str = ""
) -> EndpointRow | None:
    """Forget a PC; return it as it was. None: it was seen since ``unseen_since``, or is gone already, and stays so."""
    deed = Deed("forget", reason=reason)
    try:
        with context.audited(actor, deed) as database:  # so that nothing changes between the look and the deed
            known = endpoint_in(database, endpoint)
            require(context, actor, "endpoints", _reach_of(known))
            deed.subject, deed.before, deed.details = known.endpoint_id, known, {"hostname": known.hostname}
            if unseen_since is not None:
                deed.details["unseen since"] = f"{datetime.fromtimestamp(unseen_since, UTC):%Y-%m-%d}"
                if known.connected or (known.last_seen_at or known.enrolled_at) >= unseen_since:
                    raise _SeenError("It was seen meanwhile.", FaultKind.REFUSED)
            _check_gone(context, known)
            database.forget_endpoint(known.endpoint_id, context.clock.now())
    except UserError as error:
        if unseen_since is not None and (isinstance(error, _SeenError) or error.kind is FaultKind.BAD_INPUT):
            return None
        raise
    log.info("endpoint forgotten", endpoint=known.endpoint_id)
    return known


def _forget_what_nobody_says(context: Context) -> None:
    """Forget the words of those that are gone: once for all of them."""
    with context.database() as database:
        database.forget_what_nobody_says()


class _SeenError(UserError):
    """It is not gone."""


def _check_gone(context: Context, known: EndpointRow) -> None:
    if known.denied and not known.pending:
        raise UserError(f"{known.endpoint_id} is denied, and stays known so that it stays refused.", FaultKind.REFUSED)
    if known.connected and is_serving(context.home):
        raise UserError(
            f"{known.endpoint_id} is connected, so it is not gone. Deny it to keep it out, or stop its daemon first.",
            FaultKind.REFUSED,
        )


def _why(reason: str) -> str:
    return checked_reason(reason) if reason.strip() else ""


def _reach_of(endpoint: EndpointRow) -> Reach:
    return (Area(endpoint.site, frozenset(endpoint.tags)),)
