"""Our commands in tests of several processes: each is a process of its own, forked from one that has our modules.

Hundreds of commands run in fleets' tests, and each took half a second of a processor to load what all of them need.
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
from typing import Any, NoReturn

import trio

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
        words = [sys.executable, "-c", f"from {__name__} import be_ready; be_ready({number})"]
        self.process = subprocess.Popen(
            words, pass_fds=[number], cwd=Path(__file__).parents[2], start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,  # pipes, as those of commands
        )  # fmt: skip
        self._asked.close()

    async def run(self, command: list[str], environment: dict[str, str]) -> "subprocess.CompletedProcess[bytes]":
        """Run one to its end, in a session of its own; on cancellation it is killed."""
        if self.process is None:
            self._start()
        asked = {"argv": command, "cwd": str(Path.cwd()), "environment": environment}
        pipes = [os.pipe() for _ in range(FILES)]
        try:
            socket.send_fds(self._asks, [json.dumps(asked).encode()], [write for _, write in pipes])
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
    """Load what commands need, fork for each that is asked for over this socket, and be it there."""
    with socket.socket(fileno=number) as asked:
        _load()
        _serve(asked)
    program = Path(sys.argv[0]).name.replace("-", "_")
    sys.exit(importlib.import_module(f"{program}.commands.main").main())
