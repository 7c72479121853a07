"""Runs one scenario: builds its lab, starts business and delivery, and makes the record."""

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from bench.lab.business import Flow, business_server, call, flow
from bench.lab.delivery import Delivery, OurDelivery, now_ms, open_ours
from bench.lab.processor import MachineTime, machine_time, process_use
from bench.lab.queue_log import MANAGED, read_log
from bench.lab.records import BusinessLogs, Footprint, Processor, Record, Times, record_of
from bench.lab.rivals import RIVALS, open_rival
from bench.lab.scenarios import (
    CUBIC,
    DROP_AFTER_SECONDS,
    DROP_SECONDS,
    DROP_TO_MBIT,
    IDLE_SECONDS,
    ONOFF,
    OURS,
    UPLOAD,
    VOIP,
    WEB,
    Scenario,
)
from bench.lab.topology import Lab, open_lab
from bench.lab.wan_link import LineCounters

LOOK_SECONDS = 0.1
FAULT_AT = 0.3  # of the file
LOOK_AT_FOOTPRINT_SECONDS = 0.5
SETTLED_SECONDS = 5.0  # after the file: then the daemons have released what the transfer needed


@dataclass
class Run:
    """One scenario that is running."""

    scenario: Scenario
    lab: Lab
    delivery: Delivery
    directory: Path
    killed: set[int] = field(default_factory=set)
    rss_sharing_bytes: int = 0
    business_end: float | None = None

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
        if not isinstance(self.delivery, OurDelivery):
            return []
        members = self.delivery.fleet.endpoints.values()
        return [member.process.pid for member in members if member.process is not None]

    # --- beside the delivery -------------------------------------------------------------

    async def fault(self) -> None:
        """Cause the scenario's fault."""
        if self.scenario.fault == "line drops":
            line = self.lab.branches[0].line
            await trio.sleep(DROP_AFTER_SECONDS)
            await line.set_rate("down", DROP_TO_MBIT)
            await trio.sleep(DROP_SECONDS)
            await line.set_rate("down", self.scenario.line.down.rate_mbit)
        elif self.scenario.fault:
            assert isinstance(self.delivery, OurDelivery)
            fleet = self.delivery.fleet
            ours, wanted = self.delivery, FAULT_AT * self.scenario.file_bytes
            await fleet.wait_until(
                lambda: sum(ours.bytes_from_origin().values()) >= wanted, self.scenario.timeout_seconds, "the fault"
            )
            if self.scenario.fault == "server restarted":
                await fleet.kill9(fleet.server)
                await fleet.start_server()
            else:
                shares = self.delivery.bytes_from_origin()
                k = max(shares, key=lambda each: shares[each])
                self.killed.add(k)
                await fleet.kill9(fleet.endpoints[k])

    async def watch_memory(self) -> None:
        """Record the most memory that any daemon held."""
        while True:
            for pid in self.pids():
                use = process_use(pid)
                self.rss_sharing_bytes = max(self.rss_sharing_bytes, use.rss_bytes if use else 0)
            await trio.sleep(LOOK_AT_FOOTPRINT_SECONDS)

    async def idle_footprint(self) -> Footprint | None:
        """Measure the daemons while they have nothing to do, not even to answer a status request."""
        if isinstance(self.delivery, OurDelivery):
            self.delivery.fleet.stop_following()
            await trio.sleep(SETTLED_SECONDS)
        before = {pid: process_use(pid) for pid in self.pids()}
        await trio.sleep(IDLE_SECONDS)
        pairs = [(use, after) for pid, use in before.items() if use and (after := process_use(pid))]
        if not pairs:
            return None
        return Footprint(
            self.rss_sharing_bytes,
            max(after.rss_bytes for _, after in pairs),
            max((after.cpu_seconds - use.cpu_seconds) / IDLE_SECONDS for use, after in pairs),
        )


