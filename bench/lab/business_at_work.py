"""The business of a scenario: which flows run on which PC and when, and what they got alone and beside the file."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import trio

from bench.lab.business import Flow, business_server, call, flow
from bench.lab.delivery import now_ms
from bench.lab.records import BusinessLogs, Part
from bench.lab.scenario import CUBIC, ONOFF, UPLOAD, VOIP, WEB, Scenario
from bench.lab.topology import Host, Lab

DRAIN_SECONDS = 2.0  # after late business alone: the file finds an empty queue


def business_hosts(scenario: Scenario, lab: Lab) -> tuple[Host, Host]:
    """Return the PC with the business, and the host that it talks to."""
    branch = lab.branches[0]
    if scenario.business_on_endpoint:
        return branch.endpoints[0], branch.business
    return branch.business, lab.head


class BusinessAtWork:
    """Some flows, in a task of their own, so that they can end before what started after them."""

    def __init__(self, kinds: tuple[str, ...], pc: Host, server: Host, directory: Path) -> None:
        directory.mkdir()
        self._kinds = kinds
        self._pc = pc
        self._server = server
        self._directory = directory
        self._stop = trio.Event()
        self._ended = trio.Event()
        self._download: Flow | None = None
        self._call_down: Flow | None = None
        self._pages: Flow | None = None

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
        enter, pc, server, directory = stack.enter_async_context, self._pc, self._server, self._directory
        for kind, program in ((CUBIC, "download"), (ONOFF, "onoff"), (UPLOAD, "upload")):
            if kind in self._kinds:
                self._download = await enter(flow(program, pc, server, directory))
        if VOIP in self._kinds:
            self._call_down, _ = await enter(call(pc, server, directory))
        if WEB in self._kinds:
            self._pages = await enter(flow("web", pc, server, directory))

    def logs(self) -> BusinessLogs:
        """Read their logs."""
        return BusinessLogs(
            self._download.goodput() if self._download else None,
            self._call_down.packets() if self._call_down else None,
            self._pages.pages() if self._pages else None,
        )


@dataclass
class Stretch:
    """Flows for a while; times are milliseconds of the monotonic clock."""

    flows: BusinessAtWork
    begun: float
    ended: float | None = None

    def part(self, until: float) -> Part:
        """Return what they got, until then at the latest."""
        return Part(self.begun, until if self.ended is None else min(self.ended, until), self.flows.logs())


class Competition:
    """All business of a scenario, alone and then beside the file.

    ``nursery`` runs the flows: cancel it to end what still runs.
    """

    def __init__(self, scenario: Scenario, lab: Lab, directory: Path, nursery: trio.Nursery) -> None:
        self._scenario = scenario
        self._lab = lab
        self._directory = directory
        self._nursery = nursery
        self._early_alone: Stretch | None = None
        self._early_ended: float | None = None
        self._late_alone: Stretch | None = None
        self._late: Stretch | None = None

    async def run_alone(self) -> None:
        """Start business that runs from the beginning, and measure all business without the file."""
        scenario = self._scenario
        if scenario.business or scenario.late:
            await self._nursery.start(self._serve)
        if scenario.business:
            flows = await self._started("business", scenario.business)
            await trio.sleep(scenario.settle_seconds)
            await self._lab.branches[0].line.repeat_losses()
            self._early_alone = Stretch(flows, now_ms())
            await trio.sleep(scenario.alone_seconds)
        if scenario.late:
            if self._early_alone:
                self._early_alone.ended = now_ms()
            self._late_alone = await self._late_stretch("late-alone")
            await self._finish_late(self._late_alone)
            await trio.sleep(DRAIN_SECONDS)
        if self._early_alone:
            await self._lab.branches[0].line.repeat_losses()

    async def run_late(self) -> None:
        """Run late business beside the file, when its time has come."""
        if self._scenario.late:
            await trio.sleep(self._scenario.late_after_seconds)
            self._late = await self._late_stretch("late")
            await self._finish_late(self._late)

    async def end_early(self) -> None:
        """End what runs from the beginning."""
        if self._early_alone:
            self._early_ended = now_ms()
            await self._early_alone.flows.end()

    def alone(self, start: float) -> list[Part]:
        """Return what business got before the file began."""
        return [each.part(start) for each in (self._early_alone, self._late_alone) if each]

    def beside(self, start: float, end: float) -> list[Part]:
        """Return what it got while the file was on its way; what runs all the time, until late business began."""
        parts = []
        if self._early_alone:
            until = min(end, self._early_ended or end, self._late.begun if self._late else end)
            parts.append(Part(start, until, self._early_alone.flows.logs()))
        return [*parts, self._late.part(end)] if self._late else parts

    def late_times(self, end: float) -> tuple[float, float] | None:
        """Return from and to when there was late business."""
        return (self._late.begun, min(end, self._late.ended or end)) if self._late else None

    def ended(self) -> float | None:
        """Return when business had ended beside the file, late business if there was any; None when it had not."""
        return self._late.ended if self._late else self._early_ended

    async def _serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        async with business_server(business_hosts(self._scenario, self._lab)[1], self._directory):
            task_status.started()
            await trio.sleep_forever()

    async def _started(self, phase: str, kinds: tuple[str, ...]) -> BusinessAtWork:
        flows = BusinessAtWork(kinds, *business_hosts(self._scenario, self._lab), self._directory / phase)
        await self._nursery.start(flows.run)
        return flows

    async def _late_stretch(self, phase: str) -> Stretch:
        await self._lab.branches[0].line.repeat_losses()
        return Stretch(await self._started(phase, self._scenario.late), now_ms())

    async def _finish_late(self, stretch: Stretch) -> None:
        await trio.sleep(self._scenario.late_seconds)
        stretch.ended = now_ms()
        await stretch.flows.end()
