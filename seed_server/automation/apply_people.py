"""The accounts of files, beside those that are there. Pure."""

from collections.abc import Sequence
from typing import Any, Protocol

from seed_server.automation.apply_changes import Change, change


class WrittenAccount(Protocol):
    """What files say of an account, and what is there of it."""

    @property
    def name(self) -> str:
        """Unique."""

    @property
    def roles(self) -> Sequence[str]:
        """At least one."""

    @property
    def sites(self) -> Sequence[str]:
        """Of its scope."""

    @property
    def tags(self) -> Sequence[str]:
        """Of its scope."""

    @property
    def disabled(self) -> bool:
        """Whether it may do nothing now."""


class PresentAccount(WrittenAccount, Protocol):
    """An account that is there."""

    @property
    def subject(self) -> str:
        """Who they are to an identity provider; empty: the account is of this server alone."""


def people_changes(
    declared: Sequence[WrittenAccount], present: Sequence[PresentAccount], *, prune: bool
) -> tuple[list[Change], list[str]]:
    """Return what changes, additions first and removals last, and what is wrong.

    Who comes by an identity provider is its business: such an account is neither changed nor removed.
    """
    was = {one.name: one for one in present}
    named = {one.name for one in declared}
    changes, problems = [], []
    for one in declared:
        before = was.get(one.name)
        if before is not None and before.subject:
            problems.append(
                f"people.toml: {one.name} comes by the identity provider, whose groups say what they may. Leave the "
                "account out here."
            )
        elif before is None or keys_of(before) != keys_of(one):
            changes.append(change("person", one.name, None if before is None else keys_of(before), keys_of(one)))
    gone = [one for one in present if one.name not in named and not one.subject] if prune else []
    changes += [change("person", one.name, keys_of(one), None) for one in gone]
    after = {**was, **{one.name: one for one in declared}}
    for one in gone:
        del after[one.name]
    administered = any(_administers(one) and not one.subject for one in present)
    if administered and not any(_administers(one) and not _comes_by_provider(was, one) for one in after.values()):
        left = ", ".join(sorted(one.name for one in present if _administers(one) and not one.subject))
        problems.append(
            f"people.toml: no administrator would be left, and {left} is the last. Name one who is not disabled: "
            "without any, nobody could manage people."
        )
    order = {"add": 0, "change": 1, "remove": 2}
    return sorted(changes, key=lambda one: order[one.action]), problems


def keys_of(account: WrittenAccount) -> dict[str, Any]:
    """Return what files say of an account, but for its name."""
    found: dict[str, Any] = {"roles": list(account.roles)}
    for key, names in (("sites", account.sites), ("tags", account.tags)):
        if names:
            found[key] = list(names)
    return found | ({"disabled": True} if account.disabled else {})


def _administers(account: WrittenAccount) -> bool:
    return not account.disabled and "administrator" in account.roles


def _comes_by_provider(known: dict[str, PresentAccount], account: WrittenAccount) -> bool:
    return account.name in known and bool(known[account.name].subject)
