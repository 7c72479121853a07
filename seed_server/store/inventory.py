"""The database's inventories: what every PC is and has, changed as PCs tell it. Blocking.

A PC's digest (`p2pdist.shared.manifest.inventory`) is reckoned here from what was there and what has changed. So a PC
and this server cannot take different things for the same.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import msgspec
from sqlalchemy import Connection, bindparam, select

from p2pdist.shared.manifest.facts import MAX_PACKAGES
from p2pdist.shared.manifest.inventory import (
    EMPTY_DIGEST,
    NOTHING,
    Changes,
    Inventory,
    InventoryDigest,
    InventoryFact,
    PackageName,
    PackagesTold,
    applied,
    digest_after,
    packages_told,
)
from seed_server.store.engines import Engines, upsert
from seed_server.store.interned import parts
from seed_server.store.software_rows import (
    Block,
    Software,
    forget_unused_software,
    held_versions,
    intern,
    software_numbers,
    software_of,
)
from seed_server.store.tables import ENDPOINTS
from seed_server.store.tables_inventory import BLOCK_PCS, INVENTORIES, SOFTWARE
from seed_server.store.transactions import Transactions

MAX_INVENTORY_FACTS_BYTES = 16 << 10  # as JSON, of one PC: an honest one has 250, and a question reads those of all PCs
NEW_BETWEEN_SWEEPS = 50_000  # versions of packages: a sweep takes as long as a few hundred PCs do
NEW_VERSIONS_BETWEEN_SWEEPS = 500  # of one name: who asks for a version of it looks through all of them

_Facts = dict[str, bool | int | str | tuple[str, ...]]
_FACTS = msgspec.json.Decoder(_Facts)


@dataclass(frozen=True, slots=True)
class InventoryTold:
    """What one PC has told at once."""

    endpoint: str
    base: bytes | None
    """The digest of the inventory that was changed; None: ``changes`` are all that there is."""
    digest: bytes
    """The digest that has come of it."""
    changes: Changes
    told_at: float


class InventoryHead(NamedTuple):
    """What is known of a PC, without the names of its packages."""

    told_at: float
    """When it told that, or confirmed it: seconds since 1970."""
    packages: int
    """How many it has told that it has."""
    facts: Mapping[str, InventoryFact]


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a PC before it tells."""

    number: int
    digest: InventoryDigest | None
    facts: Mapping[str, InventoryFact]
    packages: int
    """How many it has."""


