"""The pages *people*, *person* and *roles*: who may what here, why, and what they did lately."""

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from p2pdist.shared.language import tr
from seed_server.answers.people import ApiTokenDocument, PersonDocument
from seed_server.answers.people_documents import api_token_document, person_document
from seed_server.answers.sessions import key_document, session_document
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_search import AuditQuestion, search_log
from seed_server.fleet.context import Context
from seed_server.fleet.passkey_operations import read_passkeys
from seed_server.fleet.people_operations import administers
from seed_server.fleet.people_queries import open_api_tokens, passkey_counts, read_people, read_person
from seed_server.fleet.permissions import may, roles_with
from seed_server.fleet.roles import NO_PC, PERMISSIONS, ROLES, STOPPING_RIGHTS, WHOLE_FLEET, Permission, Role
from seed_server.fleet.web_sessions import read_sessions
from seed_server.store.people_rows import PersonRow
from seed_server.web.api.given import MaybeName, Named
from seed_server.web.api.paging import Limit, Paged, page_of
from seed_server.web.api.route import Nothing
from seed_server.web.frame.page import LIST_ROWS, Asked, Page, Shown
from seed_server.web.pages.audit_links import ListedEntry, listed
from seed_server.web.pages.forms_people import PEOPLE_FORMS

__all__ = ["PEOPLE_FORMS", "PEOPLE_PAGES"]

DEEDS_OF_PERSON = 15  # what somebody did lately, beside their rights; the audit log has the rest

AccountState = Literal["", "active", "disabled"]
AccountFactor = Literal["", "yes", "no"]
AccountWay = Literal["", "password", "provider", "program"]


class OfPeople(Paged, frozen=True):
    """Which accounts."""

    limit: Limit = LIST_ROWS
    text: Annotated[MaybeName, Meta(description="Whose name has this in it.")] = ""
    role: Literal["", Role] = ""
    state: AccountState = ""
    factor: AccountFactor = ""
    way: AccountWay = ""


WITHOUT_FACTOR = OfPeople(state="active", factor="no", way="password")
"""Those whose password alone opens their account."""


@dataclass(frozen=True)
class ListedPerson:
    """A row of the list."""

    account: PersonDocument
    tokens: int
    """Open API tokens that speak for it."""
    keys: int
    """Keys (WebAuthn) that open it."""

    @property
    def has_factor(self) -> bool:
        """Whether a code or a key is asked for after its password."""
        return self.account.second_factor or self.keys > 0


def way_of(person: PersonDocument) -> AccountWay:
    """Return how somebody comes in: with a password, by the identity provider, or with API tokens alone."""
    return "provider" if person.subject else "password" if person.password else "program"


def wanted_people(people: list[ListedPerson], given: OfPeople) -> list[ListedPerson]:
    """Return the accounts that are asked for."""
    return [
        one
        for one in people
        if given.text.casefold() in one.account.name
        and given.role in {"", *one.account.roles}
        and given.state in {"", "disabled" if one.account.disabled else "active"}
        and given.factor in {"", "yes" if one.has_factor else "no"}
        and given.way in {"", way_of(one.account)}
    ]


def _people(asked: Asked[OfPeople]) -> Shown:
    rows, tokens, keys = read_people(asked.context), open_api_tokens(asked.context), passkey_counts(asked.context)
    everybody = [ListedPerson(person_document(one), tokens.get(one.name, 0), keys.get(one.name, 0)) for one in rows]
    wanted = wanted_people(everybody, asked.given)
    page = page_of(wanted, asked.given, lambda one: one.account.name, lambda one: one)
    values = {
        "people": page.rows,
        "next": page.next,
        "given": asked.given,
        "found": len(wanted),
        "total": len(everybody),
        "without_factor": len(wanted_people(everybody, WITHOUT_FACTOR)),
        "administrators": sum(map(administers, rows)),
        "roles": tuple(ROLES),
        "way_of": way_of,
    }
    return Shown(tr("People"), values)


@dataclass(frozen=True)
class ShownRight:
    """A right of somebody, and where it comes from."""

    permission: Permission
    allows: str
    roles: tuple[Role, ...]
    """Which give it; empty: they have it not."""
    given_by: tuple[Role, ...]
    """Every role that would."""
    whole_fleet: bool


def _person(asked: Asked[Named]) -> Shown:
    view = read_person(asked.context, asked.given.name)
    account = person_document(view.person)
    rights = [
        ShownRight(
            row.permission,
            row.allows,
            row.roles,
            roles_with(row.permission),
            row.scope is not None and not row.scope.limited,
        )
        for row in view.rights
    ]
    tokens: list[ApiTokenDocument] = [api_token_document(one, asked.now) for one in view.tokens]
    own = asked.actor.name == account.name and asked.actor.known_by != "local user"
    manages = may(asked.actor, "people", WHOLE_FLEET) is None
    keys = read_passkeys(asked.context, account.name)
    values = {
        "account": account,
        "way": way_of(account),
        "rights": rights,
        "tokens": tokens,
        "deeds": deeds_of(asked.context, asked.actor, account.name),
        "roles": tuple(ROLES),
        "own": own,
        "manages": manages,
        "keys": [key_document(one) for one in keys],
        "sessions": [session_document(one) for one in read_sessions(asked.context, account.name)] if manages else [],
        "last_administrator": _is_last_administrator(asked.context, view.person),
    }
    return Shown(account.name, values)


def deeds_of(context: Context, actor: Actor, name: str) -> list[ListedEntry] | None:
    """Return what somebody did lately, the newest first; None: whoever asks may not read the audit log."""
    if may(actor, "audit", WHOLE_FLEET) is not None:
        return None
    return listed(search_log(context, AuditQuestion(who=name), DEEDS_OF_PERSON).entries)


def _is_last_administrator(context: Context, person: PersonRow) -> bool:
    return administers(person) and sum(map(administers, read_people(context))) == 1


def _roles(asked: Asked[Nothing]) -> Shown:
    rows = [(permission, allows, roles_with(permission)) for permission, allows in PERMISSIONS.items()]
    people = [one for one in read_people(asked.context) if not one.disabled]
    holders = {role: [one.name for one in people if role in one.roles] for role in ROLES}
    values = {"rows": rows, "roles": tuple(ROLES), "holders": holders, "stopping": STOPPING_RIGHTS}
    return Shown(tr("Roles"), values)


PEOPLE_PAGES = (
    Page("/people", "people", _people, OfPeople),
    Page("/people/{name}", "person", _person, Named),
    Page("/roles", "roles", _roles, Nothing, right=("look", NO_PC)),
)
