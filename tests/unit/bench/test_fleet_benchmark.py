from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from bench.fleet_benchmark import main, merged, run_all
from bench.fleet_size.records import Run
from bench.fleet_size.report import results_of
from bench.fleet_size.run_file import RunFile
from bench.fleet_size.sizes import QUICK, Sizes
from tests.helpers.fleet_runs import run_of


def test_scenarios_are_listed_and_others_refused() -> None:
    listed = CliRunner().invoke(main, ["--list"])
    assert listed.exit_code == 0
    assert "connections" in listed.output.split()
    refused = CliRunner().invoke(main, ["--only", "holidays"])
    assert refused.exit_code == 2
    assert "there is no 'holidays'" in refused.output
    assert CliRunner().invoke(main, ["--size", "pcs=none"]).exit_code == 2


async def test_what_fails_does_not_stop_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run_scenario(name: str, sizes: Sizes, directory: Path) -> Run:
        assert directory.is_dir()
        if name == "broken":
            raise ExceptionGroup("", [ValueError("no server")])
        return run_of(name, {"x": 1}, sizes=sizes)

    monkeypatch.setattr("bench.fleet_benchmark.run_scenario", run_scenario)
    printed = StringIO()
    runs = RunFile(tmp_path / "runs.jsonl")
    assert await run_all(["broken", "whole"], QUICK, runs, Console(file=printed)) == 1
    assert "failed: ValueError: no server" in printed.getvalue()
    assert runs.newest("whole", QUICK) is not None
    assert runs.newest("broken", QUICK) is None


def test_what_is_measured_anew_takes_the_place_of_its_committed_run_alone() -> None:
    committed = results_of([run_of("connections", {"x": 1}), run_of("inventory", {"x": 1})])
    runs = merged([run_of("inventory", {"x": 2}), run_of("return", {"x": 2})], committed)
    assert {run.scenario: run.figures["x"] for run in runs} == {"connections": 1, "return": 2, "inventory": 2}
    assert len(runs) == 3
    assert merged(runs, None) == runs
