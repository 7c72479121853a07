"""May somebody do something? One answer for the command line, API tokens and pages, and the words of a refusal. Pure.

Nobody may what no role of theirs allows: what is not in the tables of `roles` is refused.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.actor import Actor, Barred
from seed_server.fleet.roles import (
    NO_PC,
    PERMISSIONS,
    ROLES,
    STOPPING_RIGHTS,
    Permission,
    PersonScope,
    Reach,
    Rights,
    Role,
)

BARRED: Mapping[Barred, str] = MappingProxyType(
    {
        "disabled": "The account {name} is disabled. An administrator can enable it: seed-server people enable {name}",
        "expired": "This API token has expired. Make a new one: seed-server api-token make",
        "revoked": "This API token is revoked. Make a new one: seed-server api-token make",
        "owner disabled": (
            "The account {name}, whose API token this is, is disabled. An administrator can enable it: "
            "seed-server people enable {name}"
        ),
        "login over": "The login of {name} has ended. Log in again: seed-server login",
        "foreign": "This API token is of another seed server. Give one that was made here.",
    }
)
"""Why somebody may nothing at all, and what to do."""


class RightMissingError(UserError):
    """Somebody may not do what they ask for; the text says who has the right."""

    def __init__(self, message: str) -> None:
        super().__init__(message, FaultKind.REFUSED)


def may(actor: Actor, permission: Permission, reach: Reach = NO_PC, *, holders: Iterable[str] = ()) -> str | None:
    """Return None where ``actor`` may do what needs ``permission`` to the PCs in ``reach``; else why not, in words.

    ``holders``: names of who has the permission here, for the words alone.
    """
    if actor.barred:
        return BARRED[actor.barred].format(name=actor.name)
    allows, who_has_it = PERMISSIONS[permission], _holders(permission, holders)
    if permission not in actor.rights.permissions:
        return (
            f"{actor.who} may not {allows}: the right '{permission}' is missing. Who has it: {who_has_it}. "
            "An administrator gives it with 'seed-server people role'."
        )
    if permission not in STOPPING_RIGHTS and not actor.rights.scope.holds(reach):
        return (
            f"{actor.who} may {allows} for {actor.rights.scope} alone, and this reaches further. Ask somebody whose "
            f"right '{permission}' reaches as far: {who_has_it}. An administrator widens it with 'seed-server people "
            "scope'."
        )
    return None


def roles_with(permission: Permission) -> tuple[Role, ...]:
    """Return the roles that have a permission."""
    return tuple(role for role, held in ROLES.items() if permission in held)


def _holders(permission: Permission, holders: Iterable[str]) -> str:
    roles, named = ", ".join(roles_with(permission)), ", ".join(holders)
    return f"{named} ({roles})" if named else roles


@dataclass(frozen=True, slots=True)
class EffectiveRight:
    """One permission, and what it comes to for somebody."""

    permission: Permission
    allows: str
    """What whoever has it may do."""
    roles: tuple[Role, ...]
    """Their roles that give it; empty: they do not have it."""
    scope: PersonScope | None
    """What it holds for; None: they do not have it."""


def effective_rights(roles: frozenset[Role], rights: Rights, barred: Barred = "") -> tuple[EffectiveRight, ...]:
    """Return what somebody with ``roles`` really may, one row for each permission; ``rights``: what is left of them."""
    rows = []
    for permission, allows in PERMISSIONS.items():
        has = permission in rights.permissions and not barred
        giving = tuple(role for role in ROLES if role in roles and permission in ROLES[role]) if has else ()
        scope = None if not has else PersonScope() if permission in STOPPING_RIGHTS else rights.scope
        rows.append(EffectiveRight(permission, allows, giving, scope))
    return tuple(rows)
