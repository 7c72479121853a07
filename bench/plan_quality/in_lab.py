"""Plans beside what real daemons do, on a few lines of the lab: a line is learned from one file, the next is planned.

A site's finish is when nine tenths of its PCs, rounded up, have proven the file; planned and actual times are from the
end of publishing on. The server is restarted in between, as it writes down what it learned of an hour when that is
over, or when it ends itself.
"""

import json
import math
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import trio

from bandwidth.core.units import MBIT
from bench.lab.business import business_server, flow
from bench.lab.delivery import PATCH_ID, OurDelivery, now_ms, open_ours, write_random
from bench.lab.processor import machine_time
from bench.lab.topology import Lab, LabShape, open_lab
from bench.lab.wan_link import LineShape, line_shape
from seed_server.reporting.plan_draws import needed_of

FILE_SECONDS = 75.0  # of the line, for each of both files: of less than a minute nothing is concluded
ENDPOINTS = 4
TIMEOUT_SECONDS = 600.0
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class LabCase:
    """One lab."""

    name: str
    lines: tuple[LineShape, ...]
    configured: bool = False
    """Whether the operator has entered what the lines carry."""
    pages: bool = False
    """A PC without our daemon loads web pages, one after the other."""
    file_seconds: float = FILE_SECONDS


LAB_CASES = (
    LabCase("20/20 Mbit/s, 30 ms", (line_shape(20, 20, rtt_ms=30, buffer_ms=200),), configured=True),
    LabCase("34/11 Mbit/s, 26 ms", (line_shape(34, 11, rtt_ms=26, buffer_ms=120),)),
    LabCase("8/1 Mbit/s, 56 ms, 0.2 % loss", (line_shape(8, 1, rtt_ms=56, buffer_ms=300, loss=0.002),)),
    LabCase(
        "20/20 Mbit/s, 30 ms, beside web pages",
        (line_shape(20, 20, rtt_ms=30, buffer_ms=200),),
        pages=True,
        file_seconds=12.0,  # we leave the line to the pages: a tenth of it is ours
    ),
    LabCase(
        "two sites, 12/4 and 5/2 Mbit/s",
        (line_shape(12, 4, rtt_ms=40, buffer_ms=150), line_shape(5, 2, rtt_ms=80, buffer_ms=150)),
    ),
)


class LabFigures(msgspec.Struct, frozen=True):
    """What came of the plan of one site in a lab."""

    case: str
    site: str
    planned_seconds: float
    p90_seconds: float
    actual_seconds: float
    error: float
    """Planned ÷ actual − 1."""
    line_known: bool
    processor: float
    """Share of the machine's time that was used meanwhile."""


async def run_lab(only: str, keep: Callable[[list[LabFigures]], None]) -> None:
    """Run all cases whose names hold ``only``, one after the other; ``keep`` gets the figures of each.

    Raises `LabError` where there can be no lab, and what goes wrong in it.
    """
    for case in LAB_CASES:
        if only not in case.name:
            continue
        with tempfile.TemporaryDirectory(prefix="p2pdist-lab-", ignore_cleanup_errors=True) as name:
            found = await run_case(case, Path(name))
        for one in found:
            told = f"planned {one.planned_seconds:.1f} s, was {one.actual_seconds:.1f} s"
            print(f"{one.case}, {one.site}: {told}", flush=True)
        keep(found)


async def run_case(case: LabCase, directory: Path) -> list[LabFigures]:
    """Run one case: a file to learn from, a restart, a plan right after publishing, and the second file."""
    payload = directory / "payload" / "payload.bin"
    payload.parent.mkdir()
    slowest = min(line.down.rate_mbit for line in case.lines)
    write_random(payload, case.name, round(case.file_seconds * slowest * MBIT))
    async with (
        open_lab(LabShape(case.lines, ENDPOINTS), directory) as lab,
        open_ours(lab, payload, directory, configured=case.configured) as ours,
        _business(case, lab, directory),
        trio.open_nursery() as nursery,
    ):
        await ours.deliver_before(TIMEOUT_SECONDS, restart=True)
        nursery.start_soon(ours.follow)
        machine = machine_time()
        await ours.start()
        begun_ms, begun = now_ms(), time.time()
        plan = json.loads(await ours.fleet.on_server("plan", PATCH_ID, "--json"))
        with trio.fail_after(TIMEOUT_SECONDS):
            while len(ours.finished_ms) < len(ours.fleet.endpoints):
                ours.check()
                await trio.sleep(LOOK_SECONDS)
        nursery.cancel_scope.cancel()
        busy = machine_time().busy_share_since(machine)
    return [
        _figures(case, site, begun, _finish_ms(ours, place) - begun_ms, busy)
        for place, site in enumerate(plan["sites"])
    ]


def _figures(case: LabCase, site: dict[str, object], begun: float, actual_ms: float, busy: float) -> LabFigures:
    planned, late = (_number(site[key]) - begun for key in ("finish_p50", "finish_p90"))
    actual = actual_ms / 1_000
    return LabFigures(
        case=case.name,
        site=str(site["site"]),
        planned_seconds=round(planned, 1),
        p90_seconds=round(late, 1),
        actual_seconds=round(actual, 1),
        error=round(planned / actual - 1, 3),
        line_known=bool(site["line_known"]),
        processor=round(busy, 2),
    )


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.inf


def _finish_ms(ours: OurDelivery, place: int) -> float:
    """Return when nine tenths of the PCs of a branch, counted from 0, had the file."""
    first = place * ENDPOINTS + 1
    return sorted(ours.finished_ms[k] for k in range(first, first + ENDPOINTS))[needed_of(ENDPOINTS) - 1]


@asynccontextmanager
async def _business(case: LabCase, lab: Lab, directory: Path) -> AsyncIterator[None]:
    if not case.pages:
        yield
        return
    place = directory / "business"
    place.mkdir()
    async with business_server(lab.head, place), flow("web", lab.branches[0].business, lab.head, place):
        yield
