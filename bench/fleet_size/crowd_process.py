"""The processes that play PCs, from the side of the benchmark."""

import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import trio

from bench.fleet_size.crowd import Plan, Progress, Said
from bench.fleet_size.identities import written

LOOK_SECONDS = 0.1
END_SECONDS = 10.0
LINE_BYTES = 64 << 10
LOG_TAIL_LINES = 15


class CrowdError(Exception):
    """A crowd ended, or something did not happen in time; the text says how far it was."""


class CrowdProcess:
    """One process that plays PCs."""

    def __init__(self, plan: Plan, process: trio.Process, log: Path) -> None:
        self.plan = plan
        self.process = process
        self.log = log
        self.progress = Progress()

    async def say(self, command: str) -> None:
        """Send a command."""
        assert self.process.stdin is not None
        await self.process.stdin.send_all(command.encode() + b"\n")

    async def follow(self) -> None:
        """Keep `progress` up to date; lines of others on its standard output are no matter."""
        assert self.process.stdout is not None
        rest = b""
        while data := await self.process.stdout.receive_some(LINE_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.startswith(b"{"):
                    self.progress = msgspec.json.decode(line, type=Progress)


class Crowds:
    """Several such processes as one."""

    def __init__(self, processes: Sequence[CrowdProcess]) -> None:
        self.processes = processes

    def total(self, of: Callable[[Progress], int]) -> int:
        """Return a count of all together."""
        return sum(of(one.progress) for one in self.processes)

    @property
    def reasons(self) -> dict[str, int]:
        """Why connections ended, and how many."""
        sums: dict[str, int] = {}
        for one in self.processes:
            for reason, count in one.progress.reasons.items():
                sums[reason] = sums.get(reason, 0) + count
        return sums

    async def say(self, command: str) -> None:
        """Send a command to all."""
        for one in self.processes:
            await one.say(command)

    async def connect(self, within_seconds: float) -> None:
        """Let all PCs connect, and wait until as many as there are have been welcomed. Raises `CrowdError`."""
        wanted = sum(len(one.plan.pcs) for one in self.processes)
        await self.say("connect")
        await self.wait_until(
            lambda: self.total(lambda progress: progress.connected + progress.lost) >= wanted,
            within_seconds,
            f"{wanted} PCs connecting",
        )

    async def said(self) -> dict[str, Said]:
        """Return what each PC has reported."""
        before = [one.progress.written for one in self.processes]
        await self.say("write")
        await self.wait_until(
            lambda: all(one.progress.written > old for one, old in zip(self.processes, before, strict=True)),
            END_SECONDS,
            "what was said being written",
        )
        found: dict[str, Said] = {}
        for one in self.processes:
            found |= msgspec.msgpack.decode(Path(one.plan.stamps).read_bytes(), type=dict[str, Said])
        return found

    async def wait_until(self, predicate: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait. Raises `CrowdError` after so many seconds, or when a process has ended."""
        with trio.move_on_after(seconds):
            while not predicate():
                for one in self.processes:
                    if one.process.returncode is not None:
                        tail = one.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
                        raise CrowdError("a crowd's process ended by itself:\n" + "\n".join(tail))
                await trio.sleep(LOOK_SECONDS)
            return
        far = [msgspec.to_builtins(one.progress) for one in self.processes]
        raise CrowdError(f"{what} did not happen within {seconds:.0f} s: {far}")


@asynccontextmanager
async def open_crowds(module: str, plans: Sequence[Plan], directory: Path, *words: str) -> AsyncIterator[Crowds]:
    """Run a process for each plan: ``python -m module WORDS PLAN``; all have ended when the context closes."""
    async with trio.open_nursery() as nursery:
        processes = []
        for number, plan in enumerate(plans):
            log = directory / f"crowd-{number}.log"
            file = written(directory / f"crowd-{number}.plan", plan)
            command = [sys.executable, "-m", module, *words, str(file)]
            with log.open("ab") as errors:
                start = partial(
                    trio.run_process, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                    check=False, start_new_session=True, deliver_cancel=_end,
                )  # fmt: skip
                processes.append(CrowdProcess(plan, await nursery.start(start), log))
            nursery.start_soon(processes[-1].follow)
        try:
            yield Crowds(processes)
        finally:
            nursery.cancel_scope.cancel()


async def _end(process: trio.Process) -> None:
    process.send_signal(signal.SIGTERM)
    await trio.sleep(END_SECONDS)
    process.kill()
