"""Starts the business programs on the lab's hosts and reads their logs."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import trio

from bench.lab.measures import Goodput, Page, VoipPacket
from bench.lab.namespaces import LabError, run
from bench.lab.programs import SERVICE_PORT
from bench.lab.topology import Host

ROOT = Path(__file__).parents[2]
START_SECONDS = 20.0
STOP_SECONDS = 5.0
POLL_SECONDS = 0.05


@dataclass
class Program:
    """One process inside a namespace; made by `running`."""

    name: str
    process: trio.Process
    errors: Path

    def check(self) -> None:
        """Raise `LabError` if it has ended."""
        if self.process.returncode is not None:
            tail = self.errors.read_text(errors="replace")[-2000:]
            raise LabError(f"{self.name} ended with code {self.process.returncode}: {tail.strip()}")


async def launch(
    nursery: trio.Nursery, host: Host, name: str, command: Sequence[str | Path | float], directory: Path
) -> Program:
    """Run a command on a host until ``nursery`` is cancelled; its output goes to ``directory``/``name``.errors."""
    errors = directory / f"{name}.errors"
    with errors.open("ab") as output:
        process: trio.Process = await nursery.start(
            partial(
                trio.run_process, host.command(*command), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                check=False, start_new_session=True, deliver_cancel=_end, cwd=ROOT,
            )
        )  # fmt: skip
    return Program(name, process, errors)


@asynccontextmanager
async def running(
    host: Host, name: str, command: Sequence[str | Path | float], directory: Path
) -> AsyncIterator[Program]:
    """Run a command on a host for as long as the context is open."""
    async with trio.open_nursery() as nursery:
        try:
            yield await launch(nursery, host, name, command, directory)
        finally:
            nursery.cancel_scope.cancel()


async def _end(process: trio.Process) -> None:
    process.terminate()
    await trio.sleep(STOP_SECONDS)  # trio cancels this as soon as the process has ended
    process.kill()


def program(*words: str | Path) -> list[str]:
    """Return the command of one of `bench.lab.programs`."""
    return [sys.executable, "-m", "bench.lab.programs", *map(str, words)]


async def listens(host: Host, port: int) -> bool:
    """Whether something on the host accepts TCP connections there."""
    return bool((await run(*host.command("ss", "-Hltn", f"sport = :{port}"))).strip())


@asynccontextmanager
async def business_server(host: Host, directory: Path) -> AsyncIterator[Program]:
    """Run the server that the business programs talk to."""
    async with running(host, "business-server", program("serve", host.address), directory) as server:
        with trio.fail_after(START_SECONDS):
            while not await listens(host, SERVICE_PORT):
                server.check()
                await trio.sleep(POLL_SECONDS)
        yield server


@dataclass(frozen=True)
class Flow:
    """A running business program and its log."""

    program: Program
    log: Path

    def goodput(self) -> Goodput:
        """Read the bytes that have come so far."""
        return Goodput([(int(at), int(count)) for at, count in read_lines(self.log)])

    def pages(self) -> list[Page]:
        """Read the pages so far."""
        return [Page(start / 1e6, took / 1e6) for start, took in read_lines(self.log)]

    def packets(self) -> list[VoipPacket]:
        """Read the call's packets so far."""
        return [VoipPacket(sent / 1e6, int(number), delay / 1e6) for sent, number, delay in read_lines(self.log)]

    async def started(self) -> None:
        """Wait until it has written its first line."""
        with trio.fail_after(START_SECONDS):
            while not (self.log.exists() and self.log.stat().st_size):
                self.program.check()
                await trio.sleep(POLL_SECONDS)


def read_lines(log: Path) -> list[list[float]]:
    """Read a program's log; a line that is still being written is left out."""
    text = log.read_text() if log.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


@asynccontextmanager
async def flow(kind: str, pc: Host, server: Host, directory: Path, name: str = "") -> AsyncIterator[Flow]:
    """Run ``download``, ``upload``, ``onoff`` or ``web`` on a PC; it is at work when the context opens."""
    name = name or kind
    log = directory / f"{name}.jsonl"
    async with running(pc, name, program(kind, server.address, log), directory) as started:
        at_work = Flow(started, log)
        await at_work.started()
        yield at_work


@asynccontextmanager
async def call(pc: Host, server: Host, directory: Path) -> AsyncIterator[tuple[Flow, Flow]]:
    """Run a call between a PC and head office; yields its two directions, down and up."""
    async with (
        voip(server, pc, directory, "voip-down") as down,
        voip(pc, server, directory, "voip-up") as up,
    ):
        yield down, up


@asynccontextmanager
async def voip(source: Host, target: Host, directory: Path, name: str) -> AsyncIterator[Flow]:
    """Run one direction of a call."""
    log = directory / f"{name}.jsonl"
    async with (
        running(target, f"{name}-in", program("voip-receive", target.address, log), directory) as receiver,
        running(source, f"{name}-out", program("voip-send", target.address), directory),
    ):
        way = Flow(receiver, log)
        await way.started()
        yield way
