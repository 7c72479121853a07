"""Our commands and daemons as processes: run to their end, or started and ended in order; and ports that are free."""

import os
import random
import signal
import socket
import subprocess
import sysconfig
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, Protocol

import trio

STOP_SECONDS = 10.0  # a daemon gives itself 5 s for its last records
SETTLED_PORTS = range(20_000, 32_768)  # Linux gives those from 32768 on to outgoing connections, at any moment
TRIED_PORTS = 64
OURS = ("seed-server", "p2pdist")
SCRIPTS = Path(sysconfig.get_path("scripts"))


class FleetError(Exception):
    """A command failed, a process died, or something did not happen in time; the text carries the log's tail."""


class Running(Protocol):
    """A process that was started."""

    @property
    def pid(self) -> int:
        """Its number."""

    @property
    def returncode(self) -> int | None:
        """How it ended, negative by a signal; None: it runs."""

    async def wait(self) -> int:
        """Wait for its end, and return how."""

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it runs."""

    def terminate(self) -> None:
        """Ask it to end."""

    def kill(self) -> None:
        """End it at once."""


async def run_command(program: str, *arguments: str | Path | int, prefix: tuple[str, ...] = ()) -> str:
    """Run one of our commands to its end and return its standard output. Raises `FleetError` with its error text."""
    run = run_to_its_end if prefix else run_ours
    result = await run([*prefix, str(SCRIPTS / program), *map(str, arguments)], {**os.environ, "NO_COLOR": "1"})
    if result.returncode != 0:
        raise FleetError(
            f"{program} {arguments[0]} ended with code {result.returncode}: {result.stderr.decode().strip()}"
        )
    return result.stdout.decode()


async def run_to_its_end(command: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[bytes]":
    """Run a command in a session of its own and return what it printed."""
    return await trio.run_process(
        command, capture_stdout=True, capture_stderr=True, check=False, start_new_session=True, env=environment
    )


async def start_process(command: list[str], log: IO[bytes]) -> Running:
    """Start a command in a session of its own: Ctrl-C reaches only us, and we end the processes in order."""
    return await trio.lowlevel.open_process(
        command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )


start_ours: Callable[[list[str], IO[bytes]], Awaitable[Running]] = start_process  # as `run_ours`
run_ours = run_to_its_end  # one of our commands, on this machine; tests have a quicker way


async def keep(process: Running) -> None:
    """Wait for the end of a process; on cancellation, see to it."""
    try:
        await process.wait()
    finally:
        with trio.CancelScope(shield=True):
            process.terminate()
            with trio.move_on_after(STOP_SECONDS):
                await process.wait()
            process.kill()
            await process.wait()


def free_ports(count: int) -> list[int]:
    """Return TCP ports that nobody uses now, on any address, and that the kernel gives to no outgoing connection."""
    with ExitStack() as stack:
        found: list[int] = []
        for port in random.sample(SETTLED_PORTS, TRIED_PORTS):
            each = stack.enter_context(socket.socket())
            with suppress(OSError):
                each.bind(("0.0.0.0", port))
                found.append(port)
            if len(found) == count:
                return found
    raise FleetError(f"of {TRIED_PORTS} ports below {SETTLED_PORTS.stop}, fewer than {count} are free")
