"""All PCs tell a server everything that they are and have, as after its rebuild. They are played."""

from collections.abc import Mapping
from pathlib import Path

import trio

from bench.fleet_size.company import open_company
from bench.fleet_size.connecting import RETURN_SECONDS
from bench.fleet_size.machine import use_of
from bench.fleet_size.played_inventories import KINDS, inventory_of_kind, telling_of
from bench.fleet_size.records import Outcome
from bench.fleet_size.sizes import Sizes
from p2pdist.shared.manifest.inventory import InventoryDigest, digest_of
from seed_server.fleet.context import Context
from seed_server.store.database import Database

TELLING_SECONDS = 3_600.0  # twice the target: then it is said how far they were
STATE_LOOK_SECONDS = 2.0


async def inventory_return(sizes: Sizes, directory: Path) -> Outcome:
    """Let all PCs, which are connected, tell all, and measure until it is recorded."""
    async with open_company(directory, sites=sizes.sites, pcs=sizes.pcs) as company:
        kinds = [inventory_of_kind(kind, sizes.packages) for kind in range(min(KINDS, sizes.pcs))]
        digests = [digest_of(kind) for kind in kinds]
        wanted = {pc.endpoint: digests[pc.number % len(kinds)] for pc in company.pcs}
        async with company.frame_crowd(packages=sizes.packages) as crowds:
            pid = crowds.processes[0].process.pid
            await trio.sleep(sizes.settle_seconds)
            await crowds.connect(RETURN_SECONDS)
            await trio.sleep(sizes.settle_seconds)
            quiet = use_of(pid)
            await trio.sleep(sizes.settle_seconds)
            begun = use_of(pid)
            await crowds.say("tell")
            with Context(company.home).database() as database:
                missing = await _recorded(database, wanted)
            ended = use_of(pid)
            connected = crowds.total(lambda progress: progress.connected)
        state_bytes = company.home.database.stat().st_size
    outcome = Outcome(f"{sizes.pcs:,} PCs as frames, {sizes.packages} packages each, of {len(kinds)} kinds")
    outcome.figures = {
        "connected": connected,
        "told_bytes_each": len(telling_of(kinds[0]).data),
        "cpu_share_before": begun.cpu_share_since(quiet),
        "cpu_seconds": ended.cpu_seconds - begun.cpu_seconds,
        "added_memory_bytes": ended.memory_bytes - begun.memory_bytes,
        "memory_bytes": ended.memory_bytes,
        "state_bytes": state_bytes,
    }
    if missing:
        why = f"after {ended.at - begun.at:.0f} s {missing} PCs were missing"
        outcome.missing = {"seconds": why, "cpu_share": why}
    else:
        outcome.figures |= {"seconds": ended.at - begun.at, "cpu_share": ended.cpu_share_since(begun)}
    return outcome


async def _recorded(database: Database, wanted: Mapping[str, InventoryDigest]) -> int:
    """Wait until all of this is recorded; return of how many PCs it is not."""
    missing = set(wanted)
    with trio.move_on_after(TELLING_SECONDS):
        while missing:
            await trio.sleep(STATE_LOOK_SECONDS)
            found = await trio.to_thread.run_sync(database.digests_of, missing)
            missing -= {endpoint for endpoint, digest in found.items() if digest == wanted[endpoint]}
    return len(missing)
