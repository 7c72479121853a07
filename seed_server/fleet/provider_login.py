"""Login by an identity provider: it says who somebody is, ``server.toml`` what their groups may here. Blocking.

What they may is what their groups say at the login, and ends with it: a login is an API token of a few hours. An
account of this server alone is never theirs, whatever name the provider gives.
"""

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from seed_server.fleet.accounts import (
    TOKEN_SECRET_BYTES,
    checked_account_name,
    new_token_text,
    parsed_token,
    person_rights,
)
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.identity_provider import ProvenIdentity
from seed_server.fleet.oidc_groups import GroupRights, checked_groups, rights_of_groups
from seed_server.fleet.passkeys import coded
from seed_server.fleet.people_operations import MAX_PEOPLE
from seed_server.fleet.permissions import BARRED
from seed_server.fleet.roles import PERMISSIONS
from seed_server.fleet.web_sessions import BegunSession, CameFrom, new_session
from seed_server.settings.sections import OidcSettings
from seed_server.store.people_rows import ApiTokenRow, PersonRow
from seed_server.store.token_names import token_id_of

if TYPE_CHECKING:
    from seed_server.store.database import Database

LOGIN_LABEL = "login"
HOUR_SECONDS = 3_600.0

log = lazy_log()


@dataclass(frozen=True)
class ProviderLogin:
    """A login; the text of its token is kept nowhere else."""

    person: PersonRow
    token: str
    ends_at: float


def provider_settings(context: Context) -> OidcSettings:
    """Return ``[oidc]``, with groups that can be used. Raises `UserError`: BAD_INPUT, NOT_SET_UP, STORAGE, REFUSED."""
    settings = context.settings().oidc
    if settings is None:
        raise UserError(
            "No identity provider is set up here. Name one in [oidc] of server.toml (docs/people.md), or use an "
            "account with a password: seed-server --as NAME",
            FaultKind.NOT_SET_UP,
        )
    checked_groups(settings.groups)
    return settings


def log_in(context: Context, identity: ProvenIdentity) -> ProviderLogin:
    """Let in whom the identity provider knows, with what their groups may; their account is made at the first login.

    Writes the database and the audit log. Raises `UserError`: REFUSED for a disabled person, for one without a mapped
    group, whose earlier logins then end, and for a name that is somebody else's; BAD_INPUT, NOT_SET_UP, STORAGE, BUSY.
    """
    settings = provider_settings(context)
    name, granted = _admitted(context, settings, identity)
    secret = secrets.token_bytes(TOKEN_SECRET_BYTES)
    text = new_token_text(context, secret)
    actor, now = Actor(name, "oidc"), context.clock.now()
    deed = Deed("log in", name, details={"login": token_id_of(secret), "roles": " ".join(granted.roles)})
    with context.audited(actor, deed) as database, database.people_change():
        deed.before = database.person_of_subject(identity.subject)
        person = deed.after = _kept_person(database, identity, name, granted, now)
        token = _login_row(person, secret, now, settings.login_hours * HOUR_SECONDS)
        database.add_api_token(secret, token)
    log.info("logged in", person=name, roles=granted.roles, login=token.token_id)
    return ProviderLogin(person, text, token.expires_at)


def log_in_with_browser(context: Context, identity: ProvenIdentity, came: CameFrom) -> BegunSession:
    """Let them in with a browser: as `log_in`, with a session in the place of a token. Writes and raises as that.

    When a second factor was shown is when the provider says that they showed it who they are; where it does not, never.
    """
    settings = provider_settings(context)
    name, granted = _admitted(context, settings, identity)
    secret, row = new_session(context, name, "provider", came, most_hours=settings.login_hours)
    row = msgspec.structs.replace(row, factor_at=identity.authenticated_at)
    deed = Deed("log in", name, details={"session": row.session_id, "roles": " ".join(granted.roles)})
    with context.audited(Actor(name, "oidc"), deed) as database, database.people_change():
        deed.before = database.person_of_subject(identity.subject)
        deed.after = _kept_person(database, identity, name, granted, row.created_at)
        database.add_web_session(secret, row)
    log.info("logged in", person=name, roles=granted.roles, session=row.session_id)
    return BegunSession(coded(secret), row)


