"""What one publication costs a branch line, by cause.

    python -m bench.publication_cost [--json] [--endpoints 20] [--patches 1000] [--kilobytes 10]

As root, in a lab of network namespaces: real daemons behind one line, to whom so many patches have been published that
are for other PCs. Then one small patch for all of them is published, and every IP packet between the branch and the
server is counted until all have proven it, and for some seconds after that. Beside it stands what the same connections
carry in as long a time when nothing happens. Another one goes before it: with that, PCs that have just started are told
of each other, which is no cost of a publication.

When each PC had proven it is what it has recorded itself. All PCs share this machine's processors: where these are busy
meanwhile, the seconds are the machine's.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import trio
from rich.console import Console

from bench.fleet import Fleet, Member, is_verified
from bench.lab.lab_fleet import open_lab_fleet
from bench.lab.packet_count import Connection, open_packet_count, since
from bench.lab.processor import machine_time
from bench.lab.topology import LabShape, open_lab
from bench.lab.wan_link import line_shape
from bench.quick_publish import publish
from p2pdist.settings import EndpointHome
from p2pdist.shared.tables import FactTable
from p2pdist.transfer.files import load_records

DEVICE = "wan1"
FOR_OTHERS = '"elsewhere" in tags'
PATCH, EARLIER = "small", ("first", "second")
LINE = line_shape(34, 11, rtt_ms=26, buffer_ms=120)
KNOWN_SECONDS = 300.0  # for all PCs to have read what was published before
PROVEN_SECONDS = 120.0
IDLE_SECONDS = 30.0
AFTER_SECONDS = 10.0  # reports and connections that end
FOLLOW_SECONDS_PER_PC = 0.1  # between two questions to each of so many PCs: else these keep the processors busy
WEB, CONTROL, DATA = "web port", "control", "pieces"  # in the order of the table


@dataclass(frozen=True)
class Carried:
    """What the connections of one kind carried, IP packets' bytes."""

    connections: int = 0
    to_pcs_bytes: int = 0
    from_pcs_bytes: int = 0
    packets: int = 0


@dataclass(frozen=True)
class Cost:
    """What a publication cost, by cause, and what as much time without one does."""

    endpoints: int
    patches: int
    payload_bytes: int
    seconds: float
    """From publishing until all PCs had proven it."""
    first_seconds: float
    """Until the first one had."""
    half_seconds: float
    """Until half of them had."""
    busy_share: float
    """Of this machine's processors, in `seconds`."""
    watched_seconds: float
    causes: dict[str, Carried]
    idle: dict[str, Carried]
    """In as many seconds as were watched."""

    @property
    def total_bytes(self) -> int:
        """Both directions, all causes, what is there without a publication included."""
        return sum(one.to_pcs_bytes + one.from_pcs_bytes for one in self.causes.values())


def by_cause(connections: Iterable[Connection], web_port: int, control: set[tuple[str, int]]) -> dict[str, Carried]:
    """Sum connections up; ``control`` names (PC, its port) of the control connections. Pure."""
    sums = {cause: [0, 0, 0, 0] for cause in (WEB, CONTROL, DATA)}
    for one in connections:
        if not one.down_packets + one.up_packets:
            continue
        of_control = (one.pc, one.pc_port) in control
        cause = WEB if one.server_port == web_port else CONTROL if of_control else DATA
        added = (1, one.down_bytes, one.up_bytes, one.down_packets + one.up_packets)
        sums[cause] = [old + new for old, new in zip(sums[cause], added, strict=True)]
    return {cause: Carried(*values) for cause, values in sums.items()}


def control_connections(connections: Iterable[Connection], origin_port: int) -> set[tuple[str, int]]:
    """Return (PC, its port) of each PC's first connection to the origin port: the other one follows it. Pure."""
    found: dict[str, int] = {}
    for one in connections:
        if one.server_port == origin_port:
            found.setdefault(one.pc, one.pc_port)
    return set(found.items())


