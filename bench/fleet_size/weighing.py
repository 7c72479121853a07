"""Scenarios of bytes: what a row of standing takes, and what a publication costs a branch line."""

import sqlite3
from pathlib import Path

import trio

from bench.fleet_size.bulk import publish_many
from bench.fleet_size.company import PAYLOAD_BYTES, open_company
from bench.fleet_size.records import Outcome
from bench.fleet_size.reporting import NO_POSTGRESQL, write_standing
from bench.fleet_size.sizes import Sizes
from bench.lab.namespaces import why_not
from bench.publication_cost import measure

TABLES = ("standing", "reports")  # the first that there is holds what each PC has said of each patch


async def standing(sizes: Sizes, directory: Path) -> Outcome:
    """Write what PCs report of all live patches, and weigh the table with its indexes."""
    async with open_company(
        directory, sites=sizes.sites, pcs=sizes.standing_pcs, patches=sizes.live_patches
    ) as company:
        before = company.home.database.stat().st_size
        await trio.to_thread.run_sync(write_standing, company)
        after = company.home.database.stat().st_size  # closed, so that nothing is left in the log of writes
        rows = len(company.pcs) * len(company.patches)
        table, table_bytes = _weighed(company.home.database)
    outcome = Outcome("rows written as reports are, PC by PC")
    outcome.figures = {"rows": rows, "bytes_per_row": table_bytes / rows, "file_bytes_per_row": (after - before) / rows}
    outcome.notes.append(f"bytes per row: the table {table} and its indexes; file bytes: all that the rows brought")
    return outcome


async def standing_postgresql(_sizes: Sizes, _directory: Path) -> Outcome:
    """As `standing`, in PostgreSQL: not there yet."""
    return Outcome("not run", missing={"bytes_per_row": NO_POSTGRESQL})


def _weighed(path: Path) -> tuple[str, int]:
    """Return which table has the rows, and its bytes with those of its indexes."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        table = next(name for name in TABLES if name in names)
        query = "SELECT sum(pgsize) FROM dbstat WHERE name IN (SELECT name FROM sqlite_schema WHERE tbl_name = ?)"
        return table, int(connection.execute(query, (table,)).fetchone()[0])
    finally:
        connection.close()


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
