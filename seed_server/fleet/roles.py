"""What there is to be allowed: permissions, the roles that have them, and the part of the fleet they hold for. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, Self, TypeAlias, get_args

from p2pdist.shared.manifest.expression import AllOf, AnyOf, Comparison, Constant, Fact, Term

Permission: TypeAlias = Literal[
    "look", "publish", "roll-out", "stop", "withdraw", "approve", "except", "tokens", "deny", "endpoints", "profiles",
    "templates", "people", "keys", "audit", "webhooks",
]  # fmt: skip
Role: TypeAlias = Literal["viewer", "operator", "approver", "network-admin", "auditor", "administrator"]

PERMISSIONS: Mapping[Permission, str] = MappingProxyType(
    {
        "look": "see PCs, patches, rollouts, sites and findings",
        "publish": "publish patches and prepare what is to be signed for them",
        "roll-out": "start and resume rollouts, open rings, offer a withdrawn patch again",
        "stop": "pause, halt and abort rollouts",
        "withdraw": "withdraw patches",
        "approve": "approve what others have asked for",
        "except": "hold patches back from PCs until a day, and end that",
        "tokens": "make and revoke tokens that enrol PCs",
        "deny": "refuse PCs",
        "endpoints": "allow PCs again, forget them, and say what is done about those that lack patches",
        "profiles": "set and clear throttle profiles of sites, and change the site map",
        "templates": "set and remove diagnosis templates",
        "people": "manage accounts, and revoke API tokens of others",
        "keys": "renew offline metadata; change the trusted keys, the list of approvers and the server's settings",
        "audit": "read, verify and export the audit log; search and verify archives, and hold what happened",
        "webhooks": "set up webhooks, which tell other programs what happens here, and see what they were sent",
    }
)
"""Every kind of operation, and what it allows: who has it may …"""

ROLES: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        "viewer": frozenset({"look"}),
        "operator": frozenset(
            {
                "look", "publish", "roll-out", "stop", "withdraw", "except", "tokens", "deny", "endpoints", "templates",
            }
        ),
        "approver": frozenset({"look", "approve", "stop", "withdraw"}),
        "network-admin": frozenset({"look", "profiles", "stop", "withdraw"}),
        "auditor": frozenset({"look", "audit"}),
        "administrator": frozenset(PERMISSIONS),
    }
)  # fmt: skip
"""What each role may. Whoever may change anything of the fleet may also stop what harms it."""

STOPPING_RIGHTS: frozenset[Permission] = frozenset({"stop", "withdraw"})
"""These hold for the whole fleet, whatever the scope: who sees harm stops it, and it can be started again."""
MAX_SCOPE_NAMES = 100  # sites and tags of one scope


@dataclass(frozen=True, slots=True)
class Area:
    """Some PCs of the fleet: those of one site, or that have all of some tags; without either, any PC."""

    site: str = ""
    tags: frozenset[str] = frozenset()


Reach: TypeAlias = tuple[Area, ...]
"""What an operation touches: PCs in at least one of these areas, and no others. Empty: no PC at all."""

NO_PC: Reach = ()
WHOLE_FLEET: Reach = (Area(),)


@dataclass(frozen=True, slots=True)
class PersonScope:
    """What rights hold for: PCs at one of ``sites``, or with one of ``tags``; empty: the whole fleet."""

    sites: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()

    @property
    def limited(self) -> bool:
        """Whether it is less than the whole fleet."""
        return bool(self.sites or self.tags)

    def holds(self, reach: Reach) -> bool:
        """Whether every PC in ``reach`` is within this scope. What cannot be told is not."""
        return not self.limited or all(area.site in self.sites or bool(area.tags & self.tags) for area in reach)

    def within(self, other: Self) -> bool:
        """Whether this scope is no wider than ``other``."""
        return not other.limited or (self.limited and self.sites <= other.sites and self.tags <= other.tags)

    def __str__(self) -> str:
        named = [*(f"site {site}" for site in sorted(self.sites)), *(f"tag {tag}" for tag in sorted(self.tags))]
        return ", ".join(named) or "the whole fleet"


WHOLE_SCOPE = PersonScope()


def reach_of(term: Term | None) -> Reach:
    """Return areas that together have every PC for which an expression holds; None: it holds for every PC."""
    if isinstance(term, AnyOf):
        return tuple(dict.fromkeys(area for part in term.terms for area in reach_of(part)))
    if isinstance(term, AllOf):
        # each part alone bounds the whole; the one that a scope holds decides, so all of one kind are tried together
        parts = [reach_of(part) for part in term.terms]
        bounded = [part for part in parts if Area() not in part]
        return _joined(bounded) if bounded else WHOLE_FLEET
    if isinstance(term, Constant):
        return NO_PC if term.value is False else WHOLE_FLEET
    if isinstance(term, Comparison) and isinstance(term.left, Fact) and isinstance(term.right, Constant):
        value = term.right.value
        if term.left.name == "site" and term.operator == "==":
            return (Area(site=str(value)),)
        if term.left.name == "site" and term.operator == "in" and isinstance(value, tuple):
            return tuple(Area(site=site) for site in value)
        if term.left.name == "tags" and term.operator == "has":
            return (Area(tags=frozenset({str(value)})),)
    return WHOLE_FLEET


MAX_JOINED_AREAS = 256


def _joined(parts: list[Reach]) -> Reach:
    """Return where all of several reaches overlap, or the shortest of them where that would be long."""
    whole = parts[0]
    for part in parts[1:]:
        if len(whole) * len(part) > MAX_JOINED_AREAS:
            return min(parts, key=len)
        whole = tuple(
            dict.fromkeys(
                Area(one.site or other.site, one.tags | other.tags)
                for one in whole
                for other in part
                if not (one.site and other.site and one.site != other.site)
            )
        )
    return whole


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may, and for which part of the fleet."""

    permissions: frozenset[Permission] = frozenset()
    scope: PersonScope = WHOLE_SCOPE
    roles: frozenset[Role] = field(default=frozenset(), compare=False)
    """Of the person who has them; none for who has them without a role."""

    def roles_with(self, permission: Permission) -> tuple[Role, ...]:
        """Return the roles of theirs that give a permission, in the order of the table."""
        return tuple(role for role, gives in ROLES.items() if role in self.roles and permission in gives)

    def both(self, other: Self) -> Self:
        """Return what these and ``other`` rights have in common."""
        common = self.permissions & other.permissions
        return type(self)(common, common_scope(self.scope, other.scope), self.roles | other.roles)


def common_scope(one: PersonScope, other: PersonScope) -> PersonScope:
    """Return a scope within both; where they share no name, one of a site that cannot be: nothing."""
    if not one.limited or not other.limited:
        return other if not one.limited else one
    common = PersonScope(one.sites & other.sites, one.tags & other.tags)
    return common if common.limited else NOWHERE_SCOPE


NOWHERE_SCOPE = PersonScope(sites=frozenset({"(none)"}))
"""No PC is there: no site has such a name."""
NO_RIGHTS = Rights()
ALL_RIGHTS = Rights(frozenset(get_args(Permission)))


def rights_of(roles: frozenset[Role], scope: PersonScope) -> Rights:
    """Return what somebody with these roles may."""
    return Rights(frozenset().union(*(ROLES[role] for role in roles)), scope, roles)
