"""Runs one scenario: builds its lab, starts business and delivery, and makes the record."""

import hashlib
import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from bench.lab.business_at_work import Competition
from bench.lab.delivery import Delivery, OurDelivery, now_ms, open_ours
from bench.lab.faults import cause_fault
from bench.lab.processor import MachineTime, busy_processors, machine_time
from bench.lab.queue_log import MANAGED, read_log
from bench.lab.records import Footprint, Processor, Record, Times, record_of
from bench.lab.rivals import RIVALS, open_rival
from bench.lab.scenario import IDLE_SECONDS, OURS, Scenario
from bench.lab.topology import Lab, open_lab
from bench.lab.wan_link import LineCounters
from bench.process_pair import cpu_seconds, forget_peak, memory_bytes, peak_bytes

LOOK_SECONDS = 0.1
SETTLED_SECONDS = 5.0  # after the file: then the daemons have released what the transfer needed


@dataclass
class Run:
    """One scenario that is running."""

    scenario: Scenario
    lab: Lab
    delivery: Delivery
    directory: Path
    hashing_seconds: float
    killed: set[int] = field(default_factory=set)

    @property
    def ours(self) -> OurDelivery | None:
        """The delivery, if it is ours."""
        return self.delivery if isinstance(self.delivery, OurDelivery) else None

    @property
    def wanted(self) -> list[int]:
        """The PCs that shall have the file at the end."""
        count = self.scenario.endpoints * self.scenario.branches
        return [k for k in range(1, count + 1) if k not in self.killed]

    @property
    def is_finished(self) -> bool:
        """Whether all `wanted` PCs have it."""
        return all(k in self.delivery.finished_ms for k in self.wanted)

    async def finished(self) -> None:
        """Wait until `is_finished`."""
        while not self.is_finished:
            self.delivery.check()
            await trio.sleep(LOOK_SECONDS)

    def pids(self) -> list[int]:
        """Return the endpoint daemons' processes."""
        members = self.ours.fleet.endpoints.values() if self.ours else []
        return [member.process.pid for member in members if member.process is not None]

    # --- beside the delivery -------------------------------------------------------------

    async def fault(self) -> None:
        """Cause the scenario's fault, if it has one."""
        if self.scenario.fault and self.ours:
            self.killed |= await cause_fault(self.scenario, self.lab, self.ours)

    async def idle_footprint(self, peaks: list[int]) -> Footprint | None:
        """Measure the daemons while they have nothing to do, not even to answer a status request."""
        if self.ours:
            self.ours.fleet.following = False
            await trio.sleep(SETTLED_SECONDS)
        before = {pid: cpu_seconds(pid) for pid in self.pids()}
        await trio.sleep(IDLE_SECONDS)
        if not before:
            return None
        return Footprint(
            max(peaks),
            max(memory_bytes(pid) for pid in before),
            max((cpu_seconds(pid) - used) / IDLE_SECONDS for pid, used in before.items()),
        )


@asynccontextmanager
async def open_delivery(scenario: Scenario, lab: Lab, payload: Path, directory: Path) -> AsyncIterator[Delivery]:
    """Set up the scenario's method."""
    if scenario.method == OURS:
        limit = scenario.serve_up_to_cpu_percent
        configured = scenario.configured
        async with open_ours(lab, payload, directory, configured=configured, serve_up_to_cpu_percent=limit) as ours:
            yield ours
    else:
        async with open_rival(RIVALS[scenario.method], lab, payload, directory) as rival:
            yield rival


async def run_scenario(scenario: Scenario, directory: Path, repeat: int = 1) -> Record:
    """Run a scenario to its end, or to its time limit. Everything that it starts has ended when this returns."""
    payload = directory / "payload" / "payload.bin"
    payload.parent.mkdir()
    content = random.Random(scenario.key).randbytes(scenario.file_bytes)
    payload.write_bytes(content)
    hashing_seconds = hashing_on_all(content, scenario.endpoints * scenario.branches)
    async with (
        open_lab(scenario.lab, directory) as lab,
        open_delivery(scenario, lab, payload, directory) as delivery,
    ):
        return await _measure(Run(scenario, lab, delivery, directory, hashing_seconds), repeat)


