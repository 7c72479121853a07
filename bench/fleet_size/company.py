"""A server with a company: its home, its sites, its enrolled PCs, and the patches that they have."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio
from msgspec.structs import replace

from bench.fleet import Fleet, Place, open_fleet_at
from bench.fleet_size.crowd import Plan
from bench.fleet_size.crowd_process import Crowds, open_crowds
from bench.fleet_size.identities import Pc, control_ca_pem, enrol_all, site_addresses, site_map
from bench.fleet_size.machine import Use, use_of
from bench.fleet_size.speech import LivePatch
from bench.quick_publish import publish
from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome

NETWORK = "127.0.48"  # and the next ones, for the sites
SERVER = "127.0.52.250"
TLS_PROCESSES = 2
CONNECT_AT_ONCE = 40  # of each process; the server lets 100 from one address be unproven
FRAMES_AT_ONCE = 400
PAYLOAD_BYTES = 10_000


@dataclass
class Company:
    """A home that is ready to be served."""

    fleet: Fleet
    directory: Path
    pcs: list[Pc]
    patches: list[LivePatch]

    @property
    def home(self) -> ServerHome:
        """The server's."""
        return ServerHome(self.fleet.server.home)

    @property
    def pid(self) -> int:
        """Of the running server."""
        assert self.fleet.server.process is not None
        return self.fleet.server.process.pid

    def use(self) -> Use:
        """Return what the running server uses."""
        return use_of(self.pid)

    @asynccontextmanager
    async def tls_crowds(
        self, *, told: bool = False, pieces: bool = False, report_seconds: float = 60.0
    ) -> AsyncIterator[Crowds]:
        """Play all PCs that can do TLS with real connections; none connects yet."""
        able = [pc for pc in self.pcs if pc.chain_pem]
        base = self.plan("tls", CONNECT_AT_ONCE, told=told, pieces=pieces, report_seconds=report_seconds)
        plans = [
            replace(
                base,
                pcs=able[k::TLS_PROCESSES],
                control=f"{self.directory}/tls-{k}.sock",
                stamps=f"{self.directory}/tls-{k}.stamps",
            )
            for k in range(TLS_PROCESSES)
        ]
        async with open_crowds("bench.fleet_size.tls_crowd", plans, self.directory) as crowds:
            yield crowds

    @asynccontextmanager
    async def frame_crowd(
        self, *, told: bool = False, report_seconds: float = 60.0, most: int | None = None, packages: int = 0
    ) -> AsyncIterator[Crowds]:
        """Serve, and play all PCs, or the first ``most``, as frames in the server's process; none connects yet.

        ``packages`` has each when it is to tell them.
        """
        plan = self.plan("frames", FRAMES_AT_ONCE, told=told, pieces=False, report_seconds=report_seconds)
        plan = replace(plan, pcs=plan.pcs[:most], packages=packages)
        home = str(self.home.root)
        async with open_crowds("bench.fleet_size.frame_crowd", [plan], self.directory, home) as crowds:
            yield crowds

    def plan(self, name: str, at_once: int, *, told: bool, pieces: bool, report_seconds: float) -> Plan:
        """Return what a process is to play that plays all PCs."""
        return Plan(
            control=f"{self.directory}/{name}.sock",
            host=SERVER,
            port=self.fleet.origin_port,
            ca_pem=control_ca_pem(self.home),
            pcs=self.pcs,
            patches=self.patches,
            told=told,
            pieces=pieces,
            report_seconds=report_seconds,
            at_once=at_once,
            packages=0,
            stamps=f"{self.directory}/{name}.stamps",
        )


@asynccontextmanager
async def open_company(
    directory: Path,
    *,
    sites: int,
    pcs: int,
    patches: int = 0,
    certificates: int = 0,
    daemons: Sequence[Place] = (),
    database_url: str = "",
    api_port: int = 0,
) -> AsyncIterator[Company]:
    """Yield a company whose server does not run yet; ``certificates``: how many of its PCs can do TLS.

    ``daemons``: where real ones are, which are not enrolled yet. ``database_url``: PostgreSQL; empty: SQLite.
    ``api_port``: of API and pages, at 127.0.0.1; 0: there are none.
    """
    async with open_fleet_at(directory, Place(SERVER), daemons) as fleet:
        database = ("--database-url", database_url) if database_url else ()
        await fleet.init_server("--api-port", str(api_port), *database)
        company = Company(fleet, directory, [], [])
        addresses = site_addresses(NETWORK, sites)
        company.home.sites.write_text(site_map(addresses))
        for k in range(patches):
            await trio.to_thread.run_sync(publish, fleet, directory, f"live-{k:04}", PAYLOAD_BYTES)
        company.patches = live_patches(company.home)
        company.pcs = enrol_all(company.home, addresses, pcs, certificates=certificates)
        yield company


def live_patches(home: ServerHome) -> list[LivePatch]:
    """Return what is published."""
    with Context(home).database() as database:
        rows = database.payloads()
    return [LivePatch(row.patch_id, row.version, row.torrent_hash, row.piece_count) for row in rows]
