"""A real daemon says which machines are beside it, and the server lists those that nobody enrolled."""

import json
from pathlib import Path
from typing import Any

import pytest
import trio

from bench.fleet import open_fleet_at
from bench.lab.lab_fleet import place, site_map
from bench.lab.namespaces import run
from bench.lab.topology import LabShape, open_lab
from bench.lab.wan_link import line_shape
from p2pdist.daemon.neighbour_news import FIRST_NEIGHBOURS_SECONDS

pytestmark = [pytest.mark.processes, pytest.mark.slow]

WITHIN_SECONDS = 60.0  # of the first look; the news wait for the next ping


async def test_machines_beside_a_pc_that_nobody_enrolled_are_listed(tmp_path: Path) -> None:
    shape = LabShape((line_shape(20, 20, rtt_ms=20, buffer_ms=100),), endpoints=2)
    async with open_lab(shape, tmp_path) as lab:
        branch = lab.branches[0]
        enrolled, not_enrolled = branch.endpoints
        async with open_fleet_at(tmp_path, place(lab.head), [place(enrolled)]) as fleet:
            await fleet.init_server()
            (fleet.server.home / "sites.toml").write_text(site_map(lab, configured=True))
            with (fleet.server.home / "server.toml").open("a") as settings:
                settings.write("unmanaged_neighbours = true\n")
            await fleet.start_server()
            await fleet.start_endpoint(1)
            for other in (not_enrolled, branch.business):
                await run(*enrolled.command("ping", "-c", 1, "-W", 5, other.address))

            async def unmanaged() -> dict[str, Any]:
                found: dict[str, Any] = json.loads(await fleet.on_server("endpoints", "unmanaged", "--json"))
                return found

            found = await unmanaged()
            assert not found["machines"]
            with trio.fail_after(FIRST_NEIGHBOURS_SECONDS + WITHIN_SECONDS):
                while not found["machines"]:
                    await trio.sleep(2.0)
                    found = await unmanaged()
            addresses = {machine["address"] for machine in found["machines"]}
            assert {not_enrolled.address, branch.business.address} <= addresses
            assert enrolled.address not in addresses