def hashing_on_all(content: bytes, pcs: int) -> float:
    """Return how long this machine needs to hash a file once for each PC, on all its processors."""
    begun = time.perf_counter()
    hashlib.sha256(content)
    return (time.perf_counter() - begun) * max(1.0, pcs / (os.cpu_count() or 1))


@dataclass(frozen=True)
class _Moment:
    """The lines' counters and the machine's at one time."""

    counters: list[LineCounters]
    machine: MachineTime

    @classmethod
    async def now(cls, lab: Lab) -> "_Moment":
        return cls([await line.counters() for line in lab.lines], machine_time())


@dataclass(frozen=True)
class _Delivered:
    """When the delivery began, was announced and ended, and the most memory that each endpoint held."""

    begun: float
    told: float
    end: float
    peaks: list[int]


async def _measure(run: Run, repeat: int) -> Record:
    scenario, lab = run.scenario, run.lab
    if scenario.before and run.ours:
        await run.ours.deliver_before(scenario.timeout_seconds, restart=scenario.before == "a file and a restart")
    async with AsyncExitStack() as stack:
        if scenario.busy_processors:
            await stack.enter_async_context(busy_processors(scenario.busy_share))
            await trio.sleep(scenario.busy_before_seconds)
        nursery = await stack.enter_async_context(trio.open_nursery())
        competition = Competition(scenario, lab, run.directory, nursery)
        await competition.run_alone()
        before = await _Moment.now(lab)
        delivered = await _deliver(run, competition, nursery)
        after = await _Moment.now(lab)
        nursery.cancel_scope.cancel()
    footprint = await run.idle_footprint(delivered.peaks) if scenario.footprint else None
    return _record(run, competition, delivered, before, after, footprint, repeat)


async def _deliver(run: Run, competition: Competition, nursery: trio.Nursery) -> _Delivered:
    scenario = run.scenario
    nursery.start_soon(run.delivery.follow)
    if scenario.footprint:
        for pid in run.pids():
            forget_peak(pid)
    nursery.start_soon(run.fault)
    begun = told = now_ms()
    with trio.move_on_after(scenario.timeout_seconds):
        await run.delivery.start()
        told = now_ms()
        nursery.start_soon(competition.run_late)
        if scenario.business:
            with trio.move_on_after(scenario.with_seconds):
                await run.finished()
            await competition.end_early()
        if scenario.until_finished:
            await run.finished()
    end = max(run.delivery.finished_ms.values()) if run.is_finished else now_ms()
    peaks = [peak_bytes(pid) for pid in run.pids()] if scenario.footprint else []
    return _Delivered(begun, told, end, peaks)


def _record(
    run: Run,
    competition: Competition,
    delivered: _Delivered,
    before: _Moment,
    after: _Moment,
    footprint: Footprint | None,
    repeat: int,
) -> Record:
    lab, ours, start, end = run.lab, run.ours, delivered.begun, delivered.end
    down = read_log(lab.branches[0].line.log).down
    if ours:  # publishing first hashes and signs: the job begins when that is done, or when the line is first used
        start = down.bulk_from_ms(start, delivered.told, run.scenario.line.down.rate_mbit) or delivered.told
    pairs = list(zip(before.counters, after.counters, strict=True))[: len(lab.branches)]
    written = sum(_written(new) - _written(old) for old, new in pairs)
    late = sum(_late(new) - _late(old) for old, new in pairs)
    return record_of(
        run.scenario,
        Times(start, end, delivered.told if ours else None, competition.ended(), competition.late_times(end)),
        down=down,
        finished_ms=run.delivery.finished_ms,
        wanted=run.wanted,
        payload_bytes=sum(_managed(new) - _managed(old) for old, new in pairs),
        origin_bytes=sum(ours.bytes_from_origin().values()) if ours else None,
        processor=Processor(after.machine.busy_share_since(before.machine), late / max(1, written)),
        alone=competition.alone(start),
        beside=competition.beside(start, end),
        uplink=read_log(lab.uplink.log).down if lab.uplink else None,
        footprint=footprint,
        hashing_seconds=run.hashing_seconds if ours else None,
        harm_pauses=ours.harm_pauses() if ours else None,
        repeat=repeat,
    )


def _managed(counters: LineCounters) -> int:
    return counters.down.classes[MANAGED].payload_bytes


def _written(counters: LineCounters) -> int:
    return counters.down.written + counters.up.written


def _late(counters: LineCounters) -> int:
    return counters.down.late + counters.up.late
