"""The database's inventories as questions read them: which PCs there are, their facts, who has a package. Blocking."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import select

from seed_server.store.interned import parts
from seed_server.store.pc_sets import unpacked
from seed_server.store.software_rows import Software, software_of
from seed_server.store.tables import ENDPOINTS, SITES
from seed_server.store.tables_inventory import BLOCK_PCS, INVENTORIES, SOFTWARE, SOFTWARE_HOLDERS
from seed_server.store.transactions import Transactions


class InventoriedPc(NamedTuple):
    """One PC that is enrolled and not denied, and what is known of its inventory."""

    number: int
    endpoint_id: str
    hostname: str
    site: str
    tags: str
    """With spaces between them."""
    told_at: float | None
    """When what is known of it was so; None: nothing is known."""
    all_packages: bool | None
    """Whether what is not among its packages is not installed."""


class InventorySetTable(Transactions):
    """The part of `Database` that questions about inventories read; raises as all of it."""

    def inventoried_pcs(self, site: int | None = None) -> list[InventoriedPc]:
        """Return every PC that is not denied, or those that were seen last at one site; 25,000 take 0.1 s."""
        pc, has = ENDPOINTS.c, INVENTORIES.c
        columns = (pc.number, pc.endpoint_id, pc.hostname, SITES.c.name, pc.tags, has.told_at, has.all_packages)
        query = select(*columns).select_from(ENDPOINTS.join(SITES).join(INVENTORIES, isouter=True)).where(~pc.denied)
        if site is not None:
            query = query.where(pc.site == site)
        with self.reading() as connection:
            return [InventoriedPc(*row) for row in connection.execute(query).all()]

    def told_facts_of_all(self, names: Sequence[str]) -> list[tuple[int, tuple[Any, ...]]]:
        """Return the number of every PC of which something is known, with these facts; None: it has not told one."""
        fields = [f"fact_{place}" for place in range(len(names))]
        renamed = dict(zip(fields, names, strict=True))
        shape = msgspec.defstruct("_Facts", [(field, Any, None) for field in fields], rename=renamed)
        decoder = msgspec.json.Decoder(shape)  # what is not asked for is passed over
        query = select(INVENTORIES.c.endpoint, INVENTORIES.c.facts)
        with self.reading() as connection:
            rows = connection.execute(query).all()
        return [(number, msgspec.structs.astuple(decoder.decode(facts))) for number, facts in rows]

    def holders_of(self, name: str, blocks: Iterable[int]) -> list[tuple[Software, int]]:
        """Return every version of the packages of this name that a PC of ``blocks`` has, with the set of PCs."""
        with self.reading() as connection:
            query = select(SOFTWARE.c.number, SOFTWARE.c.ecosystem, SOFTWARE.c.name, SOFTWARE.c.version)
            known = {
                number: software_of(*row)
                for number, *row in connection.execute(query.where(SOFTWARE.c.name == name)).all()
            }
            found = dict.fromkeys(known, 0)
            has = SOFTWARE_HOLDERS.c
            held = select(has.software, has.block, has.pcs)
            for some in parts(sorted(blocks)):
                for part in parts(sorted(known)):
                    rows = connection.execute(held.where(has.block.in_(some), has.software.in_(part))).all()
                    for number, block, pcs in rows:
                        found[number] |= unpacked(pcs) << BLOCK_PCS * block
        return [(software, found[number]) for number, software in known.items() if found[number]]
