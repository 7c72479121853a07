"""Scenarios of reports: all PCs report regularly, and what is read of the state meanwhile."""

import time
from pathlib import Path

import trio

from bench.fleet_size import speech
from bench.fleet_size.company import Company, open_company
from bench.fleet_size.connecting import RETURN_SECONDS
from bench.fleet_size.crowd import Said
from bench.fleet_size.crowd_process import Crowds
from bench.fleet_size.machine import Use, use_of
from bench.fleet_size.records import Outcome
from bench.fleet_size.sizes import Sizes
from bench.fleet_size.state import CommitTimes, behind, percentile, stamps_of
from p2pdist.shared.wire.messages import PatchReport
from seed_server.fleet.context import Context
from seed_server.store.database import Database
from tests.helpers.postgresql import PostgresServer, running_server, why_not

CROWD_SECONDS = 0.5  # for reports under way to be sent
COMMIT_SECONDS = 30.0  # after the last report; what is not committed by then is lost
DURABLE = "-c shared_buffers=256MB"  # as Debian sets it up, but for memory
CHUNK_PCS = 500  # whose rows are written in one transaction before anything is measured


async def reports(sizes: Sizes, directory: Path) -> Outcome:
    """Let all PCs report while nothing else happens."""
    return await _reports(sizes, directory, None)


async def reports_postgresql(sizes: Sizes, directory: Path) -> Outcome:
    """As `reports`, with the state in PostgreSQL, whose processor time is counted too."""
    if reason := why_no_postgresql():
        return Outcome("not run", missing=dict.fromkeys(("lost", "committed_p99_seconds", "cpu_share"), reason))
    with running_server(options=DURABLE) as server:
        return await _reports(sizes, directory, server)


async def _reports(sizes: Sizes, directory: Path, postgresql: PostgresServer | None) -> Outcome:
    url = postgresql.new_database() if postgresql else ""
    async with open_company(
        directory, sites=sizes.sites, pcs=sizes.pcs, patches=sizes.reported_patches, database_url=url
    ) as company:
        await trio.to_thread.run_sync(write_standing, company)
        async with company.frame_crowd(report_seconds=sizes.report_seconds) as crowds:
            pids = [crowds.processes[0].process.pid, *([postgresql.pid] if postgresql else [])]
            await trio.sleep(sizes.settle_seconds)
            await crowds.connect(RETURN_SECONDS)
            await trio.sleep(sizes.settle_seconds)
            every = max(1, sizes.pcs // sizes.sampled_pcs)
            times = CommitTimes([pc.endpoint for pc in company.pcs[::every]])
            with Context(company.home).database() as database:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(times.watch, database)
                    quiet = list(map(use_of, pids))
                    await trio.sleep(sizes.settle_seconds)
                    begun = list(map(use_of, pids))
                    await crowds.say("report")
                    await trio.sleep(sizes.reporting_seconds)
                    ended, sent = list(map(use_of, pids)), crowds.total(lambda progress: progress.reports)
                    await crowds.say("quiet")
                    said, stamps = await _committed(crowds, database)
                    nursery.cancel_scope.cancel()
            connected = crowds.total(lambda progress: progress.connected)
    shares = list(map(Use.cpu_share_since, ended, begun))
    outcome = Outcome(f"{sizes.pcs:,} PCs as frames, {len(times.endpoints):,} of them timed")
    outcome.figures = {
        "connected": connected,
        "reports": sum(one.reports for one in said.values()),
        "reports_per_second": sent / sizes.reporting_seconds,
        "lost": behind(said, stamps) + times.lost(said),
        "timed_reports": len(times.seconds),
        "cpu_share": sum(shares),
        "cpu_share_before": sum(map(Use.cpu_share_since, begun, quiet)),
        "memory_bytes": ended[0].memory_bytes,
    }
    if postgresql:
        outcome.figures["postgresql_cpu_share"] = shares[1]
        outcome.notes.append("the processor time is that of the server and of PostgreSQL together")
    for percent in (50, 99, 100):
        if (value := percentile(times.seconds, percent)) is not None:
            outcome.figures[f"committed_p{percent}_seconds"] = value
    return outcome


async def _committed(crowds: Crowds, database: Database) -> tuple[dict[str, Said], dict[str, int]]:
    """Return what all PCs have reported, and the newest of it that is in the state once that has had time."""
    await trio.sleep(CROWD_SECONDS)
    said = await crowds.said()
    stamps = stamps_of(database, list(said))
    with trio.move_on_after(COMMIT_SECONDS):
        while behind(said, stamps):
            await trio.sleep(CROWD_SECONDS)
            stamps = stamps_of(database, list(said))
    await trio.sleep(CROWD_SECONDS)  # the last commit is seen by those who time it, too
    return said, stamps


def why_no_postgresql() -> str:
    """Return why nothing can be measured on PostgreSQL here; empty when it can."""
    return why_not()


def write_standing(company: Company, stamp: int = 0) -> None:
    """Write what all PCs have reported before, a row for each patch. Blocking."""
    rows: list[PatchReport] = [speech.verified(patch, stamp) for patch in company.patches]
    with Context(company.home).database() as database:
        for at in range(0, len(company.pcs), CHUNK_PCS):
            some = company.pcs[at : at + CHUNK_PCS]
            database.save_reports({pc.endpoint: rows for pc in some}, time.time())
