"""What somebody may by their groups."""

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.oidc_groups import GroupRights, checked_groups, rights_of_groups
from seed_server.settings.sections import OidcGroup

MAPPED = checked_groups(
    [
        OidcGroup("net", ("network-admin",), sites=("oslo", "bergen")),
        OidcGroup("ops", ("operator",)),
        OidcGroup("check", ("auditor", "viewer")),
        OidcGroup("net-too", ("approver",), sites=("bergen", "oslo")),
    ]
)


@pytest.mark.parametrize(
    ("groups", "rights"),
    [
        (set(), None),
        ({"others", "OPS"}, None),
        ({"ops"}, GroupRights(("operator",), (), ())),
        ({"check", "ops"}, GroupRights(("viewer", "operator", "auditor"), (), ())),
        ({"net", "ops"}, GroupRights(("network-admin",), ("bergen", "oslo"), ())),  # never an operator at Oslo's cost
        ({"net", "net-too"}, GroupRights(("approver", "network-admin"), ("bergen", "oslo"), ())),
    ],
)
def test_the_first_group_says_the_scope_and_others_of_the_same_add_roles(
    groups: set[str], rights: GroupRights | None
) -> None:
    assert rights_of_groups(MAPPED, groups) == rights


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (OidcGroup("x", ("king",)), "group 'x': 'king' is no role"),
        (OidcGroup("x", ("viewer",), sites=("a b",)), "server.toml, [[oidc.groups]], group 'x'"),
        (OidcGroup("x", ("administrator",), tags=("kiosk",)), "An administrator of a part of the fleet"),
    ],
)
def test_a_wrong_group_is_named(group: OidcGroup, words: str) -> None:
    with pytest.raises(UserError) as caught:
        checked_groups([group])
    assert caught.value.kind is FaultKind.BAD_INPUT
    assert words in caught.value.message
