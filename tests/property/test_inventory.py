"""An inventory that is told by its changes is the one that the PC has, and its digest says so without reading it."""

from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.manifest.inventory import (
    EMPTY_DIGEST,
    NOTHING,
    Changes,
    Inventory,
    applied,
    difference,
    digest_after,
    digest_of,
)
from p2pdist.shared.manifest.versions import Ecosystem

texts = st.text(st.sampled_from("a1 "), max_size=3)
fact_values = st.one_of(st.booleans(), st.integers(0, 2), texts, st.lists(texts, max_size=3).map(tuple))
facts = st.dictionaries(texts, fact_values, max_size=4)
package_names = st.tuples(st.sampled_from(Ecosystem), texts)
packages = st.dictionaries(package_names, texts, max_size=6)
inventories = st.builds(Inventory, facts, packages)
anything = st.builds(
    Changes, facts, st.frozensets(texts, max_size=4), packages, st.frozensets(package_names, max_size=6)
)


def exact(inventory: Inventory) -> object:
    """What tells 1 from True."""
    return {name: (type(value), value) for name, value in inventory.facts.items()}, dict(inventory.packages)


def part_named(inventory: Inventory, changes: Changes) -> Inventory:
    """What a database reads to keep the digest up."""
    return Inventory(
        {name: value for name, value in inventory.facts.items() if name in changes.facts or name in changes.facts_gone},
        {
            name: version
            for name, version in inventory.packages.items()
            if name in changes.packages or name in changes.packages_gone
        },
    )


@given(inventories, inventories)
def test_the_difference_makes_the_one_of_the_other(before: Inventory, after: Inventory) -> None:
    assert exact(applied(before, difference(before, after))) == exact(after)


@given(inventories, inventories)
def test_there_is_no_difference_only_between_the_same(before: Inventory, after: Inventory) -> None:
    changes = difference(before, after)
    assert bool(changes) is (exact(before) != exact(after)) is (len(changes) > 0)
    assert (digest_of(before) == digest_of(after)) is (exact(before) == exact(after))


@given(inventories, anything)
def test_the_digest_follows_from_what_has_changed_alone(before: Inventory, changes: Changes) -> None:
    whole = digest_of(applied(before, changes))
    assert digest_after(digest_of(before), part_named(before, changes), changes) == whole
    assert digest_after(digest_of(before), before, changes) == whole


@given(inventories)
def test_the_order_of_items_makes_no_difference(inventory: Inventory) -> None:
    turned = Inventory(dict(reversed(list(inventory.facts.items()))), dict(reversed(list(inventory.packages.items()))))
    assert digest_of(turned) == digest_of(inventory)
    assert digest_after(EMPTY_DIGEST, NOTHING, difference(NOTHING, inventory)) == digest_of(inventory)


@given(inventories, st.lists(inventories, max_size=5))
def test_a_history_of_changes_ends_with_the_present(first: Inventory, history: list[Inventory]) -> None:
    kept, digest = first, digest_of(first)
    for after in history:
        changes = difference(kept, after)
        digest = digest_after(digest, part_named(kept, changes), changes)
        kept = applied(kept, changes)
        assert exact(kept) == exact(after)
        assert digest == digest_of(after)
