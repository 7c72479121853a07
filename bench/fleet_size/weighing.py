"""Scenarios of bytes: what a row of standing takes, and what a publication costs a branch line."""

from pathlib import Path

import trio

from bench.fleet_size.bulk import publish_many
from bench.fleet_size.company import PAYLOAD_BYTES, open_company
from bench.fleet_size.records import Outcome
from bench.fleet_size.reporting import DURABLE, why_no_postgresql, write_standing
from bench.fleet_size.sizes import Sizes
from bench.fleet_size.state import standing_bytes
from bench.lab.namespaces import why_not
from bench.publication_cost import measure
from seed_server.fleet.context import Context
from tests.helpers.postgresql import running_server


async def standing(sizes: Sizes, directory: Path) -> Outcome:
    """Write what PCs report of all live patches, and weigh the table with its indexes."""
    return await _standing(sizes, directory, "")


async def standing_postgresql(sizes: Sizes, directory: Path) -> Outcome:
    """As `standing`, in PostgreSQL."""
    if reason := why_no_postgresql():
        return Outcome("not run", missing={"bytes_per_row": reason})
    with running_server(options=DURABLE) as server:
        return await _standing(sizes, directory, server.new_database())


async def _standing(sizes: Sizes, directory: Path, database_url: str) -> Outcome:
    async with open_company(
        directory, sites=sizes.sites, pcs=sizes.standing_pcs, patches=sizes.live_patches, database_url=database_url
    ) as company:
        rows = len(company.pcs) * len(company.patches)
        with Context(company.home).database() as database:
            await trio.to_thread.run_sync(write_standing, company)
            fresh = standing_bytes(database)
            await trio.to_thread.run_sync(write_standing, company, 1)
            rewritten = standing_bytes(database)
    outcome = Outcome("rows written as reports are; the table with its indexes")
    outcome.figures = {"rows": rows, "bytes_per_row": fresh / rows, "rewritten_bytes_per_row": rewritten / rows}
    outcome.notes.append("rewritten: when each row has been written once more at once, with no time to clear up")
    return outcome


async def publication(sizes: Sizes, directory: Path) -> Outcome:
    """Publish a small patch after many others, to real daemons at one branch, and count every packet on its line."""
    if reason := why_not():
        return Outcome("not run", missing={"line_bytes": reason})
    cost = await measure(
        directory,
        sizes.branch_pcs,
        sizes.published_patches,
        PAYLOAD_BYTES,
        publish_before=lambda fleet, count: publish_many(fleet, directory, count, offered=sizes.live_patches),
    )
    outcome = Outcome(f"{sizes.branch_pcs} real daemons on a line of the lab; every IP packet of both directions")
    idle = sum(one.to_pcs_bytes + one.from_pcs_bytes for one in cost.idle.values())
    outcome.figures = {
        "line_bytes": cost.total_bytes - idle,
        "all_bytes": cost.total_bytes,
        "idle_bytes": idle,
        "seconds": cost.seconds,
        "watched_seconds": cost.watched_seconds,
    }
    for cause, carried in cost.causes.items():
        name = cause.replace(" ", "_")
        outcome.figures[f"{name}_bytes"] = carried.to_pcs_bytes + carried.from_pcs_bytes
        outcome.figures[f"{name}_connections"] = carried.connections
    outcome.notes.append(f"{sizes.live_patches} of the {sizes.published_patches} patches were offered, to other PCs")
    return outcome
