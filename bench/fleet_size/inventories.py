"""Scenarios of inventories: what they take in the database, what recording them costs, how long a question is."""

import base64
import hashlib
import random
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import trio

from bench.fleet_size.records import Outcome
from bench.fleet_size.reporting import CHUNK_PCS, DURABLE, why_no_postgresql
from bench.fleet_size.sizes import Sizes
from bench.fleet_size.state import table_bytes
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.manifest.inventory import NOTHING, PACKAGES_TOLD, Inventory, InventoryFact, difference, digest_of
from p2pdist.shared.manifest.versions import Ecosystem
from seed_server.fleet.context import Context
from seed_server.fleet.inventory_queries import InventoryQuestion, ask_inventory
from seed_server.initialising import initialise
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.store.database import Database
from seed_server.store.inventory import InventoryTold
from seed_server.store.rows import SeenRow
from seed_server.store.tables_inventory import INVENTORIES, SOFTWARE, SOFTWARE_HOLDERS
from tests.helpers.postgresql import running_server

AT_ONCE = 100  # PCs recorded in one transaction, as the server does
COMMON_SHARE = 0.75  # of a PC's packages are on every PC, in one of a few versions
RARE_NAMES = 4_000  # that the others are chosen from
OPENSSL = [f"3.0.{patch}-1~deb12u{patch - 13}" for patch in (14, 15, 16, 17, 18)]
QUESTIONS = {
    "openssl": 'package("openssl") < version("3.0.17")',
    "facts": 'os.family == "debian" and ram_mb < 8000 and "lab" not in tags',
    "mixed": 'os.release >= version("12") and (package("openssl") < version("3.0.17") or not installed("common-1"))',
}
TIMES = 21
NOT_MEASURED = ("database_bytes", "openssl_seconds", "store_cpu_ms_per_pc")


async def inventory(sizes: Sizes, directory: Path) -> Outcome:
    """Record what all PCs have, let each upgrade a package, and ask."""
    return await trio.to_thread.run_sync(_inventory, sizes, directory, "")


async def inventory_postgresql(sizes: Sizes, directory: Path) -> Outcome:
    """As `inventory`, with the state in PostgreSQL."""
    if reason := why_no_postgresql():
        return Outcome("not run", missing=dict.fromkeys(NOT_MEASURED, reason))
    with running_server(options=DURABLE) as server:
        return await trio.to_thread.run_sync(_inventory, sizes, directory, server.new_database())


def _inventory(sizes: Sizes, directory: Path, url: str) -> Outcome:
    context = _home(sizes, directory, url)
    outcome = Outcome(f"{sizes.pcs:,} PCs with {sizes.inventory_packages:,} packages each, told {AT_ONCE} at a time")
    with context.database() as database:
        cpu, wall = _record(database, _whole(sizes), sizes.pcs)
        figures = {"store_cpu_ms_per_pc": cpu, "store_ms_per_pc": wall}
        cpu, wall = _record(database, _upgrades(sizes), sizes.pcs)
        figures |= {"upgrade_cpu_ms_per_pc": cpu, "upgrade_ms_per_pc": wall}
        tables = {table.name: table_bytes(database, table) for table in (INVENTORIES, SOFTWARE, SOFTWARE_HOLDERS)}
    figures["database_bytes"] = sum(tables.values())
    figures |= {f"{name}_bytes": size for name, size in tables.items()}
    for name, expression in QUESTIONS.items():
        figures[f"{name}_seconds"], found = _asked(context, expression)
        outcome.notes.append(f"{expression} is true of {found:,}")
    outcome.figures = figures
    return outcome


def _home(sizes: Sizes, directory: Path, url: str) -> Context:
    home, clock = ServerHome(directory / "home"), SystemClock()
    settings = ServerSettings(name="bench", address="127.0.0.1", database_url=url)
    initialise(home, settings, passphrase=None, now=clock.now())
    context = Context(home, clock)
    with context.database() as database:
        for start in range(0, sizes.pcs, CHUNK_PCS):
            some = range(start, min(start + CHUNK_PCS, sizes.pcs))
            with database.batch():
                for number in some:
                    database.add_endpoint(_id(number), f"pc-{number:05}.branch-{number % sizes.sites}", 1.0)
                seen = {_id(number): f"branch-{number % sizes.sites}" for number in some}
                database.save_seen({pc: SeenRow(site, "10.0.0.1", "", False, clock.now()) for pc, site in seen.items()})
    return context