async def measure(
    directory: Path,
    endpoints: int,
    patches: int,
    size_bytes: int,
    *,
    publish_before: Callable[[Fleet, int], Awaitable[None]] | None = None,
) -> Cost:
    """Build the lab, publish, and count. ``publish_before`` publishes so many in another way than one by one."""

    async def one_by_one(fleet: Fleet, count: int) -> None:
        for k in range(count):
            one = partial(publish, fleet, directory, f"before-{k:05}", 1_000, applies_to=FOR_OTHERS)
            await trio.to_thread.run_sync(one)

    async def prepare(fleet: Fleet) -> None:
        await (publish_before or one_by_one)(fleet, patches)
        await trio.to_thread.run_sync(publish, fleet, directory, EARLIER[0], size_bytes)

    async with (
        open_lab(LabShape((LINE,), endpoints), directory) as lab,
        open_packet_count(lab.head, DEVICE) as count,
        open_lab_fleet(lab, directory, configured=False, prepare=prepare) as fleet,
    ):
        members, web_port = list(fleet.endpoints.values()), fleet.web_port
        fleet.follow_seconds = FOLLOW_SECONDS_PER_PC * endpoints
        for name in EARLIER:
            if name != EARLIER[0]:
                await trio.to_thread.run_sync(publish, fleet, directory, name, size_bytes)
            have = partial(_all_have, members, name)
            await fleet.wait_until(have, KNOWN_SECONDS, f"all having the {name}")
        control = control_connections(await count.connections(), fleet.origin_port)
        await trio.sleep(IDLE_SECONDS)
        earlier = await count.connections()
        await trio.sleep(IDLE_SECONDS)
        before = await count.connections()
        begun = trio.current_time()
        await trio.to_thread.run_sync(publish, fleet, directory, PATCH, size_bytes)
        published, machine_before = time.time(), machine_time()
        await fleet.wait_until(partial(_all_have, members, PATCH), PROVEN_SECONDS, "all having the patch")
        busy_share = machine_time().busy_share_since(machine_before)
        await trio.sleep(AFTER_SECONDS)
        ended = trio.current_time()
        proven = sorted([await _proven_at(member, PATCH) - published for member in members])
        idle, carried = since(earlier, before), since(before, await count.connections())
    share = (ended - begun) / IDLE_SECONDS
    quiet = {
        cause: Carried(
            one.connections, *(round(share * n) for n in (one.to_pcs_bytes, one.from_pcs_bytes, one.packets))
        )
        for cause, one in by_cause(idle, web_port, control).items()
    }
    return Cost(
        endpoints=endpoints,
        patches=patches,
        payload_bytes=size_bytes,
        seconds=proven[-1],
        first_seconds=proven[0],
        half_seconds=proven[len(proven) // 2],
        busy_share=busy_share,
        watched_seconds=ended - begun,
        causes=by_cause(carried, web_port, control),
        idle=quiet,
    )


def _all_have(members: list[Member], patch: str) -> bool:
    return all(is_verified(member, patch) for member in members)


async def _proven_at(member: Member, patch: str) -> float:
    """Return when a PC had proven a patch, in seconds since 1970."""
    records = await load_records(EndpointHome(member.home).records)
    return next(record.verified_at for record in records if record.patch_id == patch and record.verified_at)


def show(cost: Cost) -> None:
    """Print the figures for people."""
    table = FactTable()
    table.column("connections")
    table.column("number", "bytes to PCs", "bytes from PCs", "packets", "bytes without it", right=True)
    for cause, one in cost.causes.items():
        idle = cost.idle[cause]
        counts = (one.connections, one.to_pcs_bytes, one.from_pcs_bytes, one.packets)
        table.row(cause, *(f"{n:,}" for n in (*counts, idle.to_pcs_bytes + idle.from_pcs_bytes)))
    console = Console()
    console.print(
        f"{cost.payload_bytes:,} bytes to {cost.endpoints} PCs, {cost.patches:,} patches published before: "
        f"the first proven after {cost.first_seconds:.1f} s, half after {cost.half_seconds:.1f} s, all after "
        f"{cost.seconds:.1f} s, with the processors {100 * cost.busy_share:.0f} % busy"
    )
    console.print(table)
    console.print(f"in all {cost.total_bytes:,} bytes over the line in {cost.watched_seconds:.0f} s")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--endpoints", type=int, default=20)
    parser.add_argument("--patches", type=int, default=1_000, help="published before, for other PCs")
    parser.add_argument("--kilobytes", type=float, default=10.0, help="size of the patch")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="publication-cost-") as name:
        cost = trio.run(measure, Path(name), given.endpoints, given.patches, round(given.kilobytes * 1_000))
    if given.json:
        print(json.dumps(asdict(cost) | {"total_bytes": cost.total_bytes}))
    else:
        show(cost)


if __name__ == "__main__":
    main()
