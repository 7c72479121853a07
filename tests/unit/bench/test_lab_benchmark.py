from io import StringIO
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from rich.console import Console

from bench.lab.namespaces import LabError
from bench.lab.packages import services_stay_off
from bench.lab.random_lines import random_lines
from bench.lab.records import Processor, Record
from bench.lab.report import results_of
from bench.lab.run_file import RunFile
from bench.lab.scenario import Scenario
from bench.lab.usual_lines import USUAL
from bench.lab_benchmark import chosen, chosen_lines, main, merged, run_all
from p2pdist import __version__
from tests.helpers.lab_records import FILE, QUIET, made


def test_a_choice_names_what_there_is() -> None:
    known = ["a", "b, c", "d"]
    assert chosen(None, known, "--only") == known
    assert chosen("a,d", known, "--only") == ["a", "d"]
    assert chosen("a; b, c", known, "--only") == ["a", "b, c"]
    with pytest.raises(click.BadParameter, match="no 'x'; choose from: a; b, c; d"):
        chosen("x", known, "--only")


def test_the_release_draws_the_random_lines_unless_a_seed_is_given() -> None:
    assert chosen_lines(None) == (["usual", "real", "random"], __version__)
    assert chosen_lines("random:x") == (["random"], "x")
    assert chosen_lines("real, usual") == (["usual", "real"], __version__)
    with pytest.raises(click.BadParameter, match="no 'fast'; choose from: usual, real, random, random:SEED"):
        chosen_lines("fast")


def test_a_part_of_the_matrix_is_listed() -> None:
    result = CliRunner().invoke(main, ["--list", "--lines", "random:x"])
    assert result.exit_code == 0
    assert all(line.startswith("random line ") for line in result.output.splitlines())


def test_what_is_measured_anew_takes_the_place_of_its_committed_runs_alone() -> None:
    idle, call = Scenario("idle", USUAL, FILE), Scenario("call", USUAL, FILE)
    before = [made(idle, repeat=1), made(call, repeat=1), made(call, repeat=2)]
    runs = merged([made(call, repeat=7)], results_of(before), "x")
    assert [(run.scenario, run.repeat) for run in runs] == [(idle.name, 1), (call.name, 7)]
    assert merged([], None, "x") == []


def test_an_earlier_releases_random_lines_go_when_one_of_this_release_was_run() -> None:
    old, new = random_lines("old")[0].scenario(), [line.scenario() for line in random_lines("new")]
    committed = results_of([made(Scenario("idle", USUAL, FILE)), made(old), made(new[1])])
    assert [run.scenario for run in merged([], committed, "new")] == ["idle", old.name, new[1].name]
    assert [run.scenario for run in merged([made(new[0])], committed, "new")] == ["idle", new[1].name, new[0].name]


@pytest.fixture
def made_runs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Play the lab: "broken" fails, "busy" is void, "once busy" is void at first."""
    runs: list[tuple[str, int]] = []

    async def run_scenario(scenario: Scenario, _directory: Path, repeat: int) -> Record:
        again = (scenario.name, repeat) in runs
        runs.append((scenario.name, repeat))
        if scenario.name == "broken":
            raise LabError("no line")
        void = scenario.name == "busy" or (scenario.name == "once busy" and not again)
        return made(scenario, processor=Processor(0.95, 0.0) if void else QUIET, repeat=repeat)

    monkeypatch.setattr("bench.lab_benchmark.run_scenario", run_scenario)
    return runs


async def test_void_runs_are_repeated_and_what_fails_does_not_stop_the_others(
    tmp_path: Path, made_runs: list[tuple[str, int]]
) -> None:
    runs = RunFile(tmp_path / "runs.jsonl")
    names = ("broken", "once busy", "busy", "quiet")
    jobs = [(Scenario(name, USUAL, FILE), 1) for name in names]
    printed = StringIO()
    assert await run_all(jobs, runs, Console(file=printed, width=200)) == 1
    assert [name for name, _ in made_runs] == ["broken", "once busy", "once busy", "busy", "busy", "busy", "quiet"]
    assert "failed: LabError: no line" in printed.getvalue()
    made_runs.clear()
    todo = [job for job in jobs if not runs.is_done(*job)]
    assert [scenario.name for scenario, _ in todo] == ["broken"], "only what failed is left for the next call"


def test_the_list_needs_no_root() -> None:
    result = CliRunner().invoke(main, ["--list"])
    assert result.exit_code == 0
    assert "idle line / p2pdist" in result.output.splitlines()


def test_installed_services_stay_off_and_an_existing_policy_stays(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with services_stay_off(policy):
        assert policy.read_text().endswith("exit 101\n")
        assert policy.stat().st_mode & 0o111
    assert not policy.exists()
    policy.write_text("mine")
    with services_stay_off(policy):
        assert policy.read_text() == "mine"
    assert policy.read_text() == "mine"
