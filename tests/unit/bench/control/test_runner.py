import io
import operator
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from bench.control.cells import ALONE, LINES, OURS, Run, Selection
from bench.control.runner import RunFailedError, RunFile, _finished, gather, measure, run_key
from bench.control.sources import ROOT

SMALL = Selection(lines=LINES[:1], rtts_ms=(10,), queues=("1 bdp",), businesses=("voip",), senders=(OURS,), seeds=2)
END_SECONDS = 10.0  # a helper process of Python's ends a moment after its parent; on a busy machine, later


def lives(group: int) -> bool:
    """Whether a process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def quiet() -> Console:
    return Console(file=io.StringIO(), width=120)


def test_runs_are_kept_and_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "runs.jsonl"
    measure(SMALL, RunFile(path), 2, quiet())
    assert len(path.read_text().splitlines()) == 4
    found = gather(SMALL, RunFile(path))
    assert [(str(cell), sender) for cell, sender in found] == [("voip: 2/1 Mbit/s, 10 ms, queue 1 bdp", OURS)]
    assert found[SMALL.cells()[0], OURS].voip_added_p95_ms is not None

    monkeypatch.setattr("bench.control.runner._finished", lambda runs, _jobs: iter(runs and pytest.fail("again")))
    measure(SMALL, RunFile(path), 2, quiet())


def test_a_line_that_was_cut_off_is_measured_again(tmp_path: Path, measured) -> None:
    path = tmp_path / "runs.jsonl"
    file = RunFile(path)
    runs = list(SMALL.runs())
    for run in runs:
        file.add(run, measured())
    path.write_bytes(path.read_bytes()[:-40])
    again = RunFile(path)
    assert set(file.figures) - set(again.figures) == {run_key(runs[-1])}
    again.add(runs[-1], measured())
    assert len(RunFile(path).figures) == len(runs)


def test_a_cell_counts_when_all_its_seeds_and_their_business_alone_are_there(tmp_path: Path, measured) -> None:
    file = RunFile(tmp_path / "runs.jsonl")
    runs = list(SMALL.runs())
    for run in runs[:-1]:
        file.add(run, measured())
    assert gather(SMALL, file) == {}
    file.add(runs[-1], measured())
    assert len(gather(SMALL, file)) == 1


def test_what_a_simulation_raises_names_the_run(cell) -> None:
    with pytest.raises(RunFailedError, match="alone beside voip: .* seed 1: ValueError: no such queue"):
        list(_finished([Run(cell("voip", queue="a heap"), ALONE, 1)], 1))


def test_a_process_that_dies_names_the_run(cell) -> None:
    with pytest.raises(RunFailedError, match="alone beside voip: .* seed 1 has died"):
        list(_finished([Run(cell("voip"), ALONE, 1)], 1, operator.truth))


@pytest.mark.processes
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_and_it_goes_on_from_there(tmp_path: Path, number: int) -> None:
    file = tmp_path / "runs.jsonl"
    command = [sys.executable, "-m", "bench.control_quality", "--lines", "100", "--rtts", "10", "--seeds", "1"]
    command += ["--jobs", "2", "--run-file", str(file)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            assert process.stdout is not None
            assert "runs, 0 of them known" in process.stdout.readline()
            process.send_signal(number)
            rest, _ = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "goes on from there" in rest
    until = time.monotonic() + END_SECONDS
    while lives(process.pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not lives(process.pid)
