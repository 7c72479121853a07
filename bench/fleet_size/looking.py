"""Scenario: users ask for status and PCs report while the server sends to some sites; how late its controllers are."""

import os
import re
import signal
import subprocess
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio

from bench.fleet import Place
from bench.fleet_size.company import NETWORK, Company, open_company
from bench.fleet_size.connecting import RETURN_SECONDS
from bench.fleet_size.identities import site_addresses
from bench.fleet_size.machine import use_of
from bench.fleet_size.records import Outcome
from bench.fleet_size.reporting import write_standing
from bench.fleet_size.sizes import Sizes
from bench.lateness import told

FETCHING_PCS = 3  # real daemons, each the only PC of its site: so many controllers are at work
LINE_MBIT = 8.0
SPARE_SECONDS = 60.0  # for which the file lasts beyond what is measured
PATCH = "large"
END_SECONDS = 5.0
ANSWER = re.compile(rb"is serving|is not serving")  # once in each answer to a user
NOT_TOLD = "no controller was at work, so the server told nothing"


async def lateness(sizes: Sizes, directory: Path) -> Outcome:
    """Watch the controllers while users ask and all PCs report; before that, while nobody asks."""
    *sites, first, second, third = site_addresses(NETWORK, sizes.sites + FETCHING_PCS)
    daemons = [Place(address) for address in (first, second, third)]
    async with open_company(
        directory, sites=len(sites), pcs=sizes.pcs, patches=sizes.reported_patches, daemons=daemons
    ) as company:
        let_fetch(company)
        await trio.to_thread.run_sync(write_standing, company)
        async with company.frame_crowd(report_seconds=sizes.report_seconds) as crowds:
            (server,) = crowds.processes
            await trio.sleep(sizes.settle_seconds)
            await crowds.connect(RETURN_SECONDS)
            await fetch(company, 2 * sizes.asking_seconds + 2 * sizes.settle_seconds + SPARE_SECONDS)
            await crowds.say("report")
            await trio.sleep(sizes.settle_seconds)
            quiet_from, begun = server.log.stat().st_size, use_of(server.process.pid)
            await trio.sleep(sizes.asking_seconds)
            quiet_to, ended = server.log.stat().st_size, use_of(server.process.pid)
            async with _users(company, sizes.users) as outputs:
                await trio.sleep(sizes.settle_seconds)
                busy_from, asked_before = server.log.stat().st_size, _answers(outputs)
                before_asking = use_of(server.process.pid)
                await trio.sleep(sizes.asking_seconds)
                busy_to, asked = server.log.stat().st_size, _answers(outputs) - asked_before
                asking = use_of(server.process.pid)
        log = server.log.read_bytes()
    outcome = Outcome(f"{sizes.pcs:,} PCs as frames, {FETCHING_PCS} real daemons that fetch, {sizes.users} users")
    outcome.figures = {
        "answers_per_second": asked / sizes.asking_seconds,
        "cpu_share_before": ended.cpu_share_since(begun),
        "cpu_share": asking.cpu_share_since(before_asking),
    }
    quiet, busy = late(log[quiet_from:quiet_to].decode()), late(log[busy_from:busy_to].decode())
    if busy:
        outcome.figures |= {f"late_{name}": value for name, value in busy.items()}
        outcome.figures |= {f"late_{name}_before": value for name, value in quiet.items()}
        outcome.notes.append("the p99 is the largest of those that the server told, each of ten seconds")
    else:
        outcome.missing = {"late_p99_seconds": NOT_TOLD}
    return outcome


def let_fetch(company: Company) -> None:
    """Give each daemon a site with a line, and have the server tell how late its controllers are."""
    home = company.home
    with home.sites.open("a") as file:
        for k, member in company.fleet.endpoints.items():
            file.write(
                f'[[site]]\nname = "fetching-{k}"\nnetworks = ["{member.address}/32"]\nline_mbit = {LINE_MBIT}\n'
            )
    with home.settings.open("a") as file:
        file.write('log_level = "debug"\n')


async def fetch(company: Company, seconds: float) -> None:
    """Let the real daemons fetch a file that lasts for so long."""
    company.fleet.follow_seconds = 2.0  # their answers cost this machine's processors
    for k in company.fleet.endpoints:
        await company.fleet.start_endpoint(k)
    file = company.directory / PATCH
    file.write_bytes(os.urandom(int(seconds * LINE_MBIT * 125_000)))
    await company.fleet.publish(file, PATCH)
    file.unlink()


@asynccontextmanager
async def _users(company: Company, count: int) -> AsyncIterator[list[Path]]:
    """Let users watch the status, each with a command of its own; yield where their answers go."""
    outputs = [company.directory / f"user-{k}.txt" for k in range(count)]
    program = Path(sysconfig.get_path("scripts")) / "seed-server"
    command = [str(program), "status", "--watch", "--home", str(company.home.root)]
    async with trio.open_nursery() as nursery:
        for output in outputs:
            with output.open("wb") as file:
                start = partial(
                    trio.run_process, command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.DEVNULL,
                    check=False, start_new_session=True, deliver_cancel=_end,
                )  # fmt: skip
                await nursery.start(start)
        try:
            yield outputs
        finally:
            nursery.cancel_scope.cancel()


async def _end(process: trio.Process) -> None:
    process.send_signal(signal.SIGINT)
    await trio.sleep(END_SECONDS)
    process.kill()


def _answers(outputs: list[Path]) -> int:
    return sum(len(ANSWER.findall(output.read_bytes())) for output in outputs)


def late(log: str) -> dict[str, float]:
    """Return what these lines of a server's log tell of its controllers; empty where they tell nothing."""
    try:
        found = told(log)
    except ValueError:
        return {}
    return {"steps": found.steps, "p99_seconds": found.p99_ms / 1e3, "worst_seconds": found.worst_ms / 1e3}
