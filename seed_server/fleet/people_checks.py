"""Roles, sites and tags as people give them, checked. Pure."""

from collections.abc import Iterable

import msgspec

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import given_name, parse_site_name
from p2pdist.shared.wire.enrolment import Tag
from seed_server.fleet.roles import MAX_SCOPE_NAMES, ROLES, Role


def checked_roles(names: Iterable[str]) -> tuple[Role, ...]:
    """Return roles, in the order of the table. Raises `UserError` (BAD_INPUT) for what is none, and for none at all."""
    given = set(names)
    unknown = sorted(given - set(ROLES))
    if unknown or not given:
        what = f"{unknown[0][:40]!r} is no role" if unknown else "An account has at least one role"
        raise UserError(f"{what}; there are: {', '.join(ROLES)}.", FaultKind.BAD_INPUT)
    return tuple(role for role in ROLES if role in given)


def checked_sites(names: Iterable[str]) -> tuple[str, ...]:
    """Return names of sites, sorted. Raises `UserError` (BAD_INPUT)."""
    return _few({str(given_name(parse_site_name, name)) for name in names})


def checked_tags(names: Iterable[str]) -> tuple[str, ...]:
    """Return tags of PCs, sorted. Raises `UserError` (BAD_INPUT)."""
    try:
        return _few({str(msgspec.convert(name, Tag)) for name in names})
    except msgspec.ValidationError as error:
        raise UserError(f"This is no tag of PCs: {error}.", FaultKind.BAD_INPUT) from error


def _few(names: set[str]) -> tuple[str, ...]:
    if len(names) > MAX_SCOPE_NAMES:
        raise UserError(f"A scope has at most {MAX_SCOPE_NAMES} sites and {MAX_SCOPE_NAMES} tags.", FaultKind.BAD_INPUT)
    return tuple(sorted(names))


def check_scope(roles: Iterable[str], *, limited: bool) -> None:
    """Raise `UserError` (BAD_INPUT) for an administrator of a part of the fleet."""
    if limited and "administrator" in roles:
        raise UserError(
            "An administrator of a part of the fleet could not manage people, keys or the audit log. Give the role "
            "without --site and --tag, or give others.",
            FaultKind.BAD_INPUT,
        )
