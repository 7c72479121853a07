"""Inventories that PCs have told a database."""

from p2pdist.shared.manifest.inventory import NOTHING, PACKAGES_TOLD, Inventory, InventoryFact, difference, digest_of
from p2pdist.shared.manifest.versions import Ecosystem
from seed_server.store.database import Database
from seed_server.store.inventory import InventoryTold


def tell(database: Database, pc: str, inventory: Inventory, at: float) -> None:
    """Let a PC tell all that it is and has."""
    told = InventoryTold(pc, None, digest_of(inventory), difference(NOTHING, inventory), at)
    assert database.store_inventories([told]) == {pc: True}


def debian(ram_mb: int = 8_000, told: str = "all", **packages: str) -> Inventory:
    """Return the inventory of a Debian with these packages."""
    facts: dict[str, InventoryFact] = {"os.family": "debian", "os.release": "12", "ram_mb": ram_mb, PACKAGES_TOLD: told}
    return Inventory(facts, {(Ecosystem.DEB, name): version for name, version in packages.items()})
