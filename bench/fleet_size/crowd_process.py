"""The processes that play PCs, from the side of the benchmark."""

import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import msgspec
import trio

from bench.fleet_size.crowd import Plan, Progress, Said, lines_of
from bench.fleet_size.identities import written

LOOK_SECONDS = 0.1
START_SECONDS = 60.0  # of a server with thousands of PCs and patches, on a busy machine
END_SECONDS = 10.0
WRITE_SECONDS = 120.0  # of a crowd that is in a server's process, which may be late
LOG_TAIL_LINES = 15


class CrowdError(Exception):
    """A crowd ended, or something did not happen in time; the text says how far it was."""


class CrowdProcess:
    """One process that plays PCs."""

    def __init__(self, plan: Plan, process: trio.Process, stream: trio.SocketStream, log: Path) -> None:
        self.plan = plan
        self.process = process
        self.log = log
        self.progress = Progress()
        self._stream = stream

    async def say(self, command: str) -> None:
        """Send a command."""
        await self._stream.send_all(command.encode() + b"\n")

    async def follow(self) -> None:
        """Keep `progress` up to date, until it ends."""
        async with self._stream:
            with contextlib.suppress(trio.BrokenResourceError):
                async for line in lines_of(self._stream):
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
            WRITE_SECONDS,
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
                        raise CrowdError("a crowd's process ended by itself:\n" + tail_of(one.log))
                await trio.sleep(LOOK_SECONDS)
            return
        far = [msgspec.to_builtins(one.progress) for one in self.processes]
        raise CrowdError(f"{what} did not happen within {seconds:.0f} s: {far}")


@asynccontextmanager
async def open_crowds(module: str, plans: Sequence[Plan], directory: Path, *words: str) -> AsyncIterator[Crowds]:
    """Run a process for each plan: ``python -m module WORDS PLAN``; all have ended when the context closes."""
    async with trio.open_nursery() as nursery:
        processes = []
        try:
            for number, plan in enumerate(plans):
                log = directory / f"crowd-{number}.log"
                command = [sys.executable, "-m", module, *words, str(directory / f"crowd-{number}.plan")]
                process, stream = await _started(nursery, command, plan, log)
                processes.append(CrowdProcess(plan, process, stream, log))
                nursery.start_soon(processes[-1].follow)
            yield Crowds(processes)
        finally:
            nursery.cancel_scope.cancel()


async def _started(
    nursery: trio.Nursery, command: list[str], plan: Plan, log: Path
) -> tuple[trio.Process, trio.SocketStream]:
    """Write the plan to the last word of ``command``, start that, and wait until it has connected to us."""
    with trio.socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        Path(plan.control).unlink(missing_ok=True)
        await listener.bind(plan.control)
        listener.listen(1)
        written(Path(command[-1]), plan)
        with log.open("ab") as output:
            start = partial(
                trio.run_process, command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                check=False, start_new_session=True, deliver_cancel=_end,
            )  # fmt: skip
            process: trio.Process = await nursery.start(start)
        until = trio.current_time() + START_SECONDS
        while process.returncode is None and trio.current_time() < until:
            with trio.move_on_after(LOOK_SECONDS):
                connected, _ = await listener.accept()
                return process, trio.SocketStream(connected)
    raise CrowdError("a crowd's process did not start:\n" + tail_of(log))


def tail_of(log: Path) -> str:
    """Return a log's last lines."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:])


async def _end(process: trio.Process) -> None:
    process.send_signal(signal.SIGTERM)
    await trio.sleep(END_SECONDS)
    process.kill()
