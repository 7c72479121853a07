"""What is done to API tokens: each has some rights of one account, for a time. Blocking."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from seed_server.fleet.accounts import TOKEN_SECRET_BYTES, new_token_text, person_rights
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation as _operation
from seed_server.fleet.people_checks import checked_sites, checked_tags
from seed_server.fleet.people_operations import (
    check_within,
    known_person,
    require_own,
)
from seed_server.fleet.roles import NO_PC, PERMISSIONS, Permission, PersonScope, Rights, common_scope
from seed_server.store.people_rows import ApiTokenRow
from seed_server.store.token_names import token_id_of

MAX_API_TOKENS = 100  # of one account, that are open
MAX_API_TOKEN_DAYS = 365
MAX_TOKEN_LABEL_CHARS = 80

log = lazy_log()


@dataclass(frozen=True)
class ApiTokenMade:
    """A new API token; its secret is kept nowhere else."""

    text: str
    row: ApiTokenRow


@_operation("look", reach=NO_PC)
def make_api_token(
    context: Context,
    actor: Actor,
    *,
    label: str,
    seconds: int,
    permissions: Iterable[str],
    owner: str = "",
    sites: Iterable[str] = (),
    tags: Iterable[str] = (),
) -> ApiTokenMade:
    """Make an API token that speaks for ``owner`` (empty: the actor) within ``seconds`` from now.

    Its rights are of its owner's and of the actor's, and at each use of what the owner still has; for another account
    the right to manage people is needed. No token makes a token: it would outlive itself. Writes the database, which
    stores only the secret's hash. Raises as `add_person`.
    """
    if actor.known_by in ("token", "oidc"):
        raise UserError(
            "An API token makes no API tokens, nor does who came by the identity provider: their rights end with the "
            "login. Log in with --as NAME, as an account with a password.",
            FaultKind.REFUSED,
        )
    if actor.known_by == "local user" and not owner:
        raise UserError("Whom shall the token speak for? Name an account with --for NAME.", FaultKind.BAD_INPUT)
    require_own(actor, context, owner or actor.name)
    asked = _checked_rights(permissions, sites, tags)
    if not 1 <= len(label.strip()) <= MAX_TOKEN_LABEL_CHARS or not label.isprintable():
        raise UserError(f"Say what the token is for, in 1 to {MAX_TOKEN_LABEL_CHARS} characters.", FaultKind.BAD_INPUT)
    if not 1 <= seconds <= MAX_API_TOKEN_DAYS * DAY_SECONDS:
        raise UserError(
            f"An API token is valid from 1 s to {MAX_API_TOKEN_DAYS} days, not {seconds} s.", FaultKind.BAD_INPUT
        )
    secret, now = secrets.token_bytes(TOKEN_SECRET_BYTES), context.clock.now()
    text = new_token_text(context, secret)
    deed = Deed("make API token", token_id_of(secret), details={"label": label.strip()})
    with context.audited(actor, deed) as database, database.people_change():
        person = known_person(database, owner or actor.name)
        if person.subject:
            raise UserError(
                f"What {person.name} may ends with each login by the identity provider, so no API token speaks for "
                "them. Make an account for the program: seed-server people add NAME --no-password",
                FaultKind.REFUSED,
            )
        if not asked.scope.limited:  # as far as both reach
            asked = replace(asked, scope=common_scope(person_rights(person).scope, actor.rights.scope))
        for whose, rights in ((person.name, person_rights(person)), (actor.who, actor.rights)):
            check_within(asked, whose, rights)
        if sum(one.state(now) == "open" for one in database.api_tokens(person.name)) >= MAX_API_TOKENS:
            raise UserError(
                f"{person.name} has {MAX_API_TOKENS} open API tokens. Revoke one first: seed-server api-token list",
                FaultKind.REFUSED,
            )
        row = ApiTokenRow(
            token_id=token_id_of(secret),
            owner=person.name,
            label=label.strip(),
            permissions=tuple(one for one in PERMISSIONS if one in asked.permissions),
            sites=tuple(sorted(asked.scope.sites)),
            tags=tuple(sorted(asked.scope.tags)),
            created_at=now,
            made_by=actor.who,
            expires_at=now + seconds,
        )
        database.add_api_token(secret, row)
        deed.after = row
        deed.details |= {"owner": row.owner, "rights": " ".join(row.permissions)}
    log.info("API token made", token=row.token_id, owner=row.owner, permissions=row.permissions)
    return ApiTokenMade(text, row)


@_operation("look", reach=NO_PC)
def revoke_api_token(context: Context, actor: Actor, token_id: str) -> ApiTokenRow:
    """Let an API token speak for nobody: one's own, or with the right to manage people.

    Writes and raises as `add_person`.
    """
    deed = Deed("revoke API token", token_id[:40])
    with context.audited(actor, deed) as database, database.people_change():
        found = [token for token in database.api_tokens() if token.token_id == token_id]
        if not found:
            raise UserError(
                f"There is no API token {token_id[:40]!r}. 'seed-server api-token list' lists them.",
                FaultKind.BAD_INPUT,
            )
        require_own(actor, context, found[0].owner)
        deed.before, deed.details = found[0], {"owner": found[0].owner}
        database.revoke_api_token(token_id, context.clock.now())
        (revoked,) = [token for token in database.api_tokens() if token.token_id == token_id]
        deed.after = revoked
    log.info("API token revoked", token=token_id)
    return revoked


def _checked_rights(permissions: Iterable[str], sites: Iterable[str], tags: Iterable[str]) -> Rights:
    given = set(permissions)
    unknown = sorted(given - set(PERMISSIONS))
    if unknown or not given:
        what = f"{unknown[0][:40]!r} is no right" if unknown else "A token has at least one right"
        raise UserError(f"{what}; there are: {', '.join(PERMISSIONS)}.", FaultKind.BAD_INPUT)
    held: frozenset[Permission] = frozenset(one for one in PERMISSIONS if one in given)
    return Rights(held, PersonScope(frozenset(checked_sites(sites)), frozenset(checked_tags(tags))))
