"""`seed_server.store.inventory`: what PCs are and have, on both databases."""

import random
from collections.abc import Sized

import msgspec
import pytest
from sqlalchemy import Engine, Table, event, func, select

from p2pdist.shared.manifest.facts import MAX_PACKAGES
from p2pdist.shared.manifest.inventory import (
    NOTHING,
    PACKAGES_TOLD,
    Inventory,
    difference,
    digest_of,
)
from p2pdist.shared.manifest.versions import Ecosystem
from seed_server.store.database import Database
from seed_server.store.inventory import (
    MAX_INVENTORY_FACTS_BYTES,
    NEW_BETWEEN_SWEEPS,
    NEW_VERSIONS_BETWEEN_SWEEPS,
    InventoryHead,
    InventoryTold,
)
from seed_server.store.tables_inventory import BLOCK_PCS, ECOSYSTEM_CODES, INVENTORIES, SOFTWARE, SOFTWARE_HOLDERS

PC, OTHER = "a" * 26, "b" * 26
OPENSSL, CURL = (Ecosystem.DEB, "openssl"), (Ecosystem.DEB, "curl")
FIRST = Inventory(
    {"os.family": "debian", "ram_mb": 16_000, "kiosk": True, "tongues": ("ja", "en"), PACKAGES_TOLD: "all"},
    {OPENSSL: "3.0.15-1", CURL: "7.88.1-10", (Ecosystem.RPM, "openssl"): "1:3.0.7"},
)
SECOND = Inventory({"os.family": "debian", "ram_mb": 32_000, "kiosk": 1}, {OPENSSL: "3.0.17-1"})


def told(pc: str, before: Inventory | None, after: Inventory, at: float = 5.0) -> InventoryTold:
    base = None if before is None else digest_of(before)
    return InventoryTold(pc, base, digest_of(after), difference(before or NOTHING, after), at)


def enrol(database: Database, *pcs: str) -> None:
    for pc in pcs:
        database.add_endpoint(pc, f"pc-{pc[:6]}", 1.0)


def told_at(database: Database, pc: str) -> float | None:
    head = database.inventory_head(pc)
    return None if head is None else head.told_at


def rows(database: Database, table: Table) -> int:
    with database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def test_ecosystems_are_the_vocabularys_own_and_keep_their_order() -> None:
    assert tuple(map(str, Ecosystem)) == ECOSYSTEM_CODES


def test_what_a_pc_tells_is_what_is_known_of_it(database: Database) -> None:
    enrol(database, PC)
    assert database.inventory_of(PC) is None
    assert database.inventory_head(PC) is None
    assert database.digests_of([PC]) == {}
    assert database.store_inventories([told(PC, None, FIRST)]) == {PC: True}
    assert database.inventory_of(PC) == FIRST
    assert database.inventory_head(PC) == InventoryHead(5.0, 3, FIRST.facts)
    assert database.digests_of([PC, OTHER]) == {PC: digest_of(FIRST)}
    assert database.store_inventories([told(PC, FIRST, SECOND, 6.0)]) == {PC: True}
    assert database.inventory_of(PC) == SECOND
    kiosk = database.inventory_of(PC).facts["kiosk"]  # type: ignore[union-attr]
    assert kiosk is not True, "1 is not True"
    assert database.digests_of([PC]) == {PC: digest_of(SECOND)}


def test_all_anew_leaves_nothing_of_before(database: Database) -> None:
    enrol(database, PC)
    database.store_inventories([told(PC, None, FIRST)])
    assert database.store_inventories([told(PC, None, SECOND)]) == {PC: True}
    assert database.inventory_of(PC) == SECOND
    assert rows(database, SOFTWARE_HOLDERS) == 1, "what nobody of a block has needs no row"


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(told(PC, SECOND, SECOND), id="another base"),
        pytest.param(
            InventoryTold(PC, digest_of(FIRST), digest_of(FIRST), difference(FIRST, SECOND), 6.0), id="digest"
        ),
        pytest.param(InventoryTold(PC, None, digest_of(FIRST), difference(NOTHING, SECOND), 6.0), id="digest of all"),
        pytest.param(told(PC, None, Inventory({}, {(Ecosystem.DEB, "a\0b"): "1"})), id="NUL"),
    ],
)
def test_what_does_not_follow_is_not_taken_and_changes_nothing(database: Database, wrong: InventoryTold) -> None:
    enrol(database, PC)
    database.store_inventories([told(PC, None, FIRST)])
    assert database.store_inventories([wrong]) == {PC: False}
    assert database.inventory_of(PC) == FIRST
    assert told_at(database, PC) == 5.0


