"""The database's inventories: what every PC is and has, changed as PCs tell it. Blocking.

A PC's digest (`p2pdist.shared.manifest.inventory`) is reckoned here from what was there and what has changed. So a PC
and this server cannot take different things for the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import msgspec
from sqlalchemy import Connection, bindparam, select

from p2pdist.shared.manifest.inventory import (
    EMPTY_DIGEST,
    NOTHING,
    Changes,
    Inventory,
    InventoryDigest,
    InventoryFact,
    PackagesTold,
    applied,
    digest_after,
    packages_told,
)
from seed_server.store.engines import Engines, upsert
from seed_server.store.interned import parts
from seed_server.store.software_rows import Block, Interned, Software, forget_unused_software, intern, software_of
from seed_server.store.tables import ENDPOINTS
from seed_server.store.tables_inventory import BLOCK_PCS, INVENTORIES, SOFTWARE
from seed_server.store.transactions import Transactions

NEW_BETWEEN_SWEEPS = 50_000  # versions of packages: a sweep takes as long as a few hundred PCs do

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


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a PC before it tells."""

    number: int
    digest: InventoryDigest | None
    facts: Mapping[str, InventoryFact]


class InventoryTable(Transactions):
    """The part of `Database` that is about inventories; raises as all of it."""

    def __init__(self, engines: Engines) -> None:
        super().__init__(engines)
        self._new_software = 0

    def store_inventories(self, told: Sequence[InventoryTold]) -> dict[str, bool]:
        """Record what PCs tell, of each in its order; return whether the last that each has told was taken.

        It is not where the server has another inventory than the one that was changed, where the digest is not the one
        that comes of it, and of a PC that is not enrolled. What is not taken changes nothing: the PC tells all anew.
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
        named = {package for one in right for package in (*one.changes.packages, *one.changes.packages_gone)}
        needed = {Software(*package, version) for one in right for package, version in one.changes.packages.items()}
        interned = intern(connection, named, needed)
        taken: dict[str, bool] = {}
        rows: list[dict[str, object]] = []
        right.sort(key=lambda one: known[one.endpoint].number)
        for number, of_block in groupby(right, lambda one: known[one.endpoint].number // BLOCK_PCS):
            some = list(of_block)
            block = Block(connection, number, _wanted(some, known, interned))
            for one in some:
                row = _changed(block, known[one.endpoint], one, interned)
                taken[one.endpoint] = row is not None
                rows += [row] if row is not None else []
            block.write()
        if rows:
            connection.execute(upsert(connection, INVENTORIES), rows)
        self._sweep_software(connection, interned.new)
        return dict.fromkeys(told, False) | taken

    def confirm_inventories(self, confirmed: Mapping[str, tuple[bytes, float]]) -> None:
        """Record that PCs still were and had what their digests stand for, at these times; of others it is not known.

        By the ids of PCs; what has another digest here, or was told later, stays as it is.
        """
        if not confirmed:
            return
        ours = select(ENDPOINTS.c.number).where(ENDPOINTS.c.endpoint_id == bindparam("of")).scalar_subquery()
        table = INVENTORIES.c
        same = (table.endpoint == ours) & (table.digest == bindparam("has")) & (table.told_at < bindparam("at"))
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

    def inventory_told_at(self, endpoint_id: str) -> float | None:
        """Return when a PC has told, or confirmed, what is known of it; None: nothing is."""
        query = select(INVENTORIES.c.told_at).join(ENDPOINTS).where(ENDPOINTS.c.endpoint_id == endpoint_id)
        with self.reading() as connection:
            return connection.scalar(query)

    def forget_inventory(self, endpoint_id: str) -> None:
        """Forget what a PC is and has; of one of which nothing is known too."""
        with self._writing() as connection:
            number = connection.scalar(select(ENDPOINTS.c.number).where(ENDPOINTS.c.endpoint_id == endpoint_id))
            if number is not None:
                clear_inventory(connection, number)

    def _sweep_software(self, connection: Connection, new: int) -> None:
        self._new_software += new
        if self._new_software > NEW_BETWEEN_SWEEPS:
            self._new_software = 0
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
    columns = (ENDPOINTS.c.endpoint_id, ENDPOINTS.c.number, INVENTORIES.c.digest, INVENTORIES.c.facts)
    query = select(*columns).join_from(ENDPOINTS, INVENTORIES, isouter=True)
    return {
        endpoint: _Known(number, digest, {} if facts is None else _FACTS.decode(facts))
        for part in parts(sorted(endpoints))
        for endpoint, number, digest, facts in connection.execute(query.where(ENDPOINTS.c.endpoint_id.in_(part)))
    }


def _may_be(told: InventoryTold, known: _Known) -> bool:
    """Whether it is about what is known, and of texts that a database keeps as they are."""
    texts = (text for (_, name), version in told.changes.packages.items() for text in (name, version))
    return told.base in {None, known.digest} and not any("\0" in text for text in texts)


def _wanted(told: Iterable[InventoryTold], known: Mapping[str, _Known], interned: Interned) -> set[int] | None:
    """Return which packages of a block are to be read; None: all, as a PC tells all anew that is known."""
    found: set[int] = set()
    for one in told:
        if one.base is None and known[one.endpoint].digest is not None:
            return None
        for package in (*one.changes.packages, *one.changes.packages_gone):
            found.update(interned.versions.get(package, ()))
    return found


def _changed(block: Block, known: _Known, told: InventoryTold, interned: Interned) -> dict[str, object] | None:
    """Change a PC's packages in its block; return its row, or None where the digest is another: nothing has changed."""
    changes = told.changes
    anew = told.base is None or known.digest is None
    before = NOTHING if anew else _replaced(block, known, changes, interned)
    digest = EMPTY_DIGEST if anew or known.digest is None else known.digest
    if digest_after(digest, before, changes) != told.digest:
        return None
    if anew:
        lost = block.of(known.number)
    else:
        lost = [interned.numbers[(*package, version)] for package, version in before.packages.items()]
    for software in lost:
        block.remove(software, known.number)
    for package, version in changes.packages.items():
        block.add(interned.numbers[(*package, version)], known.number)
    facts = applied(Inventory(before.facts), Changes(changes.facts, changes.facts_gone)).facts
    return {
        "endpoint": known.number,
        "told_at": told.told_at,
        "all_packages": packages_told(facts) is PackagesTold.ALL,
        "digest": told.digest,
        "facts": msgspec.json.encode(facts),
    }


def _replaced(block: Block, known: _Known, changes: Changes, interned: Interned) -> Inventory:
    """Return a PC's facts, and what it has of the packages that ``changes`` name."""
    packages = {
        package: version
        for package in {*changes.packages, *changes.packages_gone}
        for software, version in interned.versions.get(package, {}).items()
        if block.has(software, known.number)
    }
    return Inventory(known.facts, packages)


def _software(connection: Connection, numbers: Sequence[int]) -> list[Software]:
    query = select(SOFTWARE.c.ecosystem, SOFTWARE.c.name, SOFTWARE.c.version).where(SOFTWARE.c.number.in_(numbers))
    return [software_of(*row) for row in connection.execute(query)]