def _whole(sizes: Sizes) -> Iterator[InventoryTold]:
    for number in range(sizes.pcs):
        has = _of(sizes, number)
        yield InventoryTold(_id(number), None, digest_of(has), difference(NOTHING, has), time.time())


def _upgrades(sizes: Sizes) -> Iterator[InventoryTold]:
    """Yield what every PC tells once two of its packages have another version."""
    for number in range(sizes.pcs):
        before = _of(sizes, number)
        newer = {(Ecosystem.DEB, "common-2"): "9.0-1", (Ecosystem.DEB, "common-3"): "9.0-2"}
        after = Inventory(before.facts, {**before.packages, **newer})
        yield InventoryTold(_id(number), digest_of(before), digest_of(after), difference(before, after), time.time())


def _of(sizes: Sizes, number: int) -> Inventory:
    """Return what a PC is and has: most in common with all others, each in one of up to five versions."""
    chance = random.Random(number)
    common = int(COMMON_SHARE * sizes.inventory_packages)
    names = [f"common-{place}" for place in range(common - 1)]
    names += [
        f"rare-{place}-of-some-kind" for place in chance.sample(range(RARE_NAMES), sizes.inventory_packages - common)
    ]
    age = chance.random()  # PCs that are upgraded seldom have the older versions of all
    packages = {(Ecosystem.DEB, name): _version(name, age, chance) for name in names}
    packages[Ecosystem.DEB, "openssl"] = OPENSSL[int(age * len(OPENSSL))]
    facts: dict[str, InventoryFact] = {
        "os.family": "debian", "os.id": "debian", "os.release": "12", "os.build": 0, "os.language": "ja-jp",
        "arch": "amd64", "hostname": f"pc-{number:05}", "disk.free_mb": chance.randrange(10**6),
        "ram_mb": chance.choice((4_000, 8_000, 16_000, 32_000)), "network": "wired", PACKAGES_TOLD: "all",
    }  # fmt: skip
    return Inventory(facts, packages)


def _version(name: str, age: float, chance: random.Random) -> str:
    kind = sum(name.encode())  # the same in every process
    versions = 1 + kind % 5
    newest = int(age * versions) if chance.random() < 0.95 else 0
    return f"{kind % 9}.{kind % 31}.{newest}-{1 + kind % 4}+deb12u{newest}"


def _record(database: Database, told: Iterator[InventoryTold], pcs: int) -> tuple[float, float]:
    """Record what PCs tell; return milliseconds for each of them, of the processor and by the clock."""
    cpu = wall = 0.0
    while some := list(_some(told)):
        began, began_cpu = time.monotonic(), time.process_time()
        taken = database.store_inventories(some)
        cpu, wall = cpu + time.process_time() - began_cpu, wall + time.monotonic() - began
        if not all(taken.values()):
            raise RuntimeError("an inventory was not taken")
    return 1_000 * cpu / pcs, 1_000 * wall / pcs


def _some(told: Iterator[InventoryTold]) -> Iterator[InventoryTold]:
    for _, one in zip(range(AT_ONCE), told, strict=False):
        yield one


def _asked(context: Context, expression: str) -> tuple[float, int]:
    """Return the seconds that an answer takes, and of how many PCs it is true."""
    seconds: list[float] = []
    found: Sequence[object] = ()
    for _ in range(TIMES):
        began = time.monotonic()
        found = ask_inventory(context, InventoryQuestion(expression)).true
        seconds.append(time.monotonic() - began)
    return statistics.median(seconds), len(found)


def _id(number: int) -> str:
    return base64.b32encode(hashlib.sha256(str(number).encode()).digest())[:26].decode().lower()