def test_who_is_not_enrolled_is_not_taken_and_keeps_others_from_nothing(database: Database) -> None:
    enrol(database, PC)
    assert database.store_inventories([told(OTHER, None, FIRST), told(PC, None, FIRST)]) == {OTHER: False, PC: True}
    assert database.store_inventories([]) == {}


def test_one_pc_may_tell_twice_in_a_batch(database: Database) -> None:
    enrol(database, PC)
    assert database.store_inventories([told(PC, None, FIRST), told(PC, FIRST, SECOND)]) == {PC: True}
    assert database.inventory_of(PC) == SECOND


def test_a_pc_that_confirms_makes_what_is_known_of_it_younger(database: Database) -> None:
    enrol(database, PC, OTHER)
    database.store_inventories([told(PC, None, FIRST, 5.0), told(OTHER, None, SECOND, 5.0)])
    database.confirm_inventories({PC: (digest_of(FIRST), 9.0), OTHER: (digest_of(FIRST), 9.0)})
    assert (told_at(database, PC), told_at(database, OTHER)) == (9.0, 5.0), "one has another"
    database.confirm_inventories({})
    database.confirm_inventories({PC: (digest_of(FIRST), 8.0)})
    assert told_at(database, PC) == 8.0, "the clock was ahead: else it would count as told lately for years"


def test_changes_of_changes_give_a_pc_no_more_packages_than_it_can_have(database: Database) -> None:
    """Also after a restart of the server, which remembers nothing of how often it has changed."""
    enrol(database, PC)
    full = Inventory({PACKAGES_TOLD: "all"}, {(Ecosystem.DEB, f"p{number}"): "1" for number in range(MAX_PACKAGES)})
    database.store_inventories([told(PC, None, full)])
    others = {**full.packages, (Ecosystem.DEB, "p0"): "2"}
    same_number = Inventory(full.facts, dict(others))
    assert database.store_inventories([told(PC, full, same_number)]) == {PC: True}
    one_more = Inventory(full.facts, {**others, OPENSSL: "1"})
    assert database.store_inventories([told(PC, same_number, one_more)]) == {PC: False}
    del others[Ecosystem.DEB, "p7"]
    assert database.store_inventories([told(PC, same_number, Inventory(full.facts, others))]) == {PC: True}
    assert database.inventory_head(PC).packages == MAX_PACKAGES - 1  # type: ignore[union-attr]
    assert rows(database, SOFTWARE_HOLDERS) == MAX_PACKAGES - 1


def test_a_pc_s_facts_are_bounded_however_often_it_changes_them(database: Database) -> None:
    enrol(database, PC)
    before = NOTHING
    taken = []
    for turn in range(12):
        after = Inventory({**before.facts, **{f"x{letter}.{'y' * turn}": "z" * 200 for letter in "abcdefgh"}})
        taken.append(database.store_inventories([told(PC, before if turn else None, after)])[PC])
        before = after if taken[-1] else before
    assert taken[0]
    assert not taken[-1]
    assert len(msgspec.json.encode(before.facts)) <= MAX_INVENTORY_FACTS_BYTES


def test_forgetting_a_pc_leaves_what_others_have(database: Database) -> None:
    enrol(database, PC, OTHER)
    database.store_inventories([told(PC, None, FIRST), told(OTHER, None, FIRST)])
    database.forget_endpoint(PC)
    assert database.inventory_of(PC) is None
    assert database.inventory_of(OTHER) == FIRST
    database.forget_endpoint(OTHER)
    assert (rows(database, INVENTORIES), rows(database, SOFTWARE_HOLDERS)) == (0, 0)


