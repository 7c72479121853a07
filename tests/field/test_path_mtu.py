"""Ways on which full packets vanish: a link in between takes only smaller ones, and nobody hears what its router says.

Real processes in network namespaces, so as root: head office, two routers with the link between them, one PC.
"""

import json
import os
import sysconfig
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trio

from bench.fleet import Fleet, Place, is_verified, open_fleet_at
from bench.fleet_processes import FleetError, run_command
from bench.lab.namespaces import add, inside, name_prefix, remove, why_not

pytestmark = pytest.mark.processes

SERVER, PC, NEAR, FAR = "10.88.0.1", "10.88.2.11", "10.88.0.254", "10.88.2.1"
TUNNEL_MTU = 1_400
DEADLINE_SECONDS = 100.0  # of a test: it takes some 15 s on an idle machine
SHOWN_SECONDS = 10.0  # what is sent is recorded about once a second
FILE_BYTES = 3 << 20


@dataclass
class Way:
    """The namespaces, by what they are."""

    number: int

    def name(self, node: str) -> str:
        return f"{name_prefix()}-{self.number}-{node}"

    async def ip(self, node: str, *commands: str) -> None:
        """Run commands of `ip` in a namespace."""
        command = ["ip", "-netns", self.name(node), "-batch", "-"]
        await trio.run_process(command, stdin="".join(f"{each}\n" for each in commands).encode())

    def cable(self, node: str, device: str, other: str, other_device: str) -> str:
        ends = (f"netns {self.name(node)} type veth", f"peer name {other_device} netns {self.name(other)}")
        return f"link add {device} {ends[0]} {ends[1]}"

    async def set_mtu(self, mtu: int) -> None:
        for router in ("r1", "r2"):
            await self.ip(router, f"link set wan mtu {mtu}")

    async def build(self) -> None:
        cables = (
            self.cable("head", "eth0", "r1", "lan"),
            self.cable("r1", "wan", "r2", "wan"),
            self.cable("r2", "lan", "pc", "eth0"),
        )
        await trio.run_process(["ip", "-batch", "-"], stdin="".join(f"{each}\n" for each in cables).encode())
        # what a router itself says goes nowhere: "fragmentation needed" too
        silent = "rule add iif lo blackhole priority 10"
        way: dict[str, tuple[dict[str, str], list[str]]] = {
            "head": ({"eth0": SERVER}, [f"route add default via {NEAR}"]),
            "r1": ({"lan": NEAR, "wan": "10.88.1.1"}, ["route add 10.88.2.0/24 via 10.88.1.2", silent]),
            "r2": ({"wan": "10.88.1.2", "lan": FAR}, ["route add default via 10.88.1.1", silent]),
            "pc": ({"eth0": PC}, [f"route add default via {FAR}"]),
        }
        for node, (devices, more) in way.items():
            addresses = (f"address add {address}/24 dev {device}" for device, address in devices.items())
            await self.ip(node, *addresses, *(f"link set {device} up" for device in devices), *more)


@asynccontextmanager
async def black_hole(directory: Path, number: int) -> AsyncIterator[tuple[Fleet, Way]]:
    """Give a fleet of one PC behind a link that takes no full packets."""
    if (reason := await trio.to_thread.run_sync(why_not)) is not None:
        pytest.skip(reason)
    way = Way(number)
    async with AsyncExitStack() as stack:
        for node in ("head", "r1", "r2", "pc"):
            await add(way.name(node))
            stack.push_async_callback(_remove, way.name(node))
        await way.build()
        await way.set_mtu(TUNNEL_MTU)
        places = [Place(PC, inside(way.name("pc")))]
        with trio.fail_after(DEADLINE_SECONDS):
            async with open_fleet_at(directory, Place(SERVER, inside(way.name("head"))), places) as fleet:
                await fleet.start_server()
                yield fleet, way


async def _remove(name: str) -> None:
    with trio.CancelScope(shield=True):
        await remove(name)


async def shown_site(fleet: Fleet) -> dict[str, Any]:
    (site,) = json.loads(await run_command("seed-server", "sites", "--home", fleet.server.home, "--json"))["sites"]
    return dict(site)


async def doctor_finds_it(fleet: Fleet, way: Way) -> None:
    """Without a daemon: by what arrives on connections of its own."""
    program = Path(sysconfig.get_path("scripts")) / "p2pdist"
    command = [*inside(way.name("pc")), str(program), "doctor", "--home", str(fleet.endpoints[1].home), "--json"]
    told = await trio.run_process(command, capture_stdout=True, check=False)
    found = {finding["code"]: finding for finding in json.loads(told.stdout)["findings"]}
    assert (found["packets"]["verdict"], found["packets"]["mender"]) == ("wrong", "network")
    assert [found[code]["verdict"] for code in ("web-port", "origin-port", "clock")] == ["fine"] * 3


@pytest.mark.slow
async def test_a_pc_enrols_and_gets_its_patches_where_full_packets_vanish(tmp_path: Path) -> None:
    async with black_hole(tmp_path, 1) as (fleet, way):
        await fleet.enrol(1)
        await doctor_finds_it(fleet, way)
        await fleet.start_endpoint(1)
        (tmp_path / "patch.bin").write_bytes(os.urandom(FILE_BYTES))
        await fleet.publish(tmp_path / "patch.bin", "KB1")
        await fleet.wait_until(lambda: is_verified(fleet.endpoints[1], "KB1"), 60.0, "the patch")
        status = fleet.endpoints[1].latest
        assert status is not None
        assert any("Full packets do not get through" in problem for problem in status.problems)
        with trio.fail_after(SHOWN_SECONDS):
            while not (site := await shown_site(fleet))["large_packets_lost"]:  # noqa: ASYNC110 - another process
                await trio.sleep(0.1)
        assert site["origin_ratio"] <= 1.2
        assert fleet.server.log.read_text().count("full packets do not get through to a site") == 1
        assert fleet.endpoints[1].log.read_text().count("full packets are lost") == 1


@pytest.mark.slow
async def test_enrol_names_a_way_that_is_narrower_than_what_always_gets_through(tmp_path: Path) -> None:
    async with black_hole(tmp_path, 2) as (fleet, way):
        await way.set_mtu(900)
        with pytest.raises(FleetError, match="Full packets from the seed server .* do not arrive here"):
            await fleet.enrol(1)
