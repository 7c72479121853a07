"""What somebody may here by their groups at the identity provider. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.people_checks import check_scope, checked_roles, checked_sites, checked_tags
from seed_server.fleet.roles import ROLES, Role
from seed_server.settings.sections import OidcGroup


@dataclass(frozen=True)
class GroupRights:
    """Roles, and the scope that they hold for."""

    roles: tuple[Role, ...]
    sites: tuple[str, ...]
    tags: tuple[str, ...]


def checked_groups(groups: Iterable[OidcGroup]) -> list[tuple[str, GroupRights]]:
    """Return what each group may, in the order of ``server.toml``. Raises `UserError` (BAD_INPUT), naming the group."""
    return [(one.group, _checked(one)) for one in groups]


def _checked(one: OidcGroup) -> GroupRights:
    try:
        checked = GroupRights(checked_roles(one.roles), checked_sites(one.sites), checked_tags(one.tags))
        check_scope(checked.roles, limited=bool(checked.sites or checked.tags))
    except UserError as error:
        raise UserError(
            f"server.toml, [[oidc.groups]], group {one.group[:80]!r}: {error.message}", FaultKind.BAD_INPUT
        ) from error
    return checked


def rights_of_groups(mapped: Iterable[tuple[str, GroupRights]], groups: Collection[str]) -> GroupRights | None:
    """Return what somebody in ``groups`` may; None: none of these is mapped.

    The first that fits says for which scope; those after it add their roles where they are for the same one. So nobody
    has more than the groups say: an account has one scope for all of its roles.
    """
    fitting = [rights for group, rights in mapped if group in groups]
    if not fitting:
        return None
    first = fitting[0]
    same = [one for one in fitting if (one.sites, one.tags) == (first.sites, first.tags)]
    held = {role for one in same for role in one.roles}
    return GroupRights(tuple(role for role in ROLES if role in held), first.sites, first.tags)
