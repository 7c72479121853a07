"""Looks at all pages while PCs report and the server sends to some sites; how late its controllers are meanwhile."""

import contextlib
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import trio

from bench.fleet import Place
from bench.fleet_processes import free_ports
from bench.fleet_size.company import NETWORK, open_company
from bench.fleet_size.connecting import RETURN_SECONDS
from bench.fleet_size.identities import control_ca_pem, site_addresses
from bench.fleet_size.looking import FETCHING_PCS, SPARE_SECONDS, fetch, late, let_fetch
from bench.fleet_size.machine import revision, this_machine, use_of
from bench.fleet_size.reporting import DURABLE
from bench.fleet_size.state import percentile
from bench.lab.processor import machine_time
from bench.pages.addresses import addresses_of
from bench.pages.company import LOOKER, fill, filtered
from bench.pages.records import PageFigures, PageRun, PageSizes
from bench.pages.users import PageUser, Taken
from p2pdist import __version__
from seed_server.web.pages.table import PAGES
from tests.helpers.postgresql import running_server, why_not

OUTSIDE = {"login", "logout", "confirm"}
"""Pages that are no look at the company; their weight counts."""


async def measure(database: str, sizes: PageSizes, directory: Path, meant: re.Pattern[str]) -> PageRun:
    """Run a company in an empty directory, and look at those of its pages whose paths have ``meant`` in them.

    Raises `RuntimeError` without PostgreSQL.
    """
    at, begun = time.time(), trio.current_time()
    with _database(database) as url:
        (api_port,) = free_ports(1)
        *sites, first, second, third = site_addresses(NETWORK, sizes.sites + FETCHING_PCS)
        daemons = [Place(address) for address in (first, second, third)]
        async with open_company(
            directory, sites=len(sites), pcs=sizes.pcs, patches=sizes.patches, daemons=daemons, database_url=url,
            api_port=api_port,
        ) as company:  # fmt: skip
            let_fetch(company)
            known = await trio.to_thread.run_sync(fill, company, sizes.entries)
            async with company.frame_crowd(told=True, report_seconds=sizes.report_seconds) as crowds:
                (server,) = crowds.processes
                await trio.sleep(sizes.settle_seconds)
                await crowds.connect(RETURN_SECONDS)
                await fetch(company, 2 * sizes.looking_seconds + 6 * sizes.settle_seconds + SPARE_SECONDS)
                await crowds.say("report")
                await trio.sleep(sizes.settle_seconds)
                quiet_from = server.log.stat().st_size
                await trio.sleep(min(60.0, sizes.looking_seconds))
                quiet_to = server.log.stat().st_size
                users = [PageUser(f"https://127.0.0.1:{api_port}", control_ca_pem(company.home)) for _ in range(sizes.users)]  # fmt: skip  # noqa: E501
                for user in users:
                    await user.log_in(LOOKER)
                addresses = addresses_of((page for page in PAGES if meant.search(page.path)), known)
                weights = {address: await users[0].weigh(address) for address in addresses.values()}
                looked = [one for name, one in addresses.items() if name not in OUTSIDE and weights[one] is not None]
                looked = [*looked, *filtered(looked, known)]
                taken = Taken()
                busy_from, use, machine = server.log.stat().st_size, use_of(server.process.pid), machine_time()
                with trio.move_on_after(sizes.looking_seconds):
                    async with trio.open_nursery() as nursery:
                        for number, user in enumerate(users):
                            nursery.start_soon(user.look, looked, taken, random.Random(number), sizes.pause_seconds)
                busy_to, used = server.log.stat().st_size, use_of(server.process.pid).cpu_share_since(use)
                busy_share = machine_time().busy_share_since(machine)
                for user in users:
                    await user.close()
            log = server.log.read_bytes()
    quiet, busy = late(log[quiet_from:quiet_to].decode()), late(log[busy_from:busy_to].decode())
    return PageRun(
        database=database,
        sizes=sizes,
        machine=this_machine(),
        version=__version__,
        revision=revision(),
        measured_at=round(at),
        seconds=round(trio.current_time() - begun, 1),
        busy_share=round(busy_share, 3),
        server_cpu_share=round(used, 3),
        late_p99_ms=_ms(busy.get("p99_seconds")),
        late_p99_ms_before=_ms(quiet.get("p99_seconds")),
        late_steps=int(busy.get("steps", 0)),
        failed=taken.failed,
        p95_ms=round(1e3 * (percentile([one for times in taken.seconds.values() for one in times], 95) or 0.0), 1),
        pages=[_figures(address, taken, weights.get(address) or 0) for address in looked],
    )


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else round(1e3 * seconds, 2)


def _figures(address: str, taken: Taken, weight: int) -> PageFigures:
    times = taken.seconds.get(address, [])

    def at(percent: float) -> float:
        return round(1e3 * (percentile(times, percent) or 0.0), 1)

    return PageFigures(address, len(times), at(50), at(95), at(100), weight)


@contextlib.contextmanager
def _database(name: str) -> Iterator[str]:
    """Give the URL of a database; empty: SQLite, in the home."""
    if name == "sqlite":
        yield ""
        return
    if reason := why_not():
        raise RuntimeError(reason)
    with running_server(options=DURABLE) as server:
        yield server.new_database()