def test_names_that_nobody_has_are_forgotten_after_a_while(database: Database) -> None:
    enrol(database, PC, OTHER)
    database.store_inventories([told(OTHER, None, FIRST)])
    before = None
    for turn in range(20):
        made_up = Inventory({}, {(Ecosystem.DEB, f"made-up-{turn}"): "1"})
        assert database.store_inventories([told(PC, before, made_up)]) == {PC: True}
        before = made_up
    assert rows(database, SOFTWARE) == 3 + 20
    database._new_software = NEW_BETWEEN_SWEEPS
    assert database.store_inventories([told(PC, before, SECOND)]) == {PC: True}
    assert rows(database, SOFTWARE) == 3 + 1
    assert (database.inventory_of(PC), database.inventory_of(OTHER)) == (SECOND, FIRST)


@pytest.mark.parametrize("base", [None, digest_of(FIRST)], ids=["all", "changes"])
def test_names_of_what_does_not_follow_are_not_kept(database: Database, base: bytes | None) -> None:
    enrol(database, PC)
    database.store_inventories([told(PC, None, FIRST)])
    wrong = InventoryTold(PC, base, digest_of(FIRST), difference(FIRST, SECOND), 6.0)
    assert database.store_inventories([wrong]) == {PC: False}
    assert rows(database, SOFTWARE) == 3


def test_versions_of_a_name_that_nobody_has_are_forgotten_sooner(database: Database) -> None:
    enrol(database, PC, OTHER)
    database.store_inventories([told(OTHER, None, FIRST)])
    before = FIRST
    database.store_inventories([told(PC, None, before)])
    for turn in range(20):
        after = Inventory(FIRST.facts, {**FIRST.packages, OPENSSL: f"4.{turn}"})
        assert database.store_inventories([told(PC, before, after)]) == {PC: True}
        before = after
    assert rows(database, SOFTWARE) == 3 + 20
    database._new_versions["openssl"] = NEW_VERSIONS_BETWEEN_SWEEPS
    assert database.store_inventories([told(PC, before, SECOND)]) == {PC: True}
    assert rows(database, SOFTWARE) == 3 + 1
    assert (database.inventory_of(PC), database.inventory_of(OTHER)) == (SECOND, FIRST)


def test_a_change_reads_no_versions_that_others_have_made_up(database: Database) -> None:
    enrol(database, PC, OTHER)
    database.store_inventories([told(OTHER, None, FIRST)])
    before = None
    for turn in range(100):
        after = Inventory({}, {OPENSSL: f"4.{turn}"})
        database.store_inventories([told(PC, before, after)])
        before = after
    named: list[int] = []

    def note(_connection: object, _cursor: object, _text: str, values: Sized, *_rest: object) -> None:
        named.append(len(values))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        assert database.store_inventories([told(OTHER, FIRST, SECOND)]) == {OTHER: True}
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    assert named
    assert max(named) < 20


def some_inventory(chance: random.Random) -> Inventory:
    names = chance.sample(range(30), chance.randrange(20))
    packages = {(chance.choice(list(Ecosystem)), f"p{name}"): f"1.{chance.randrange(4)}" for name in names}
    return Inventory({"ram_mb": chance.randrange(3), "hostname": chance.choice("abc")}, packages)


def test_many_pcs_in_many_blocks_told_in_many_ways(database: Database) -> None:
    """Whatever the order of the whole, of changes and of what is wrong: each PC's is what it told last and rightly."""
    chance = random.Random(11)
    pcs = [f"{number:026}" for number in range(3 * BLOCK_PCS)]
    with database.batch():
        enrol(database, *pcs)
    pcs = chance.sample(pcs, 60)
    known: dict[str, Inventory] = {}
    for turn in range(12):
        batch: list[InventoryTold] = []
        expected: dict[str, Inventory] = dict(known)
        for pc in chance.sample(pcs, 25):
            after = some_inventory(chance)
            anew = pc not in known or chance.random() < 0.2
            batch.append(told(pc, None if anew else known[pc], after, float(turn)))
            if chance.random() < 0.1:
                batch[-1] = InventoryTold(pc, b"?" * 32, batch[-1].digest, batch[-1].changes, 0.0)
            else:
                expected[pc] = after
        assert database.store_inventories(batch) == {one.endpoint: one.base != b"?" * 32 for one in batch}
        known = expected
    assert {pc: database.inventory_of(pc) for pc in pcs} == {pc: known.get(pc) for pc in pcs}
    assert database.digests_of(pcs) == {pc: digest_of(has) for pc, has in known.items()}
