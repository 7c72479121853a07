"""`seed_server.signing.role_policy`."""

import pytest

from seed_server.signing.role_policy import (
    OFFLINE_ROLES,
    OFFLINE_WARNING_SECONDS,
    OnlineLifetimes,
    RoleExpiry,
    expiring_offline,
    lifetimes_of_roles,
    may_follow,
    next_version,
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


def test_the_next_version_is_a_time_where_that_is_higher() -> None:
    assert next_version("patches", 7, NOW + 0.9) == int(NOW)
    assert next_version("patches", int(NOW), NOW) == int(NOW) + 1
    assert next_version("patches", int(NOW) + 500, NOW) == int(NOW) + 501  # the clock went back
    assert next_version("root", 7, NOW) == 8


def test_only_what_a_clock_explains_may_follow() -> None:
    before = int(NOW) - 100
    assert [may_follow("patches", version, before, NOW) for version in (before - 1, before, int(NOW) + 1)] == [
        False
    ] * 3
    assert [may_follow("patches", version, before, NOW) for version in (before + 1, before + 2, int(NOW))] == [True] * 3
    assert may_follow("patches", 9, 8, 0.0)
    assert may_follow("root", 9, 8, NOW)
    assert not may_follow("root", 10, 8, NOW)
