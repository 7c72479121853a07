"""A question about inventories means what the same expression means on a PC: any expression, any PC, both databases."""

import random

import pytest
from hypothesis import HealthCheck, example, given, settings

from p2pdist.shared.clock import SystemClock
from p2pdist.shared.manifest.applicability import evaluate
from p2pdist.shared.manifest.expression import Term, parse_expression
from p2pdist.shared.manifest.facts import FACTS, Facts, FactType, FactValue, Packages
from p2pdist.shared.manifest.inventory import (
    INVENTORY_FACTS,
    NOTHING,
    PACKAGES_TOLD,
    Inventory,
    InventoryFact,
    difference,
    digest_of,
)
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, parse_version
from seed_server.fleet.inventory_answer import answer, named_values, unknown_facts
from seed_server.fleet.known_inventories import KnownInventories, Lately, TimeLimit
from seed_server.store.database import Database, SeenRow
from seed_server.store.inventory import InventoryTold
from seed_server.store.tables_inventory import BLOCK_PCS
from tests.helpers.state_databases import lasting_database, postgres_server
from tests.property.test_expression import NEAR_VERSIONS, PACKAGES, VALID

__all__ = ["lasting_database", "postgres_server"]

PCS = 150
VALUES: dict[FactType, list[InventoryFact]] = {
    FactType.TRUTH: [True, False],
    FactType.NUMBER: [0, 1, 19_045, 10**15],
    FactType.TEXT: ["debian", "windows", "amd64", "ja-jp", "lab", "", "\N{GRINNING FACE}"],
    FactType.VERSION: ["12", "22.04", "2.1-rc3", "2.1-rc03", "rolling", ""],
    FactType.TEXTS: [(), ("lab",), ("lab", "debian")],
}
ALL_VALUES = [value for some in VALUES.values() for value in some]
TAGS = [(), ("lab",), ("lab", "debian")]
SITES = ["", "lab", "debian"]
chance = random.Random(23)


def some_packages() -> dict[tuple[Ecosystem, str], str]:
    texts = [*NEAR_VERSIONS, "none", "1:", "~", "3.0.17 "]
    return {
        (ecosystem, name): chance.choice(texts) for ecosystem in Ecosystem for name in PACKAGES if chance.random() < 0.3
    }


def some_inventory() -> Inventory:
    facts: dict[str, InventoryFact] = {}
    for name in sorted(INVENTORY_FACTS & FACTS.keys()):
        if chance.random() < 0.8:
            values = ALL_VALUES if chance.random() < 0.1 else VALUES[FACTS[name].type]
            facts[name] = chance.choice(values)
    if chance.random() < 0.9:
        said: list[InventoryFact] = ["all", "all", "some", "withheld", "moon", True]
        facts[PACKAGES_TOLD] = chance.choice(said)
    return Inventory(facts, some_packages())


FLEET = [
    (f"{number:026}", chance.choice(SITES), chance.choice(TAGS), some_inventory() if number % 9 else None)
    for number in range(PCS)
]


@pytest.fixture(scope="module")
def fleet(lasting_database: Database) -> Database:
    """Return a database that knows `FLEET`, with others between, so that it is in several blocks."""
    with lasting_database.batch():
        for place, (pc, site, tags, inventory) in enumerate(FLEET):
            for other in range(2 * BLOCK_PCS // PCS):
                lasting_database.add_endpoint(f"{place:013}{other:013}x", "other", 1.0)
                lasting_database.set_denied(f"{place:013}{other:013}x", denied=True)
            lasting_database.add_endpoint(pc, f"pc-{pc}", 1.0, tags)
            lasting_database.save_seen(
                {pc: SeenRow(site=site, address="", software="", connected=False, last_seen_at=2.0)}
            )
            if inventory is not None:
                told = InventoryTold(pc, None, digest_of(inventory), difference(NOTHING, inventory), 3.0)
                assert lasting_database.store_inventories([told]) == {pc: True}
    return lasting_database


def on_the_pc(inventory: Inventory, site: str, tags: tuple[str, ...]) -> Facts:
    """Return the facts of a PC with this inventory, as it has them itself."""
    values: dict[str, FactValue] = {"site": site, "tags": tags}
    for name, value in inventory.facts.items():
        kind = FACTS[name].type if name in FACTS else None
        if kind is FactType.VERSION and isinstance(value, str):
            try:
                values[name] = parse_version(value, Ecosystem.GENERIC)
            except InvalidVersionError:
                continue
        elif kind is not FactType.VERSION and kind is not None:
            values[name] = value
    sources = {
        ecosystem: {name: version for (of, name), version in inventory.packages.items() if of is ecosystem}
        for ecosystem in Ecosystem
    }
    return Facts(values, Packages(sources))


def with_more(inventory: Inventory) -> Inventory:
    """Return what a PC may really be that does not tell all of its packages."""
    told = set(on_the_pc(inventory, "", ()).packages)
    more = {(ecosystem, name): version for (ecosystem, name), version in some_packages().items() if name not in told}
    return Inventory(inventory.facts, {**more, **inventory.packages})


def asked(database: Database, term: Term) -> dict[str, bool | None]:
    """Return what is answered of every PC, by its id; None: it is not known."""
    pcs = database.inventoried_pcs()
    facts = {value.name for value in named_values(term)} & FACTS.keys()
    found = answer(term, KnownInventories(database, pcs, Lately(0.0, 9.0), facts, TimeLimit(SystemClock(), 60.0)))
    assert not found.true & found.false
    known = {pc.number: pc.endpoint_id for pc in pcs}
    assert not (found.true | found.false) & ~sum(1 << number for number in known)
    return {
        pc: True if found.true >> number & 1 else False if found.false >> number & 1 else None
        for number, pc in known.items()
    }


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example('not package("openssl") != version("1")')
@example('os.release == version("2.1-rc3") or not os.release == version("2.1-rc3")')
@example('not ("lab" in tags)')
@example("true")
@example("not true")
@given(VALID)
def test_an_answer_is_what_the_pc_would_say_itself(fleet: Database, text: str) -> None:
    term = parse_expression(text)
    if unknown_facts(term):
        return
    answers = asked(fleet, term)
    assert answers.keys() == {pc for pc, *_ in FLEET}
    for pc, site, tags, inventory in FLEET:
        said = answers[pc]
        if inventory is None:
            assert said is None, "nothing is known of it"
        elif inventory.facts.get(PACKAGES_TOLD) == "all":
            assert said is evaluate(term, on_the_pc(inventory, site, tags)).applies
        elif said is not None:  # whatever else it may have
            for possible in (inventory, with_more(inventory), with_more(inventory)):
                assert evaluate(term, on_the_pc(possible, site, tags)).applies is said


def test_what_is_not_told_is_unknown_and_not_false(fleet: Database) -> None:
    """Of the PCs that tell not all packages, both values and their opposite would be guesses."""
    for text in ('installed("openssl")', 'package("openssl") == version("1")', 'not installed("openssl")'):
        answers = asked(fleet, parse_expression(text))
        silent = [
            pc
            for pc, site, tags, inventory in FLEET
            if inventory is not None
            and inventory.facts.get(PACKAGES_TOLD) != "all"
            and "openssl" not in on_the_pc(inventory, site, tags).packages
        ]
        assert silent
        assert {answers[pc] for pc in silent} == {None}
