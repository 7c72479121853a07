"""`seed_server.signing.role_policy`."""

import pytest

from seed_server.signing.role_policy import (
    OFFLINE_ROLES,
    OFFLINE_WARNING_SECONDS,
    OnlineLifetimes,
    RoleExpiry,
    expiring_offline,
    lifetimes_of_roles,
    roles_due,
)

NOW = 1_800_000_000.0
LIFETIMES = OnlineLifetimes(timestamp=1_000, snapshot=7_000, rollouts=30_000)


def fresh(**left: float) -> list[RoleExpiry]:
    return [RoleExpiry(role, NOW + left.get(role, life)) for role, life in lifetimes_of_roles(LIFETIMES).items()]


@pytest.mark.parametrize(
    ("left", "due"),
    [
        ({}, set()),
        ({"timestamp": 501}, set()),
        ({"timestamp": 500}, {"timestamp"}),
        ({"timestamp": -9}, {"timestamp"}),
        ({"snapshot": 100, "rollouts": -5}, {"snapshot", "rollouts"}),
        ({"timestamp": 1_300}, set()),
        ({"timestamp": 1_301}, {"timestamp"}),  # signed with a clock that was ahead
        (dict.fromkeys(OFFLINE_ROLES, -1), set()),
    ],
)
def test_roles_due(left: dict[str, float], due: set[str]) -> None:
    assert roles_due(fresh(**left), LIFETIMES, NOW) == due


def test_offline_roles_are_named_before_they_expire() -> None:
    assert expiring_offline(fresh(timestamp=-1), NOW) == []
    found = expiring_offline(fresh(root=OFFLINE_WARNING_SECONDS - 1, patches=-1), NOW)
    assert [expiry.role for expiry in found] == ["patches", "root"]
