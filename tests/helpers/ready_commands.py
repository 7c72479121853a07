"""Our commands in tests of several processes: each is a process of its own, forked from one that has our modules.

Hundreds of commands and daemons run in fleets' tests, and each took half a second of a processor, a server two, to load
what all of them need.
"""

import contextlib
import gc
import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO, Any, NoReturn

import trio

from tests.helpers.forked_parts import NAME_ROOM, call_it, fork_parts

PACKAGES = ("p2pdist", "seed_server")
LONGEST_REQUEST_BYTES = 1 << 20
PID_BYTES = 10
FILES = 3  # standard output and error, and where it is told what becomes of the command


class ReadyCommands:
    """Runs commands of ours; what they are forked from is started with the first, and ends with `close`."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes] | None = None
        self._asked, self._asks = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

    def close(self) -> None:
        """End it."""
        self._asked.close()
        self._asks.close()
        if self.process is not None:
            self.process.communicate()

    def _start(self) -> None:
        number = self._asked.fileno()
        words = [sys.executable, "-c", f"from {__name__} import be_ready; be_ready({number})", NAME_ROOM]
        self.process = subprocess.Popen(
            words, pass_fds=[number], cwd=Path(__file__).parents[2], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,  # pipes, as those of commands
        )  # fmt: skip
        self._asked.close()

    def _ask(self, command: list[str], environment: dict[str, str], files: list[int]) -> None:
        if self.process is None:
            self._start()
        asked = {"argv": command, "cwd": str(Path.cwd()), "environment": environment}
        socket.send_fds(self._asks, [json.dumps(asked).encode()], files)

    async def start(self, command: list[str], log: IO[bytes]) -> "StartedCommand":
        """Start one that runs for long, in a session of its own; what it prints goes to ``log``."""
        reads, writes = os.pipe()
        try:
            self._ask(command, dict(os.environ), [log.fileno(), log.fileno(), writes])
        finally:
            os.close(writes)
        os.set_blocking(reads, False)
        with trio.CancelScope(shield=True):
            await trio.lowlevel.wait_readable(reads)
        return StartedCommand(int(os.read(reads, PID_BYTES)), reads)

    async def run(self, command: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[bytes]":
        """Run one to its end, in a session of its own; on cancellation it is killed."""
        pipes = [os.pipe() for _ in range(FILES)]
        try:
            self._ask(command, environment, [write for _, write in pipes])
        finally:
            for _, write in pipes:
                os.close(write)
        output, errors, told = (trio.lowlevel.FdStream(end) for end, _ in pipes)
        read: dict[trio.abc.ReceiveStream, bytearray] = {output: bytearray(), errors: bytearray(), told: bytearray()}

        async def read_all(stream: trio.abc.ReceiveStream) -> None:
            async for data in stream:
                read[stream] += data

        async with output, errors, told:
            with trio.CancelScope(shield=True):
                child = int(await told.receive_some(PID_BYTES))
            try:
                async with trio.open_nursery() as nursery:
                    for stream in read:
                        nursery.start_soon(read_all, stream)
            except trio.Cancelled:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                raise
        return subprocess.CompletedProcess(command, int(read[told]), bytes(read[output]), bytes(read[errors]))


class StartedCommand:
    """One that runs; to `bench.fleet` it is what a `trio.Process` is."""

    def __init__(self, pid: int, told: int) -> None:
        self.pid = pid
        self._told = told
        self._outcome: int | None = None
        self._waiting = trio.Lock()

    @property
    def returncode(self) -> int | None:
        """How it ended; None: it runs."""
        if self._outcome is None:
            with contextlib.suppress(BlockingIOError):
                self._ended(os.read(self._told, PID_BYTES))
        return self._outcome

    async def wait(self) -> int:
        """Wait for its end."""
        async with self._waiting:  # one task alone may wait for a file
            while (outcome := self.returncode) is None:
                await trio.lowlevel.wait_readable(self._told)
        return outcome

    def _ended(self, said: bytes) -> None:
        self._outcome = int(said) if said else -signal.SIGKILL  # who waits for it was killed with it
        os.close(self._told)

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it runs."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it ends just now
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


def _load() -> None:
    for name in PACKAGES:
        for module in pkgutil.walk_packages(importlib.import_module(name).__path__, f"{name}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    gc.collect()
    gc.freeze()


def _serve(asked: socket.socket) -> None:
    """Fork for each request until whoever asks is gone; return in the process that is to be a command."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that wait for a command
    while True:
        data, files, _, _ = socket.recv_fds(asked, LONGEST_REQUEST_BYTES, FILES)
        if not data:
            sys.exit()
        if not os.fork():
            asked.close()
            return _become(json.loads(data), files)
        for file in files:
            os.close(file)


def _become(request: dict[str, Any], files: list[int]) -> None:
    """Be the command, in a child; say what it is and what has become of it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *standard, told = files
    child = os.fork()
    if child:
        _wait_for(child, told, standard)
    os.close(told)
    os.setsid()
    for number, file in enumerate(standard, 1):
        os.dup2(file, number)
        os.close(file)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv[:] = request["argv"]


def _wait_for(child: int, told: int, standard: list[int]) -> NoReturn:
    for file in standard:  # who reads there is not to wait for us
        os.close(file)
    os.write(told, b"%*d" % (PID_BYTES, child))
    _, status = os.waitpid(child, 0)
    os.write(told, b"%d" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def be_ready(number: int) -> None:
    """Load what commands need, fork for each that is asked for over this socket, and be it there.

    A command is one of ours, or `MODULE:FUNCTION`.
    """
    with socket.socket(fileno=number) as asked:
        _load()
        _serve(asked)
    call_it(sys.argv)
    fork_parts()
    module, _, function = sys.argv[0].rpartition(":")
    if not module:
        module, function = f"{Path(sys.argv[0]).name.replace('-', '_')}.commands.main", "main"
    sys.exit(getattr(importlib.import_module(module), function)())
