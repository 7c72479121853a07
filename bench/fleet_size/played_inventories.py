"""The inventories of played PCs: some kinds of PCs, that have most packages in common. Pure."""

import random

from p2pdist.pc.kept_inventories import TellingOf
from p2pdist.shared.manifest.inventory import (
    EMPTY_DIGEST,
    NOTHING,
    PACKAGES_TOLD,
    Inventory,
    InventoryFact,
    PackagesTold,
    difference,
    digest_of,
)
from p2pdist.shared.manifest.versions import Ecosystem
from p2pdist.shared.wire.channels import encode_message
from p2pdist.shared.wire.inventory import InventoryPart, InventoryStated, InventoryWanted, packed

KINDS = 200  # made once; each is told by as many PCs as there are for it
NAMES_FOR_EACH = 4  # packages of all PCs together, for each one that a PC has
VERSIONS = 3  # of a package


def inventory_of_kind(kind: int, packages: int) -> Inventory:
    """Return what a PC of a kind is and has; the same each time."""
    chance = random.Random(kind)
    drawn = random.Random(0)
    names = [f"lib{drawn.randrange(1 << 40):x}-{number}" for number in range(NAMES_FOR_EACH * packages)]
    # the first ones are what most PCs have
    had = {names[min(int(chance.expovariate(1 / packages)), len(names) - 1)] for _ in range(3 * packages)}
    some = sorted(had)[:packages]
    facts: dict[str, InventoryFact] = {
        "os.family": "debian", "os.id": "debian", "os.release": "12", "os.build": 0, "os.language": "ja-jp",
        "arch": "amd64", "ram_mb": 8_000 + kind, "network": "wired", "disk.free_mb": 100_000 + kind,
        PACKAGES_TOLD: PackagesTold.ALL.value,
    }  # fmt: skip
    versions = {(Ecosystem.DEB, name): f"1:{chance.randrange(VERSIONS)}.2.{len(name)}-1~deb12u1" for name in some}
    return Inventory(facts, versions)


def telling_of(inventory: Inventory) -> TellingOf:
    """Return all of it as it is told."""
    return TellingOf(EMPTY_DIGEST, digest_of(inventory), packed(difference(NOTHING, inventory)))


def stated(telling: TellingOf) -> bytes:
    """Return the body of the frame that says its digest."""
    return encode_message(InventoryStated(telling.digest))


def part_of(telling: TellingOf, wanted: InventoryWanted) -> bytes:
    """Return the body of the answer to a question of the server."""
    data = telling.data[wanted.offset : wanted.offset + wanted.most_bytes]
    return encode_message(InventoryPart(telling.base, telling.digest, wanted.offset, len(telling.data), data))
