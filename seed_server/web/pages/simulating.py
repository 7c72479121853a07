"""A throttle profile on a simulated line, by `bandwidth simulate` in a process of its own. Blocking.

The simulator needs all of a processor for seconds, and a profile that is being written may be anything: so the child
has few seconds, little memory and the lowest priority, there is one for each reader and few at all, and it ends with
whoever asked for it.
"""

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.clock import Clock, SystemClock
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.own_programs import SOURCES, own_program
from seed_server.web.pages.simulated_run import ShownRun

SIMULATION_SECONDS = 15.0  # of processor and of waiting; a minute of an office's 20 Mbit/s takes one
SIMULATION_MEMORY_BYTES = 1 << 30  # of address space: the interpreter and the libraries have a third of it
SIMULATIONS_AT_ONCE = 2  # of all readers: each has one of the pages' threads meanwhile
TURN_WAIT_SECONDS = 2.0  # for a turn to come: who waits has a thread, too
CHILD_LOOK_SECONDS = 0.05  # between two looks whether the child is done, and whether anybody waits for it
MAX_SIMULATION_BYTES = 4 << 20  # of each file that the child writes: two minutes have 60 kB
MAX_FAILURE_CHARS = 600  # of what the child says when it fails
END_SECONDS = 5.0  # for a killed child to be gone
ScenarioName: TypeAlias = Literal["office", "idle", "download", "calls", "web", "on-off", "busy", "slow-line"]
"""What `bandwidth simulate --scenario` offers."""


@dataclass(frozen=True)
class SimulationWish:
    """What is to be simulated, checked as far as its form goes."""

    text: str
    site: str
    named: bool
    """Whether the profile names its sites."""
    scenario: ScenarioName
    at: str
    """ISO 8601 with an offset."""
    seconds: int
    file_gb: float
    line: int | None
    """Bytes per second; None: as the profile or the scenario has it."""

    @property
    def options(self) -> list[str]:
        """The command line's."""
        site = [f"--site={self.site}"] if self.named else []
        line = [] if self.line is None else [f"--line={self.line} B/s"]
        return [
            f"--scenario={self.scenario}", f"--at={self.at}", f"--seconds={self.seconds}",
            f"--file-gb={self.file_gb}", "--json", *site, *line,
        ]  # fmt: skip


OVERTAKEN = "The simulation was ended: a newer one was asked for, or nobody waited for it any more."


class _OvertakenError(Exception):
    """Nobody waits for the run any more."""


@dataclass
class Simulations:
    """The children of one process."""

    seconds: float = SIMULATION_SECONDS
    at_once: int = SIMULATIONS_AT_ONCE
    clock: Clock = field(default_factory=SystemClock)
    _free: threading.Condition = field(default_factory=threading.Condition)
    _newest: dict[str, object] = field(default_factory=dict)
    """By reader, the wish that counts."""
    _running: int = 0

    def run(self, reader: str, wish: SimulationWish, gone: Callable[[], bool] = lambda: False) -> ShownRun:
        """Return a run. A newer one of the same ``reader`` ends it, and so does it when they are ``gone``.

        Raises `UserError`: BAD_INPUT with the command's own words, or where it takes too long; BUSY.
        """
        with self._turn(reader) as counts, tempfile.TemporaryDirectory(prefix="seed-server-simulation-") as folder:
            try:
                return _run(Path(folder), wish, self.seconds, self.clock, lambda: counts() and not gone())
            except _OvertakenError:
                raise UserError(OVERTAKEN, FaultKind.BUSY) from None

    @property
    def running(self) -> int:
        """How many children there are."""
        return self._running

    @contextmanager
    def _turn(self, reader: str) -> Iterator[Callable[[], bool]]:
        mine = object()

        def counts() -> bool:
            return self._newest.get(reader) is mine

        with self._free:
            self._newest[reader] = mine
            free = self._free.wait_for(lambda: self._running < self.at_once or not counts(), TURN_WAIT_SECONDS)
            if not counts():
                raise UserError(OVERTAKEN, FaultKind.BUSY)
            if not free:
                del self._newest[reader]
                raise UserError("Others simulate at the moment. Try again in some seconds.", FaultKind.BUSY)
            self._running += 1
        try:
            yield counts
        finally:
            with self._free:
                self._running -= 1
                if counts():
                    del self._newest[reader]
                self._free.notify_all()


def _run(folder: Path, wish: SimulationWish, seconds: float, clock: Clock, wanted: Callable[[], bool]) -> ShownRun:
    profile, answer, said = (folder / name for name in ("profile.toml", "run.json", "said"))
    profile.write_text(wish.text, encoding="utf-8")
    command = own_program("bandwidth.commands", "simulate", os.fspath(profile))
    with answer.open("wb") as out, said.open("wb") as errors:
        child = subprocess.Popen(
            [*command, *wish.options],
            stdin=subprocess.DEVNULL, stdout=out, stderr=errors, cwd=folder,
            env={"PYTHONPATH": SOURCES, "PATH": os.environ.get("PATH", "")},
        )  # fmt: skip
        try:
            _bound(child.pid, seconds)
            until = clock.monotonic() + seconds
            ended = _wait(child, lambda: clock.monotonic() > until, wanted)
        finally:
            child.kill()
            child.wait(END_SECONDS)
    if not ended or child.returncode < 0:  # by a signal: it has had its seconds of processor
        raise UserError(
            f"The simulation did not end within {seconds:g} s. Choose fewer seconds, or a slower line.",
            FaultKind.BAD_INPUT,
        )
    if child.returncode != 0:
        raise UserError(_words_of(said, profile), FaultKind.BAD_INPUT)
    try:
        return msgspec.json.decode(read_capped(answer, MAX_SIMULATION_BYTES), type=ShownRun)
    except (OSError, FileTooLargeError, msgspec.DecodeError) as error:
        raise UserError(
            f"The answer of the simulation cannot be read ({error}). Is the disk full?", FaultKind.STORAGE
        ) from error


def _wait(child: "subprocess.Popen[bytes]", over: Callable[[], bool], wanted: Callable[[], bool]) -> bool:
    """Wait for the child's end; return whether it came in time. Raises `_OvertakenError` once nobody waits for it."""
    while True:
        try:
            child.wait(CHILD_LOOK_SECONDS)
        except subprocess.TimeoutExpired:
            if not wanted():
                raise _OvertakenError from None
            if over():
                return False
        else:
            return True


def _bound(pid: int, seconds: float) -> None:
    """Give a child its part of the machine; where the system cannot, the time alone bounds it."""
    if sys.platform != "linux":
        return
    import resource

    limits: Sequence[tuple[Any, int]] = (
        (resource.RLIMIT_CPU, int(seconds) + 1),
        (resource.RLIMIT_AS, SIMULATION_MEMORY_BYTES),
        (resource.RLIMIT_FSIZE, MAX_SIMULATION_BYTES),
        (resource.RLIMIT_CORE, 0),
    )
    try:
        os.setpriority(os.PRIO_PROCESS, pid, 19)
        for limit, value in limits:
            resource.prlimit(pid, limit, (value, value))
    except ProcessLookupError:  # it has ended already
        return


def _words_of(said: Path, profile: Path) -> str:
    """Return what the child has said, without the name of its file."""
    with said.open("rb") as file:
        text = file.read(4 * MAX_FAILURE_CHARS).decode(errors="replace")
    lines = [line for line in text.splitlines() if line.strip()] or ["the simulator said nothing"]
    words = lines[-1].removeprefix("error: ").removeprefix("Error: ").replace(os.fspath(profile), "profile.toml")
    return words[:MAX_FAILURE_CHARS]
