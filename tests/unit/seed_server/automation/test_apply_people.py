"""Accounts of files beside those that are there."""

import msgspec

from seed_server.automation.apply_changes import ValueChange
from seed_server.automation.apply_people import people_changes
from seed_server.automation.declared import DeclaredPerson
from seed_server.store.people_rows import PersonRow


def there(name: str, *roles: str, sites: tuple[str, ...] = (), disabled: bool = False, subject: str = "") -> PersonRow:
    return PersonRow(
        name, roles, sites, (), created_at=1.0, created_by="root", disabled=disabled, subject=subject, password="secret"
    )


def said(name: str, *roles: str, sites: tuple[str, ...] = (), disabled: bool = False) -> DeclaredPerson:
    return msgspec.convert(
        {"name": name, "roles": roles, "sites": sites, "disabled": disabled}, DeclaredPerson, strict=False
    )


ADA = there("ada", "administrator")


def told(declared: list[DeclaredPerson], present: list[PersonRow], *, prune: bool = False) -> tuple[str, list[str]]:
    changes, problems = people_changes(declared, present, prune=prune)
    return " ".join(f"{one.action}:{one.name}" for one in changes), problems


def test_additions_come_first_and_removals_last() -> None:
    present = [ADA, there("eva", "viewer"), there("ola", "viewer")]
    declared = [said("ola", "operator"), said("nora", "viewer"), said("ada", "administrator")]
    assert told(declared, present) == ("add:nora change:ola", [])
    assert told(declared, present, prune=True) == ("add:nora change:ola remove:eva", [])
    assert told([said("ola", "viewer")], present) == ("", [])


def test_a_change_is_told_by_its_keys_and_never_shows_a_password() -> None:
    present = [there("nora", "network-admin", sites=("oslo",))]
    ((change,), _) = people_changes([said("nora", "operator", disabled=True)], present, prune=False)
    assert change.keys == (
        ValueChange("roles", '["network-admin"]', '["operator"]'),
        ValueChange("sites", '["oslo"]', ""),
        ValueChange("disabled", "", "true"),
    )
    assert "secret" not in str(people_changes([], present, prune=True))


def test_the_last_administrator_stays() -> None:
    for declared, prune in (
        ([said("ada", "viewer")], False),
        ([said("ada", "administrator", disabled=True)], False),
        ([], True),
        ([said("eva", "administrator", disabled=True)], True),
    ):
        _, (problem,) = people_changes(declared, [ADA], prune=prune)
        assert "no administrator would be left, and ada is the last" in problem
    # another one takes over
    assert told([said("eva", "administrator")], [ADA], prune=True) == ("add:eva remove:ada", [])
    # one who comes by the provider may be gone tomorrow
    by_provider = there("ida", "administrator", subject="https://idp 1")
    assert told([], [ADA, by_provider], prune=True)[1] != []
    # where there was none, local users manage people
    assert told([], [there("ola", "viewer")], prune=True) == ("remove:ola", [])


def test_who_comes_by_the_provider_is_left_alone() -> None:
    by_provider = there("ida", "viewer", subject="https://idp 1")
    assert told([], [by_provider], prune=True) == ("", [])
    changes, (problem,) = told([said("ida", "operator")], [by_provider])
    assert changes == ""
    assert "ida comes by the identity provider" in problem