class BusinessAtWork:
    """The business flows of a scenario, in a task of their own, so that they can end before what started after them."""

    def __init__(self, scenario: Scenario, lab: Lab, directory: Path) -> None:
        self._scenario = scenario
        self._lab = lab
        self._directory = directory
        self._stop = trio.Event()
        self._ended = trio.Event()
        self.download: Flow | None = None
        self.call_down: Flow | None = None
        self.pages: Flow | None = None

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run all flows until `end`; started when each is at work."""
        try:
            async with AsyncExitStack() as stack:
                await self._start(stack)
                task_status.started()
                await self._stop.wait()
        finally:
            self._ended.set()

    async def end(self) -> None:
        """End all flows and wait until they have."""
        self._stop.set()
        await self._ended.wait()

    async def _start(self, stack: AsyncExitStack) -> None:
        scenario, lab, directory = self._scenario, self._lab, self._directory
        branch, enter = lab.branches[0], stack.enter_async_context
        pc = branch.endpoints[0] if scenario.business_on_endpoint else branch.business
        server = branch.business if scenario.business_on_endpoint else lab.head
        if scenario.business:
            await enter(business_server(server, directory))
        for kind, program in ((CUBIC, "download"), (ONOFF, "onoff"), (UPLOAD, "upload")):
            if kind in scenario.business:
                self.download = await enter(flow(program, pc, server, directory))
        if VOIP in scenario.business:
            self.call_down, _ = await enter(call(pc, server, directory))
        if WEB in scenario.business:
            self.pages = await enter(flow("web", pc, server, directory))

    def logs(self) -> BusinessLogs:
        """Read their logs."""
        return BusinessLogs(
            self.download.goodput() if self.download else None,
            self.call_down.packets() if self.call_down else None,
            self.pages.pages() if self.pages else None,
        )


@asynccontextmanager
async def open_delivery(scenario: Scenario, lab: Lab, payload: Path, directory: Path) -> AsyncIterator[Delivery]:
    """Set up the scenario's method."""
    if scenario.method == OURS:
        async with open_ours(lab, payload, directory) as ours:
            yield ours
    else:
        async with open_rival(RIVALS[scenario.method], lab, payload, directory) as rival:
            yield rival


async def run_scenario(scenario: Scenario, directory: Path) -> Record:
    """Run a scenario to its end, or to its time limit. Everything that it starts has ended when this returns."""
    payload = directory / "payload" / "payload.bin"
    payload.parent.mkdir()
    payload.write_bytes(random.Random(scenario.key).randbytes(scenario.file_bytes))
    async with (
        open_lab(scenario.lab, directory) as lab,
        open_delivery(scenario, lab, payload, directory) as delivery,
    ):
        return await _measure(Run(scenario, lab, delivery, directory))


@dataclass(frozen=True)
class _Before:
    counters: list[LineCounters]
    machine: MachineTime


async def _measure(run: Run) -> Record:
    scenario, lab = run.scenario, run.lab
    alone_from: float | None = None
    business = BusinessAtWork(scenario, lab, run.directory)
    async with trio.open_nursery() as nursery:
        await nursery.start(business.run)
        if scenario.business:
            await trio.sleep(scenario.settle_seconds)
            alone_from = now_ms()
            await trio.sleep(scenario.alone_seconds)
        before = _Before([await line.counters() for line in lab.lines], machine_time())
        nursery.start_soon(run.delivery.follow)
        if scenario.footprint:
            nursery.start_soon(run.watch_memory)
        nursery.start_soon(run.fault)
        start = told = now_ms()
        with trio.move_on_after(scenario.timeout_seconds):
            await run.delivery.start()
            told = now_ms()
            if scenario.business:
                with trio.move_on_after(scenario.with_seconds):
                    await run.finished()
                run.business_end = now_ms()
                await business.end()
            if scenario.until_finished:
                await run.finished()
        end = max(run.delivery.finished_ms.values()) if run.is_finished else now_ms()
        machine = machine_time()
        logs = business.logs()
        nursery.cancel_scope.cancel()
    counters = [await line.counters() for line in lab.lines]
    footprint = await run.idle_footprint() if scenario.footprint else None
    branch_log = read_log(lab.branches[0].line.log)
    pairs = list(zip(before.counters, counters, strict=True))[: len(lab.branches)]
    carried = sum(_managed(new) - _managed(old) for old, new in pairs)
    written = sum(_written(new) - _written(old) for old, new in pairs)
    late = sum(_late(new) - _late(old) for old, new in pairs)
    ours = run.delivery if isinstance(run.delivery, OurDelivery) else None
    if ours:  # publishing first hashes and signs: the job begins when that is done, or when the line is first used
        start = branch_log.down.first_full_packet_ms(start, told) or told
    return record_of(
        scenario,
        Times(start, end, alone_from, run.business_end),
        logs,
        down=branch_log.down,
        uplink=read_log(lab.uplink.log).down if lab.uplink else None,
        finished_ms=run.delivery.finished_ms,
        wanted=run.wanted,
        payload_bytes=carried,
        origin_bytes=sum(ours.bytes_from_origin().values()) if ours else None,
        processor=Processor(machine.busy_share_since(before.machine), late / max(1, written)),
        footprint=footprint,
    )


def _managed(counters: LineCounters) -> int:
    return counters.down.classes[MANAGED].payload_bytes


def _written(counters: LineCounters) -> int:
    return counters.down.written + counters.up.written


def _late(counters: LineCounters) -> int:
    return counters.down.late + counters.up.late
