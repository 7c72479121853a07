"""Who may what: every permission × role × scope × state of account or token, against a table that is written here."""

import itertools
from typing import get_args

import pytest

from seed_server.fleet.actor import Actor, Barred
from seed_server.fleet.permissions import BARRED, effective_rights, may, roles_with
from seed_server.fleet.roles import (
    NO_PC,
    NOWHERE_SCOPE,
    PERMISSIONS,
    ROLES,
    WHOLE_FLEET,
    Area,
    Permission,
    PersonScope,
    Reach,
    Rights,
    Role,
    rights_of,
)

# columns: viewer, operator, approver, network-admin, auditor, administrator
# y: for the PCs of their scope;  Y: for the whole fleet, whatever the scope;  -: never
EXPECTED = """
look       y y y y y y
publish    - y - - - y
roll-out   - y - - - y
stop       - Y Y Y - Y
withdraw   - Y Y Y - Y
approve    - - y - - y
except     - y - - - y
tokens     - y - - - y
deny       - y - - - y
endpoints  - y - - - y
profiles   - - - y - y
templates  - y - - - y
people     - - - - - y
keys       - - - - - y
audit      - - - - y y
webhooks   - - - - - y
"""
TABLE = {line.split()[0]: line.split()[1:] for line in EXPECTED.strip().splitlines()}
ROLE_ORDER: tuple[Role, ...] = ("viewer", "operator", "approver", "network-admin", "auditor", "administrator")

OSLO = PersonScope(sites=frozenset({"oslo"}))
KIOSKS = PersonScope(tags=frozenset({"kiosk"}))
BOTH = PersonScope(sites=frozenset({"oslo"}), tags=frozenset({"kiosk"}))
SCOPES = {"whole": PersonScope(), "oslo": OSLO, "kiosk": KIOSKS, "oslo or kiosk": BOTH, "nowhere": NOWHERE_SCOPE}
REACHES: dict[str, Reach] = {
    "no PC": NO_PC,
    "the whole fleet": WHOLE_FLEET,
    "a PC at oslo": (Area("oslo"),),
    "a PC at bergen": (Area("bergen"),),
    "a kiosk": (Area(tags=frozenset({"kiosk"})),),
    "a kiosk at bergen": (Area("bergen", frozenset({"kiosk", "hall"})),),
    "oslo and bergen": (Area("oslo"), Area("bergen")),
    "oslo and the kiosks": (Area("oslo"), Area(tags=frozenset({"kiosk"}))),
}
# scope: the reaches that lie within it
WITHIN = {
    "whole": set(REACHES),
    "oslo": {"no PC", "a PC at oslo"},
    "kiosk": {"no PC", "a kiosk", "a kiosk at bergen"},
    "oslo or kiosk": {"no PC", "a PC at oslo", "a kiosk", "a kiosk at bergen", "oslo and the kiosks"},
    "nowhere": {"no PC"},
}
STATES: tuple[Barred, ...] = ("", "disabled", "expired", "revoked", "owner disabled", "foreign", "login over")


def test_the_table_here_is_of_every_permission_and_role() -> None:
    assert set(TABLE) == set(PERMISSIONS) == set(get_args(Permission))
    assert set(ROLE_ORDER) == set(ROLES) == set(get_args(Role))
    assert set(STATES) == set(get_args(Barred)) == {"", *BARRED}
    assert all(len(row) == len(ROLE_ORDER) for row in TABLE.values())


@pytest.mark.parametrize("permission", PERMISSIONS)
def test_the_matrix_has_no_surprise(permission: Permission) -> None:
    surprises = []
    cases = itertools.product(enumerate(ROLE_ORDER), SCOPES, REACHES, STATES)
    for (column, role), scope, reach, barred in cases:
        cell = TABLE[permission][column]
        expected = not barred and (cell == "Y" or (cell == "y" and reach in WITHIN[scope]))
        actor = Actor("ada", "password", rights_of(frozenset({role}), SCOPES[scope]), barred=barred)
        if (may(actor, permission, REACHES[reach]) is None) is not expected:
            surprises.append((permission, role, scope, reach, barred))
    assert surprises == []


def test_several_roles_add_up() -> None:
    actor = Actor("ada", "password", rights_of(frozenset({"operator", "auditor"}), PersonScope()))
    assert may(actor, "audit") is None
    assert may(actor, "publish", WHOLE_FLEET) is None
    assert may(actor, "people") is not None


def test_who_has_no_role_may_nothing() -> None:
    actor = Actor("ada", "password", rights_of(frozenset(), PersonScope()))
    assert all(may(actor, permission) for permission in PERMISSIONS)


def test_the_machines_administrator_and_the_engine_may_all() -> None:
    for actor in (Actor.local_user("root"), Actor.engine()):
        assert [permission for permission in PERMISSIONS if may(actor, permission, WHOLE_FLEET)] == []


def test_a_token_may_what_both_it_and_its_owner_may_now() -> None:
    owner, given = rights_of(frozenset({"operator"}), OSLO), Rights(frozenset({"deny", "people"}), BOTH)
    token = Actor("ada", "token", owner.both(given), token_id="5f0c")
    assert may(token, "deny", REACHES["a PC at oslo"]) is None
    assert may(token, "deny", REACHES["a kiosk"]) is not None  # its owner may not
    assert may(token, "publish") is not None  # it was not given that
    assert may(token, "people") is not None  # its owner has not that
    assert Rights(owner.permissions, OSLO).both(Rights(owner.permissions, KIOSKS)).scope == NOWHERE_SCOPE


def test_a_refusal_says_what_is_missing_who_has_it_and_what_to_do() -> None:
    viewer = Actor("vera", "password", rights_of(frozenset({"viewer"}), PersonScope()))
    words = may(viewer, "profiles", holders=["nora"])
    assert words == (
        "vera may not set and clear throttle profiles of sites, and change the site map: the right 'profiles' is "
        "missing. Who has it: nora "
        "(network-admin, administrator). An administrator gives it with 'seed-server people role'."
    )
    local = Actor("ola", "token", rights_of(frozenset({"operator"}), OSLO), token_id="5f0c")
    words = may(local, "deny", REACHES["a PC at bergen"])
    assert words is not None
    assert words.startswith("ola/5f0c may refuse PCs for site oslo alone, and this reaches further.")
    assert roles_with("stop") == ("operator", "approver", "network-admin", "administrator")


def test_effective_rights_are_what_may_says() -> None:
    cases: tuple[set[Role], ...] = ({"viewer"}, {"operator", "auditor"}, {"administrator"}, set())
    states: tuple[Barred, ...] = ("", "disabled")
    for roles in cases:
        for scope in (PersonScope(), OSLO):
            for barred in states:
                rights = rights_of(frozenset(roles), scope)
                rows = effective_rights(frozenset(roles), rights, barred)
                assert [row.permission for row in rows] == list(PERMISSIONS)
                for row in rows:
                    actor = Actor("ada", "password", rights, barred=barred)
                    assert (row.scope is not None) == (may(actor, row.permission) is None)
                    whole = row.scope is not None and not row.scope.limited
                    assert whole == (may(actor, row.permission, WHOLE_FLEET) is None)
                    assert all(row.permission in ROLES[role] and role in roles for role in row.roles)