def _admitted(context: Context, settings: OidcSettings, identity: ProvenIdentity) -> tuple[str, GroupRights]:
    """Return the account of somebody, and what their groups give them. Raises `UserError` as `log_in`."""
    granted = rights_of_groups(checked_groups(settings.groups), identity.groups)
    with context.database() as database:
        known = database.person_of_subject(identity.subject)
    name = _account_name(identity.name) if known is None else known.name
    if known is not None and known.disabled:
        raise UserError(BARRED["disabled"].format(name=name), FaultKind.REFUSED)
    if granted is None:
        if known is not None:
            _end_rights(context, known)
        raise UserError(
            f"The identity provider knows {name}, but none of their groups may anything here. Its administrator adds "
            "them to one of the groups in [oidc] of server.toml, or a group is added there.",
            FaultKind.REFUSED,
        )
    return name, granted


def log_out(context: Context, text: str) -> str:
    """End the login of a token, and return whose it was; empty: it is known no more.

    Writes the database and the audit log. Raises `UserError`: REFUSED for what is no login, NOT_SET_UP, STORAGE, BUSY.
    """
    _pin, secret = parsed_token(text)
    with context.database() as database:
        token = database.api_token(secret)
        owner = None if token is None else database.person(token.owner)
    if token is None or owner is None:
        return ""
    if not owner.subject:
        raise UserError(
            "This is an API token and no login. End it with: seed-server api-token revoke", FaultKind.REFUSED
        )
    if token.state(context.clock.now()) != "open":
        return owner.name
    deed = Deed("log out", owner.name, before=token, details={"login": token.token_id})
    with context.audited(Actor(owner.name, "oidc"), deed) as database, database.people_change():
        database.revoke_api_token(token.token_id, context.clock.now())
        deed.after = database.api_token(secret)
    log.info("logged out", person=owner.name, login=token.token_id)
    return owner.name


def _account_name(name: str) -> str:
    """Return the name of the account for a name at the provider, of which many are addresses of mail."""
    try:
        return checked_account_name(name.partition("@")[0])
    except UserError as error:
        raise UserError(
            f"The identity provider's name for this person cannot be one here. {error.message} Choose another "
            "claim with 'name_claim' in [oidc] of server.toml.",
            FaultKind.BAD_INPUT,
        ) from error


def _kept_person(
    database: "Database", identity: ProvenIdentity, name: str, granted: GroupRights, now: float
) -> PersonRow:
    """Make or change the account within a `people_change`; what it was a moment ago is looked at anew."""
    known, namesake = database.person_of_subject(identity.subject), database.person(name)
    if known is None and namesake is not None:
        raise UserError(
            f"There is an account {name} already, which is not this person's at the identity provider, so nobody was "
            f"let in. An administrator looks who it is (seed-server people show {name}), and removes it, or has the "
            "provider give another name.",
            FaultKind.REFUSED,
        )
    if known is not None and known.disabled:
        raise UserError(BARRED["disabled"].format(name=name), FaultKind.REFUSED)
    if known is not None:
        person = msgspec.structs.replace(
            known, roles=granted.roles, sites=granted.sites, tags=granted.tags, logged_in_at=now
        )
        database.change_person(person)
        if (known.roles, known.sites, known.tags) != (person.roles, person.sites, person.tags):
            database.end_web_sessions(person.name)
        return person
    if len(database.people()) >= MAX_PEOPLE:
        raise UserError(f"There are {MAX_PEOPLE} accounts already. Remove one first.", FaultKind.REFUSED)
    person = PersonRow(
        name=name,
        roles=granted.roles,
        sites=granted.sites,
        tags=granted.tags,
        created_at=now,
        created_by=name,
        logged_in_at=now,
        subject=identity.subject,
    )
    database.add_person(person)
    return person


def _login_row(person: PersonRow, secret: bytes, now: float, seconds: float) -> ApiTokenRow:
    rights = person_rights(person)
    return ApiTokenRow(
        token_id=token_id_of(secret),
        owner=person.name,
        label=LOGIN_LABEL,
        permissions=tuple(one for one in PERMISSIONS if one in rights.permissions),
        sites=person.sites,
        tags=person.tags,
        created_at=now,
        made_by=person.name,
        expires_at=now + seconds,
    )


def _end_rights(context: Context, known: PersonRow) -> None:
    """Take from somebody who is in no group any more what an earlier login gave."""
    deed = Deed("end rights", known.name, reason="in no group that may anything")
    with context.audited(Actor(known.name, "oidc"), deed) as database, database.people_change():
        person = database.person(known.name)
        if person is None or person.subject != known.subject:
            return
        deed.before, deed.after = person, msgspec.structs.replace(person, roles=(), sites=(), tags=())
        database.change_person(deed.after)
        for token in database.api_tokens(person.name):
            database.revoke_api_token(token.token_id, context.clock.now())
        database.end_web_sessions(person.name)
    log.info("rights ended", person=known.name)