class InventoryTable(Transactions):
    """The part of `Database` that is about inventories; raises as all of it."""

    def __init__(self, engines: Engines) -> None:
        super().__init__(engines)
        self._new_software = 0
        self._new_versions: Counter[str] = Counter()

    def store_inventories(self, told: Sequence[InventoryTold]) -> dict[str, bool]:
        """Record what PCs tell, of each in its order; return whether the last that each has told was taken.

        It is not where the server has another inventory than the one that was changed, where the digest is not the one
        that comes of it, where it would be more than a PC can have, and of a PC that is not enrolled. What is not taken
        changes nothing: the PC tells all anew.
        A hundred at once take 1 to 3 ms each, one alone 10.
        """
        taken: dict[str, bool] = {}
        with self._writing() as connection:
            while told:
                turn = {one.endpoint: one for one in reversed(told)}
                taken |= self._store(connection, turn)
                told = [one for one in told if one is not turn[one.endpoint]]
        return taken

    def _store(self, connection: Connection, told: Mapping[str, InventoryTold]) -> dict[str, bool]:
        known = _known(connection, told)
        right = [one for one in told.values() if one.endpoint in known and _may_be(one, known[one.endpoint])]
        right.sort(key=lambda one: known[one.endpoint].number)
        rows: dict[str, dict[str, object]] = {}
        new: list[Software] = []
        for number, of_block in groupby(right, lambda one: known[one.endpoint].number // BLOCK_PCS):
            rows |= _store_block(connection, number, list(of_block), known, new)
        if rows:
            connection.execute(upsert(connection, INVENTORIES), list(rows.values()))
        self._sweep_software(connection, new)
        return {endpoint: endpoint in rows for endpoint in told}

    def confirm_inventories(self, confirmed: Mapping[str, tuple[bytes, float]]) -> None:
        """Record that PCs still were and had what their digests stand for, at these times; of others it is not known.

        By the ids of PCs; what has another digest here stays as it is. A time that is later than that was a wrong
        clock's.
        """
        if not confirmed:
            return
        ours = select(ENDPOINTS.c.number).where(ENDPOINTS.c.endpoint_id == bindparam("of")).scalar_subquery()
        table = INVENTORIES.c
        same = (table.endpoint == ours) & (table.digest == bindparam("has"))
        update = INVENTORIES.update().where(same).values(told_at=bindparam("at"))
        rows = [{"of": of, "has": has, "at": at} for of, (has, at) in sorted(confirmed.items())]
        with self._writing() as connection:
            connection.execute(update, rows)

    def digests_of(self, endpoints: Iterable[str]) -> dict[str, InventoryDigest]:
        """Return the digests of what is known of PCs, by their ids; those of which nothing is are not in it."""
        query = select(ENDPOINTS.c.endpoint_id, INVENTORIES.c.digest).join_from(INVENTORIES, ENDPOINTS)
        found: dict[str, InventoryDigest] = {}
        with self.reading() as connection:
            for part in parts(sorted(set(endpoints))):
                rows = connection.execute(query.where(ENDPOINTS.c.endpoint_id.in_(part)))
                found |= {endpoint: InventoryDigest(digest) for endpoint, digest in rows}
        return found

    def inventory_of(self, endpoint_id: str) -> Inventory | None:
        """Return what is known of a PC; None: nothing is."""
        columns = (INVENTORIES.c.endpoint, INVENTORIES.c.facts)
        query = select(*columns).join(ENDPOINTS).where(ENDPOINTS.c.endpoint_id == endpoint_id)
        with self.reading() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            owned = Block(connection, row.endpoint // BLOCK_PCS, None).of(row.endpoint)
            packages = {
                (software.ecosystem, software.name): software.version
                for part in parts(sorted(owned))
                for software in _software(connection, part)
            }
        return Inventory(_FACTS.decode(row.facts), packages)

    def inventory_head(self, endpoint_id: str) -> InventoryHead | None:
        """Return what is known of a PC but for its packages' names; None: nothing is."""
        columns = (INVENTORIES.c.told_at, INVENTORIES.c.packages, INVENTORIES.c.facts)
        query = select(*columns).join(ENDPOINTS).where(ENDPOINTS.c.endpoint_id == endpoint_id)
        with self.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else InventoryHead(row.told_at, row.packages, _FACTS.decode(row.facts))

    def _sweep_software(self, connection: Connection, new: Sequence[Software]) -> None:
        self._new_software += len(new)
        self._new_versions.update(software.name for software in new)
        crowded = any(self._new_versions[software.name] > NEW_VERSIONS_BETWEEN_SWEEPS for software in new)
        if crowded or self._new_software > NEW_BETWEEN_SWEEPS:
            self._new_software = 0
            self._new_versions.clear()
            forget_unused_software(connection)


def clear_inventory(connection: Connection, number: int) -> None:
    """Forget what the PC with this number is and has."""
    if connection.execute(INVENTORIES.delete().where(INVENTORIES.c.endpoint == number)).rowcount:
        block = Block(connection, number // BLOCK_PCS, None)
        for software in block.of(number):
            block.remove(software, number)
        block.write()


def _known(connection: Connection, endpoints: Iterable[str]) -> dict[str, _Known]:
    """Return what is known of those that are enrolled."""
    has = INVENTORIES.c
    columns = (ENDPOINTS.c.endpoint_id, ENDPOINTS.c.number, has.digest, has.facts, has.packages)
    query = select(*columns).join_from(ENDPOINTS, INVENTORIES, isouter=True)
    return {
        endpoint: _Known(number, digest, {} if facts is None else _FACTS.decode(facts), packages or 0)
        for part in parts(sorted(endpoints))
        for endpoint, number, digest, facts, packages in connection.execute(
            query.where(ENDPOINTS.c.endpoint_id.in_(part))
        )
    }


def _may_be(told: InventoryTold, known: _Known) -> bool:
    """Whether it is about what is known, or follows from itself, and is of texts that a database keeps as they are."""
    texts = (text for (_, name), version in told.changes.packages.items() for text in (name, version))
    if any("\0" in text for text in texts):
        return False
    return told.base == known.digest if told.base is not None else _follows(told, EMPTY_DIGEST, NOTHING)


def _follows(told: InventoryTold, digest: InventoryDigest, before: Inventory) -> bool:
    return digest_after(digest, before, told.changes) == told.digest


def _store_block(
    connection: Connection, number: int, told: Sequence[InventoryTold], known: Mapping[str, _Known], new: list[Software]
) -> dict[str, dict[str, object]]:
    """Change what PCs of a block have; return the rows of those of which it was taken, by their ids.

    Nothing is written of others, not even names. Those that were not known before are added to ``new``.
    """
    changed = [package for one in told if one.base is not None for package in _named(one.changes)]
    held = held_versions(connection, number, changed)
    numbers = software_numbers(connection, (software for one in told for software in _versions(one.changes)))
    for (ecosystem, name), versions in held.items():
        numbers |= {Software(ecosystem, name, version): software for software, version in versions.items()}
    anew = any(one.base is None and known[one.endpoint].digest is not None for one in told)
    block = Block(connection, number, None if anew else numbers.values())  # of who tells all anew, all is read
    rows: dict[str, dict[str, object]] = {}
    taken: list[tuple[InventoryTold, Inventory]] = []
    for one in told:
        pc = known[one.endpoint]
        before = NOTHING if one.base is None else _replaced(block, pc, one.changes, held)
        if one.base is not None and not (pc.digest is not None and _follows(one, pc.digest, before)):
            continue
        if (row := _row(pc, one, before)) is not None:
            rows[one.endpoint] = row
            taken.append((one, before))
    added = intern(connection, {software for one, _ in taken for software in _versions(one.changes)} - numbers.keys())
    new += added
    for one, before in taken:
        _change(block, known[one.endpoint], one, before, numbers | added)
    block.write()
    return rows


def _named(changes: Changes) -> set[PackageName]:
    return {*changes.packages, *changes.packages_gone}


def _versions(changes: Changes) -> Iterable[Software]:
    return (Software(*package, version) for package, version in changes.packages.items())


def _row(known: _Known, told: InventoryTold, before: Inventory) -> dict[str, object] | None:
    """Return a PC's row, which has had ``before`` of what is changed; None: it would have more than a PC can have."""
    changes = told.changes
    facts = applied(Inventory(before.facts), Changes(changes.facts, changes.facts_gone)).facts
    encoded = msgspec.json.encode(facts)
    packages = (0 if told.base is None else known.packages - len(before.packages)) + len(changes.packages)
    if packages > MAX_PACKAGES or len(encoded) > MAX_INVENTORY_FACTS_BYTES:
        return None
    return {
        "endpoint": known.number,
        "told_at": told.told_at,
        "packages": packages,
        "all_packages": packages_told(facts) is PackagesTold.ALL,
        "digest": told.digest,
        "facts": encoded,
    }


def _change(
    block: Block, known: _Known, told: InventoryTold, before: Inventory, numbers: Mapping[Software, int]
) -> None:
    """Change a PC's packages in its block, of which it has ``before``."""
    if told.base is None:
        lost = block.of(known.number)
    else:
        lost = [numbers[Software(*package, version)] for package, version in before.packages.items()]
    for software in lost:
        block.remove(software, known.number)
    for version_now in _versions(told.changes):
        block.add(numbers[version_now], known.number)


def _replaced(
    block: Block, known: _Known, changes: Changes, held: Mapping[PackageName, Mapping[int, str]]
) -> Inventory:
    """Return a PC's facts, and what it has of the packages that ``changes`` name."""
    packages = {
        package: version
        for package in _named(changes)
        for software, version in held.get(package, {}).items()
        if block.has(software, known.number)
    }
    return Inventory(known.facts, packages)


def _software(connection: Connection, numbers: Sequence[int]) -> list[Software]:
    query = select(SOFTWARE.c.ecosystem, SOFTWARE.c.name, SOFTWARE.c.version).where(SOFTWARE.c.number.in_(numbers))
    return [software_of(*row) for row in connection.execute(query)]
