"""How much memory and processor time an endpoint daemon takes: idle, sharing at 100 Mbit/s, and idle again.

    python -m bench.footprint [--json] [--megabytes 100] [--idle-seconds 30]

A server and two endpoints run on loopback addresses. The first endpoint fetches, and the second gets everything from
it at 100 Mbit/s, by its throttle profile. Memory is resident memory as the kernel counts it in /proc, of the daemon
and its network part together; what both share of a program's files counts once.
"""

import argparse
import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import trio

from bench.fleet import Fleet, Member, is_verified, open_fleet
from bench.process_pair import cpu_seconds, memory_bytes

NETWORK = "127.0.3"
TARGETS = {"idle_mb": 120.0, "sharing_mb": 180.0, "after_mb": 120.0, "idle_cpu_percent": 0.3}
SETTLE_SECONDS = 15.0  # after a start or a transfer, before it counts as idle
TRANSFER_SECONDS = 120.0
SAMPLE_SECONDS = 0.2
PROFILE = """
name = "footprint"
time_zone = "UTC"
[[limit]]
name = "100 Mbit/s"
legs = ["lan-wired"]
cap = "100 Mbit/s"
"""


@dataclass
class Footprint:
    """One endpoint's figures; memory in MB (10^6 bytes), processor time in percent of one processor."""

    name: str
    idle_mb: float = 0.0
    idle_cpu_percent: float = 0.0
    sharing_mb: float = 0.0
    sharing_cpu_percent: float = 0.0
    after_mb: float = 0.0
    after_cpu_percent: float = 0.0

    def misses(self) -> list[str]:
        """Return what is over its target."""
        return [
            f"{self.name} {key} {getattr(self, key)} > {most}"
            for key, most in TARGETS.items()
            if getattr(self, key) > most
        ]


def _pid(member: Member) -> int:
    assert member.process is not None
    return member.process.pid


def _rss_mb(member: Member) -> float:
    return memory_bytes(_pid(member)) / 1e6


def _cpu_seconds(member: Member) -> float:
    return cpu_seconds(_pid(member))


async def _idle(members: list[Member], seconds: float) -> list[tuple[float, float]]:
    await trio.sleep(SETTLE_SECONDS)
    before = [_cpu_seconds(member) for member in members]
    await trio.sleep(seconds)
    return [
        (round(_rss_mb(member), 1), round(100 * (_cpu_seconds(member) - begun) / seconds, 2))
        for member, begun in zip(members, before, strict=True)
    ]


async def measure(directory: Path, size_bytes: int, idle_seconds: float) -> list[Footprint]:
    """Run the fleet and return both endpoints' figures."""
    payload = directory / "payload.bin"
    payload.write_bytes(os.urandom(size_bytes))
    results = [Footprint("fetching endpoint"), Footprint("endpoint on the LAN")]
    async with open_fleet(directory, network=NETWORK, endpoints=2) as fleet:
        await fleet.start_server()
        for k in (1, 2):
            await fleet.enrol(k)
            home = fleet.endpoints[k].home
            (home / "throttle-profile.toml").write_text(PROFILE)
            if k == 2:
                (home / "config.toml").write_text("lan_port = 0\nfetch_from_origin = false\n")
            await fleet.start_endpoint(k)
        members = list(fleet.endpoints.values())
        fleet.following = False
        for result, (memory, cpu) in zip(results, await _idle(members, idle_seconds), strict=True):
            result.idle_mb, result.idle_cpu_percent = memory, cpu
        await _share(fleet, payload, members, results)
        for result, (memory, cpu) in zip(results, await _idle(members, idle_seconds), strict=True):
            result.after_mb, result.after_cpu_percent = memory, cpu
    return results


async def _share(fleet: Fleet, payload: Path, members: list[Member], results: list[Footprint]) -> None:
    await fleet.publish(payload, "footprint")
    before, started = [_cpu_seconds(member) for member in members], trio.current_time()
    with trio.fail_after(TRANSFER_SECONDS):
        while True:
            for result, member in zip(results, members, strict=True):
                result.sharing_mb = max(result.sharing_mb, round(_rss_mb(member), 1))
            if trio.current_time() - started > 1.0:
                await fleet.poll()
                if all(is_verified(member, "footprint") for member in members):
                    break
            await trio.sleep(SAMPLE_SECONDS)
    seconds = trio.current_time() - started
    for result, member, begun in zip(results, members, before, strict=True):
        result.sharing_cpu_percent = round(100 * (_cpu_seconds(member) - begun) / seconds, 1)


def main() -> None:
    """Measure, print, and exit with 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--megabytes", type=int, default=100, help="size of the patch")
    parser.add_argument("--idle-seconds", type=float, default=30.0, help="how long to watch an idle daemon")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="footprint-") as name:
        results = trio.run(measure, Path(name), options.megabytes * 1_000_000, options.idle_seconds)
    misses = [miss for result in results for miss in result.misses()]
    if options.json:
        print(json.dumps({"endpoints": [asdict(result) for result in results], "misses": misses}, indent=2))
    else:
        for result in results:
            print(", ".join(f"{key.replace('_', ' ')} {value}" for key, value in asdict(result).items()))
        print("\n".join(misses) or "all targets are met")
    sys.exit(bool(misses))


if __name__ == "__main__":
    main()
