"""How long many small patches at once take, against one file of the same size in the same run.

    python -m bench.many_patches [--json] [--patches 500] [--kilobytes 50] [--endpoints 8] [--idle-seconds 30]

A server and endpoints run on loopback addresses. What is measured is the time from when the first PC knows a patch
until the last PC has proven the last one; before that, the PCs were off. The line is boosted to a fixed rate: else on
a busy machine the limiter would yield to what it takes for others' traffic, and that would be measured.
"""

import argparse
import datetime as dt
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import trio

from bench.fleet import Fleet, Member, open_fleet
from bench.fleet_processes import run_command
from bench.process_pair import cpu_seconds, memory_bytes, processes_of
from bench.quick_publish import publish

NETWORK = "127.0.86"
LINE_MBIT = 100
BOOST_HOURS = 12.0
MOST_RATIO = 3.0
FOLLOW_SECONDS_PER_PC = 0.1  # between two questions to each of so many PCs: on two cores, more would be measured
SETTLE_SECONDS = 30.0  # after a transfer, before it counts as idle: what came in parcels is shared by then
RUN_SECONDS = 900.0


@dataclass
class Figures:
    """What was measured; processor time in percent of one processor and PC."""

    patches: int
    endpoints: int
    one_file_seconds: float = 0.0
    many_seconds: float = 0.0
    wan_ratio: float = 0.0
    """Bytes over the line ÷ bytes of all patches."""
    wasted_ratio: float = 0.0
    """Bytes that a PC got twice ÷ bytes of all patches, on average."""
    busy_cpu_seconds: float = 0.0
    """Processor time of one PC for all patches."""
    idle_before_percent: float = 0.0
    idle_after_percent: float = 0.0
    memory_mb: float = 0.0
    """Of the largest PC, afterwards."""
    open_files: int = 0
    """Of the PC that has most, the daemon and its network part together."""

    @property
    def ratio(self) -> float:
        """How many times longer the many take."""
        return self.many_seconds / self.one_file_seconds


async def measure(directory: Path, patches: int, size_bytes: int, endpoints: int, idle_seconds: float) -> Figures:
    """Run the fleet twice, with one file and with many, and return the figures."""
    figures = Figures(patches, endpoints)
    async with open_fleet(directory, network=NETWORK, endpoints=endpoints) as fleet:
        fleet.follow_seconds = FOLLOW_SECONDS_PER_PC * endpoints
        await start_server(fleet)
        for k in fleet.endpoints:
            await fleet.start_endpoint(k)
        members = list(fleet.endpoints.values())
        figures.idle_before_percent = await _idle_percent(fleet, members, idle_seconds)
        await stop_endpoints(fleet)
        await publish_all(fleet, directory, ["one"], patches * size_bytes)
        figures.one_file_seconds = await fetch(fleet, 1)
        await stop_endpoints(fleet)
        names = [f"small-{k:04}" for k in range(patches)]
        await publish_all(fleet, directory, names, size_bytes)
        figures.many_seconds = await fetch(fleet, patches + 1)
        small = [patch for member in members for patch in member.patches if patch.id != "one"]
        total = patches * size_bytes
        figures.wan_ratio = sum(patch.bytes_from_origin for patch in small) / total
        figures.wasted_ratio = sum(patch.bytes_wasted for patch in small) / total / endpoints
        figures.busy_cpu_seconds = sum(map(_cpu_seconds, members)) / endpoints
        figures.idle_after_percent = await _idle_percent(fleet, members, idle_seconds)
        figures.memory_mb = max(memory_bytes(_pid(member)) for member in members) / 1e6
        figures.open_files = max(map(_open_files, members))
    return figures


async def start_server(fleet: Fleet) -> None:
    """Start the server, with all endpoints at a site whose line is sent to at a fixed rate."""
    await fleet.init_server()
    network, home = fleet.server.address.rpartition(".")[0], fleet.server.home
    (home / "sites.toml").write_text(f'[[site]]\nname = "branch"\nnetworks = ["{network}.0/24"]\n')
    now = dt.datetime.now(dt.UTC)
    profile = home.with_name("boost.toml")
    profile.write_text(
        f'name = "steady"\ntime_zone = "UTC"\n[[boost]]\nname = "measurement"\nrate = "{LINE_MBIT} Mbit/s"\n'
        f"since = {now.isoformat()}\nuntil = {(now + dt.timedelta(hours=BOOST_HOURS)).isoformat()}\n"
    )
    await run_command("seed-server", "profile", "set", "branch", profile, "--home", home)
    await fleet.start_server()


async def publish_all(fleet: Fleet, directory: Path, names: list[str], size_bytes: int) -> None:
    """Publish random files, one after the other."""
    for name in names:
        await trio.to_thread.run_sync(publish, fleet, directory, name, size_bytes)


async def fetch(fleet: Fleet, patches: int) -> float:
    """Start all PCs, and return the seconds from the first that knows of something new to the last proven patch."""
    members = list(fleet.endpoints.values())
    async with trio.open_nursery() as nursery:
        for k in fleet.endpoints:
            nursery.start_soon(fleet.launch_endpoint, k)
    await fleet.wait_until(
        lambda: any(len(_states(member)) == patches for member in members), RUN_SECONDS, f"{patches} known patches"
    )
    begun = trio.current_time()
    await fleet.wait_until(
        lambda: all(_states(member).count("verified") == patches for member in members),
        RUN_SECONDS,
        f"{patches} proven patches on each PC",
    )
    return trio.current_time() - begun


def _states(member: Member) -> list[str]:
    return [patch.state for patch in member.patches]


async def stop_endpoints(fleet: Fleet) -> None:
    """Stop all PCs."""
    async with trio.open_nursery() as nursery:
        for member in fleet.endpoints.values():
            nursery.start_soon(fleet.stop, member)


async def _idle_percent(fleet: Fleet, members: list[Member], seconds: float) -> float:
    fleet.following = False
    await trio.sleep(SETTLE_SECONDS)
    before = sum(map(_cpu_seconds, members))
    await trio.sleep(seconds)
    used = sum(map(_cpu_seconds, members)) - before
    fleet.following = True
    return 100 * used / seconds / len(members)


def _pid(member: Member) -> int:
    assert member.process is not None
    return member.process.pid


def _cpu_seconds(member: Member) -> float:
    return cpu_seconds(_pid(member))


def _open_files(member: Member) -> int:
    return sum(len(list((process / "fd").iterdir())) for process in processes_of(_pid(member)))


def main() -> None:
    """Measure, print, and exit with 1 when it takes too long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--patches", type=int, default=500)
    parser.add_argument("--kilobytes", type=int, default=50, help="size of each")
    parser.add_argument("--endpoints", type=int, default=8)
    parser.add_argument("--idle-seconds", type=float, default=30.0, help="how long to watch idle daemons")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="many-patches-") as name:
        figures = trio.run(
            measure, Path(name), given.patches, given.kilobytes * 1_000, given.endpoints, given.idle_seconds
        )
    shown = {key: round(value, 2) for key, value in (asdict(figures) | {"ratio": figures.ratio}).items()}
    print(
        json.dumps(shown, indent=2) if given.json else ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in shown.items())
    )
    sys.exit(figures.ratio > MOST_RATIO)


if __name__ == "__main__":
    main()
