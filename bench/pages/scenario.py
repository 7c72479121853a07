"""Looks at all pages while PCs report and the server sends to some sites; how late its controllers are meanwhile."""

import contextlib
import random
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import trio

from bench.fleet import Place
from bench.fleet_processes import free_ports
from bench.fleet_size.company import NETWORK, open_company
from bench.fleet_size.connecting import RETURN_SECONDS
from bench.fleet_size.identities import control_ca_pem, site_addresses
from bench.fleet_size.looking import FETCHING_PCS, SPARE_SECONDS, fetch, late, let_fetch
from bench.fleet_size.machine import revision, this_machine, use_of
from bench.fleet_size.records import Machine
from bench.fleet_size.reporting import DURABLE
from bench.fleet_size.state import percentile
from bench.lab.processor import machine_time
from bench.pages.addresses import addresses_of
from bench.pages.company import LOOKER, fill, filtered
from bench.pages.users import PageUser, Taken
from p2pdist import __version__
from seed_server.web.pages.table import PAGES
from tests.helpers.postgresql import running_server, why_not

DATABASES = ("sqlite", "postgresql")
OUTSIDE = {"login", "logout", "confirm"}
"""Pages that are no look at the company; their weight counts."""


class PageSizes(msgspec.Struct, frozen=True):
    """How large the company is, and for how long its pages are looked at."""

    pcs: int = 25_000
    patches: int = 300
    sites: int = 500
    report_seconds: float = 60.0
    users: int = 4
    settle_seconds: float = 10.0
    looking_seconds: float = 300.0


FULL = PageSizes()
QUICK = PageSizes(
    pcs=500, patches=10, sites=20, report_seconds=10.0, users=2, settle_seconds=3.0, looking_seconds=20.0
)
"""For development: shows that everything works, and says nothing of a company."""


class PageFigures(msgspec.Struct, frozen=True):
    """What one page took."""

    page: str
    """Its address."""
    looks: int
    p50_ms: float
    p95_ms: float
    worst_ms: float
    weight_bytes: int
    """With the style and the scripts that it needs; without them where it is a page with filters."""


class PageRun(msgspec.Struct, frozen=True):
    """One run, on one database."""

    database: str
    sizes: PageSizes
    machine: Machine
    version: str
    revision: str
    measured_at: float
    """Seconds since 1970."""
    seconds: float
    busy_share: float
    """Of all processors' time, what was in use while pages were looked at, by anybody."""
    server_cpu_share: float
    """Of one core, the server and what plays its PCs, while pages were looked at; PostgreSQL is not in it."""
    late_p99_ms: float | None
    """How late the controllers were meanwhile; None: none was at work."""
    late_p99_ms_before: float | None
    """Before, while nobody looked."""
    late_steps: int
    failed: dict[str, int]
    """Looks that were answered with something else than the page."""
    pages: list[PageFigures]


async def measure(database: str, sizes: PageSizes, directory: Path) -> PageRun:
    """Run a company in an empty directory, and look at its pages. Raises `RuntimeError` without PostgreSQL."""
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
            known = await trio.to_thread.run_sync(fill, company)
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
                addresses = addresses_of(PAGES, known)
                weights = {address: await users[0].weigh(address) for address in addresses.values()}
                looked = [address for name, address in addresses.items() if name not in OUTSIDE]
                looked += filtered(looked, known)
                taken = Taken()
                busy_from, use, machine = server.log.stat().st_size, use_of(server.process.pid), machine_time()
                with trio.move_on_after(sizes.looking_seconds):
                    async with trio.open_nursery() as nursery:
                        for number, user in enumerate(users):
                            nursery.start_soon(user.look, looked, taken, random.Random(number))
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
        pages=[_figures(address, taken, weights.get(address, 0)) for address in looked],
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
