"""The real seed server and endpoint daemons on the lab's hosts."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from bench.fleet import Fleet, Place, open_fleet_at
from bench.lab.topology import Host, Lab

STARTING_AT_ONCE = 2  # each takes a second of processor time to start
CONNECTED_SECONDS = 120.0  # for all endpoints of a lab, and at least …
CONNECTED_SECONDS_EACH = 10.0  # … so long for each of many


def place(host: Host) -> Place:
    """Return a host of the lab as a place for a process of the fleet."""
    return Place(host.address, host.prefix)


def site_map(lab: Lab, *, configured: bool = True) -> str:
    """Return ``sites.toml``: each branch, and its line as the provider sells it if the operator has entered that."""
    return "\n".join(
        f'[[site]]\nname = "branch{branch.number}"\nnetworks = ["{branch.network}"]\n'
        + (f"line_mbit = {lab.shape.lines[branch.number - 1].down.rate_mbit:g}\n" if configured else "")
        for branch in lab.branches
    )


@asynccontextmanager
async def open_lab_fleet(
    lab: Lab,
    directory: Path,
    *,
    sites: str | None = None,
    configured: bool = True,
    serve_up_to_cpu_percent: float | None = 100.0,
    prepare: Callable[[Fleet], Awaitable[None]] | None = None,
    serve_command: Sequence[str | Path] = (),
) -> AsyncIterator[Fleet]:
    """Yield a fleet with its server at head office and an endpoint on each PC, started and connected.

    Endpoints are numbered from 1 through all branches. ``sites`` replaces `site_map`. If ``configured``, the server
    knows what each line and a shared uplink carry. PCs help less when the processor is busier than
    ``serve_up_to_cpu_percent``; all PCs share this machine's. None: the product's default. ``prepare`` runs once the
    server is there, before any PC is started. ``serve_command``: another server than ours, see `Fleet`.
    """
    places = [place(host) for branch in lab.branches for host in branch.endpoints]
    async with open_fleet_at(directory, place(lab.head), places) as fleet:
        fleet.serve_up_to_cpu_percent = serve_up_to_cpu_percent
        fleet.serve_command = tuple(serve_command) or fleet.serve_command
        await fleet.init_server()
        (fleet.server.home / "sites.toml").write_text(site_map(lab, configured=configured) if sites is None else sites)
        if lab.shape.uplink is not None and configured:  # the operator knows its own line
            with (fleet.server.home / "server.toml").open("a") as settings:
                settings.write(f"egress_mbit = {lab.shape.uplink.down.rate_mbit:g}\n")
        await fleet.start_server()
        if prepare is not None:
            await prepare(fleet)
        limit = trio.CapacityLimiter(STARTING_AT_ONCE)

        async def start(k: int) -> None:
            async with limit:
                await fleet.start_endpoint(k)

        with trio.fail_after(max(CONNECTED_SECONDS, CONNECTED_SECONDS_EACH * len(fleet.endpoints))):
            async with trio.open_nursery() as nursery:
                for k in fleet.endpoints:
                    nursery.start_soon(start, k)
        yield fleet
