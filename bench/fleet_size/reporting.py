"""Scenarios of reports: all PCs report regularly, and what is read of the state meanwhile."""

from collections.abc import Sequence
from pathlib import Path

import trio

from bench.fleet_size import speech
from bench.fleet_size.committed import Committed, CommitTimes, behind, percentile
from bench.fleet_size.company import Company, open_company
from bench.fleet_size.connecting import RETURN_SECONDS
from bench.fleet_size.crowd import Said
from bench.fleet_size.crowd_process import Crowds
from bench.fleet_size.machine import use_of
from bench.fleet_size.records import Outcome
from bench.fleet_size.sizes import Sizes
from p2pdist.shared.wire.messages import PatchReport
from seed_server.store.database import Database

CROWD_SECONDS = 0.5  # for reports under way to be sent
COMMIT_SECONDS = 30.0  # after the last report; what is not committed by then is lost
CHUNK_PCS = 500  # whose rows are written in one transaction before anything is measured

NO_POSTGRESQL = "the server keeps its state in SQLite alone"


async def reports(sizes: Sizes, directory: Path) -> Outcome:
    """Let all PCs report while nothing else happens."""
    async with open_company(directory, sites=sizes.sites, pcs=sizes.pcs, patches=sizes.reported_patches) as company:
        await trio.to_thread.run_sync(write_standing, company)
        async with company.frame_crowd(report_seconds=sizes.report_seconds) as crowds:
            pid = crowds.processes[0].process.pid
            await trio.sleep(sizes.settle_seconds)
            await crowds.connect(RETURN_SECONDS)
            await trio.sleep(sizes.settle_seconds)
            every = max(1, sizes.pcs // sizes.sampled_pcs)
            times = CommitTimes([pc.endpoint for pc in company.pcs[::every]])
            async with trio.open_nursery() as nursery:
                nursery.start_soon(times.watch, company.home.database)
                idle = use_of(pid)
                await trio.sleep(sizes.settle_seconds)
                begun = use_of(pid)
                await crowds.say("report")
                await trio.sleep(sizes.reporting_seconds)
                ended = use_of(pid)
                sent = crowds.total(lambda progress: progress.reports)
                await crowds.say("quiet")
                said, stamps = await _committed(crowds, company)
                nursery.cancel_scope.cancel()
            connected = crowds.total(lambda progress: progress.connected)
    outcome = Outcome(f"{sizes.pcs:,} PCs as frames, {len(times.endpoints):,} of them timed")
    outcome.figures = {
        "connected": connected,
        "reports": sum(one.reports for one in said.values()),
        "reports_per_second": sent / sizes.reporting_seconds,
        "lost": behind(said, stamps) + times.lost(said),
        "timed_reports": len(times.seconds),
        "cpu_share": ended.cpu_share_since(begun),
        "cpu_share_before": begun.cpu_share_since(idle),
        "memory_bytes": ended.memory_bytes,
    }
    for percent in (50, 99, 100):
        if (value := percentile(times.seconds, percent)) is not None:
            outcome.figures[f"committed_p{percent}_seconds"] = value
    return outcome


async def _committed(crowds: Crowds, company: Company) -> tuple[dict[str, Said], dict[str, int]]:
    """Return what all PCs have reported, and the newest of it that is in the state once that has had time."""
    await trio.sleep(CROWD_SECONDS)
    said = await crowds.said()
    with Committed(company.home.database) as committed:
        stamps = committed.stamps(list(said))
        with trio.move_on_after(COMMIT_SECONDS):
            while behind(said, stamps):
                await trio.sleep(CROWD_SECONDS)
                stamps = committed.stamps(list(said))
    await trio.sleep(CROWD_SECONDS)  # the last commit is seen by those who time it, too
    return said, stamps


async def reports_postgresql(_sizes: Sizes, _directory: Path) -> Outcome:
    """As `reports`, with the state in PostgreSQL: not there yet."""
    figures = ("lost", "committed_p99_seconds", "cpu_share")
    return Outcome("not run", missing=dict.fromkeys(figures, NO_POSTGRESQL))


def write_standing(company: Company, patches: Sequence[speech.LivePatch] | None = None) -> None:
    """Write what all PCs have reported before, a row for each patch. Blocking."""
    rows: list[PatchReport] = [speech.verified(patch, 0) for patch in patches or company.patches]
    with Database.open(company.home.database) as database:
        for at in range(0, len(company.pcs), CHUNK_PCS):
            with database.batch():
                for pc in company.pcs[at : at + CHUNK_PCS]:
                    database.save_reports(pc.endpoint, rows, 1.0)
