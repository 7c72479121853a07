"""Runs the simulations in processes of their own, and keeps every finished run in a file, so that none is repeated.

An interrupted benchmark goes on where it stopped. A run is known by its scenario and by the sources that it depends
on (`bench.control.sources`); runs of other sources stay in the file: after a step back they count again.
"""

import dataclasses
import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bandwidth.simulator.scenario import Scenario, simulate
from bench.control.cells import ALONE, IDLE, Cell, Run, Selection
from bench.control.figures import CellFigures, RunFigures, cell_figures, run_figures
from bench.control.sources import ROOT, source_hash

RUN_FILE = ROOT / "build" / "bench" / "control-runs.jsonl"


class RunFailedError(Exception):
    """A simulation raised, or its process died; the text names the run."""


class _Line(msgspec.Struct, frozen=True):
    key: str
    run: str
    figures: RunFigures


def run_key(run: Run) -> str:
    """Return the key under which a finished run is found again."""
    # compiled code turns a whole number in a field of floats into a float; the key must be the same
    fields = {
        name: float(value) if isinstance(value, int) else value
        for name, value in dataclasses.asdict(run.scenario).items()
    }
    facts = json.dumps(fields, sort_keys=True)
    return hashlib.sha256(f"{facts} {source_hash(run.sender)}".encode()).hexdigest()[:20]


class RunFile:
    """Finished runs, one JSON object a line. A line that was cut off is ignored."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._separator = b""
        self.figures: dict[str, RunFigures] = {}
        decoder = msgspec.json.Decoder(_Line)
        content = path.read_bytes() if path.exists() else b""
        if content and not content.endswith(b"\n"):
            self._separator = b"\n"  # the next line must not become the end of a torn one
        for text in content.splitlines():
            try:
                line = decoder.decode(text)
            except msgspec.MsgspecError:
                continue
            self.figures[line.key] = line.figures

    def add(self, run: Run, figures: RunFigures) -> None:
        """Append a run; it is in the file when this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        key = run_key(run)
        text = self._separator + msgspec.json.encode(_Line(key, str(run), figures)) + b"\n"
        self._separator = b""
        # one write: two benchmarks at a time, on purpose or not, do not mix their lines
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(descriptor, text)
        finally:
            os.close(descriptor)
        self.figures[key] = figures


def measure(selection: Selection, file: RunFile, jobs: int, console: Console) -> None:
    """Run the part of ``selection`` that is not in ``file`` yet, and show the progress.

    Raises `RunFailedError`; `KeyboardInterrupt` passes through, once all processes have ended and all finished
    runs are in the file.
    """
    everything = list(selection.runs())
    missing = [run for run in everything if run_key(run) not in file.figures]
    console.print(f"{len(everything)} runs, {len(everything) - len(missing)} of them known, {jobs} at a time")
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    # the bar counts costs: a run at 100 Mbit/s is as much as several at 2
    with Progress(*columns, console=console, speed_estimate_period=300, transient=True) as progress:
        task = progress.add_task("simulating", total=round(sum(run.cost for run in missing)))
        for run, figures in _finished(missing, jobs):
            file.add(run, figures)
            progress.update(task, advance=round(run.cost), description=f"seed {run.seed}")


def gather(selection: Selection, file: RunFile) -> dict[tuple[Cell, str], CellFigures]:
    """Return the figures of each cell and sender of which every seed is in ``file``."""
    found = {}
    for cell in selection.cells():
        seeds = range(1, min(cell.seeds, selection.seeds) + 1)
        alone = {seed: file.figures.get(run_key(Run(cell, ALONE, seed))) for seed in seeds}
        for sender in cell.senders:
            runs = {seed: file.figures.get(run_key(Run(cell, sender, seed))) for seed in seeds}
            pairs = [(run, alone[seed]) for seed, run in runs.items() if run is not None]
            if sender in selection.senders and len(pairs) == len(seeds):
                if cell.business != IDLE and None in alone.values():
                    continue
                found[cell, sender] = cell_figures(pairs)
    return found


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM end the block as SIGINT does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _finished(
    runs: Sequence[Run], jobs: int, work: Callable[[Connection], object] | None = None
) -> Iterator[tuple[Run, RunFigures]]:
    """Yield runs as they finish. A worker has one run at a time, so that it can be ended at any moment."""
    context = get_context("spawn")  # not fork: the progress bar has a thread
    waiting = iter(runs)
    workers: dict[Connection, SpawnProcess] = {}
    given: dict[Connection, Run] = {}
    try:
        for _ in range(min(jobs, len(runs))):
            ours, theirs = context.Pipe()
            process = context.Process(target=work or _work, args=(theirs,), daemon=True)
            process.start()
            theirs.close()
            workers[ours] = process
            _give(ours, waiting, given)
        while given:
            for ready in wait(list(given)):
                assert isinstance(ready, Connection)
                run = given.pop(ready)
                figures = _take(ready, run)
                _give(ready, waiting, given)
                yield run, figures
    finally:
        for connection, process in workers.items():
            connection.close()
            process.terminate()
        for process in workers.values():
            process.join()


def _give(connection: Connection, waiting: Iterator[Run], given: dict[Connection, Run]) -> None:
    run = next(waiting, None)
    if run is not None:
        # its fields: a frozen dataclass of compiled code cannot be unpickled
        connection.send(dataclasses.asdict(run.scenario))
        given[connection] = run


def _take(connection: Connection, run: Run) -> RunFigures:
    try:
        answer = connection.recv()
    except (EOFError, ConnectionError):
        raise RunFailedError(f"the process that simulated {run} has died") from None
    if isinstance(answer, RunFigures):
        return answer
    raise RunFailedError(f"{run}: {answer}")


def _work(connection: Connection) -> None:
    """Simulate what comes until the other side closes; an interrupt is the parent's to handle."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            scenario = Scenario(**connection.recv())
        except EOFError:
            return
        try:
            connection.send(run_figures(scenario, simulate(scenario)))
        except Exception as error:  # noqa: BLE001 (whatever it is, the parent says it and ends)
            connection.send(f"{type(error).__name__}: {error}")
