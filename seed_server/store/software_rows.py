"""Rows of who has which version of which package: interned, and written for many PCs at once. Blocking.

Every function works within the transaction of the connection it is given.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, exists, select

from p2pdist.shared.manifest.inventory import PackageName
from p2pdist.shared.manifest.versions import Ecosystem
from seed_server.store.engines import upsert
from seed_server.store.interned import parts
from seed_server.store.pc_sets import packed, unpacked
from seed_server.store.tables_inventory import BLOCK_PCS, ECOSYSTEM_CODES, SOFTWARE, SOFTWARE_HOLDERS

_HOLDERS = SOFTWARE_HOLDERS.c
_ECOSYSTEMS = tuple(map(Ecosystem, ECOSYSTEM_CODES))


class Software(NamedTuple):
    """One version of a package."""

    ecosystem: Ecosystem
    name: str
    version: str


def software_of(ecosystem: int, name: str, version: str) -> Software:
    """Return what a row of `SOFTWARE` stands for."""
    return Software(_ECOSYSTEMS[ecosystem], name, version)


def software_numbers(connection: Connection, wanted: Iterable[Software]) -> dict[Software, int]:
    """Return the numbers of those that are known."""
    wanted = set(wanted)
    found: dict[Software, int] = {}
    for part in parts(sorted(wanted)):
        ours = SOFTWARE.c.name.in_({one.name for one in part}) & SOFTWARE.c.version.in_({one.version for one in part})
        for number, *row in connection.execute(select(SOFTWARE).where(ours)):
            if (software := software_of(*row)) in wanted:
                found[software] = number
    return found


def intern(connection: Connection, new: Collection[Software]) -> dict[Software, int]:
    """Give numbers to what has none, and return them."""
    rows = [
        {"ecosystem": ECOSYSTEM_CODES.index(ecosystem), "name": name, "version": version}
        for ecosystem, name, version in sorted(new)
    ]
    if not rows:
        return {}
    connection.execute(SOFTWARE.insert(), rows)
    return software_numbers(connection, new)


def held_versions(
    connection: Connection, block: int, packages: Iterable[PackageName]
) -> dict[PackageName, dict[int, str]]:
    """Return which versions of packages PCs of a block have, by number: of each no more than there are PCs in it.

    Others may have any number of versions, and nobody those that were made up.
    """
    wanted = set(packages)
    held: dict[PackageName, dict[int, str]] = {}
    of_block = exists().where(_HOLDERS.block == block, _HOLDERS.software == SOFTWARE.c.number)  # by key: no scan
    for part in parts(sorted({name for _, name in wanted})):
        for number, *row in connection.execute(select(SOFTWARE).where(SOFTWARE.c.name.in_(part), of_block)):
            ecosystem, name, version = software_of(*row)
            if (ecosystem, name) in wanted:
                held.setdefault((ecosystem, name), {})[number] = version
    return held


class Block:
    """The rows of `BLOCK_PCS` PCs: read, changed, and written back where they have changed."""

    def __init__(self, connection: Connection, block: int, software: Iterable[int] | None) -> None:
        """Read the rows of these packages; None: all."""
        self._connection, self._block = connection, block
        self._before: dict[int, bytes] = {}
        self._now: dict[int, int] = {}
        query = select(_HOLDERS.software, _HOLDERS.pcs).where(_HOLDERS.block == block)
        queries = [query]
        if software is not None:
            queries = [query.where(_HOLDERS.software.in_(part)) for part in parts(sorted(software))]
        for one in queries:
            self._before.update(connection.execute(one).all())

    def of(self, endpoint: int) -> list[int]:
        """Return what a PC has of what was read, before anything of it was changed here."""
        place, bit = divmod(endpoint % BLOCK_PCS, 8)
        return [number for number, pcs in self._before.items() if len(pcs) > place and pcs[place] >> bit & 1]

    def has(self, software: int, endpoint: int) -> bool:
        """Whether a PC has it, by the same."""
        place, bit = divmod(endpoint % BLOCK_PCS, 8)
        pcs = self._before.get(software, b"")
        return len(pcs) > place and bool(pcs[place] >> bit & 1)

    def add(self, software: int, endpoint: int) -> None:
        """Let a PC have it."""
        self._now[software] = self._of(software) | 1 << endpoint % BLOCK_PCS

    def remove(self, software: int, endpoint: int) -> None:
        """Let a PC have it no more."""
        self._now[software] = self._of(software) & ~(1 << endpoint % BLOCK_PCS)

    def _of(self, software: int) -> int:
        now = self._now.get(software)
        return unpacked(self._before.get(software, b"")) if now is None else now

    def write(self) -> None:
        """Write what has changed."""
        now = {number: packed(pcs) for number, pcs in sorted(self._now.items())}  # beside each other, as in the key
        changed = {number: pcs for number, pcs in now.items() if pcs != self._before.get(number, b"")}
        kept = [{"block": self._block, "software": number, "pcs": pcs} for number, pcs in changed.items() if pcs]
        gone = [{"of": number} for number, pcs in changed.items() if not pcs]
        if kept:
            self._connection.execute(upsert(self._connection, SOFTWARE_HOLDERS), kept)
        if gone:
            ours = (_HOLDERS.block == self._block) & (_HOLDERS.software == bindparam("of"))
            self._connection.execute(SOFTWARE_HOLDERS.delete().where(ours), gone)


def forget_unused_software(connection: Connection) -> None:
    """Forget what nobody has any more: PCs can make up as many names as they like."""
    connection.execute(SOFTWARE.delete().where(SOFTWARE.c.number.not_in(select(_HOLDERS.software))))
