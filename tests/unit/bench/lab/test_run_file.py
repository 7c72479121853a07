import dataclasses
from pathlib import Path

from bench.lab.records import Processor
from bench.lab.run_file import RunFile, jobs_of
from bench.lab.scenario import Scenario
from bench.lab.usual_lines import USUAL
from tests.helpers.lab_records import FILE, made

X = Scenario("x", USUAL, FILE)
VOID = Processor(0.95, 0.0)


def test_each_scenario_runs_once_before_any_runs_again() -> None:
    once = dataclasses.replace(X, name="once", repeats=1)
    assert [(scenario.name, repeat) for scenario, repeat in jobs_of([X, once])] == [
        ("x", 1), ("once", 1), ("x", 2), ("x", 3),
    ]  # fmt: skip
    assert jobs_of([X, once], 2) == [(X, 1), (once, 1), (X, 2), (once, 2)]
    assert jobs_of([]) == []


def test_a_benchmark_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "build" / "runs.jsonl"
    RunFile(path).append(made(X, repeat=2))
    again = RunFile(path)
    assert [again.is_done(X, repeat) for repeat in (1, 2, 3)] == [False, True, False]
    assert again.results([X]) == [made(X, repeat=2)]
    assert not RunFile(path, ignore_old=True).is_done(X, 2)


def test_a_run_of_another_definition_is_not_taken(tmp_path: Path) -> None:
    runs = RunFile(tmp_path / "runs.jsonl")
    runs.append(made(X))
    assert not runs.is_done(dataclasses.replace(X, configured=False), 1)
    assert runs.results([dataclasses.replace(X, configured=False)]) == []


def test_a_void_run_is_repeated_twice_at_most(tmp_path: Path) -> None:
    runs = RunFile(tmp_path / "runs.jsonl")
    for _ in range(3):
        assert not runs.is_done(X, 1)
        runs.append(made(X, processor=VOID))
    assert runs.is_done(X, 1)
    runs.append(made(X, processor=VOID, repeat=2))
    runs.append(made(X, repeat=2))
    assert runs.is_done(X, 2)
    assert [each.processor_was_the_limit for each in runs.results([X])] == [True, False]


def test_a_line_that_was_cut_off_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    assert not RunFile(path).is_done(X, 1)
    path.write_text('{"scenario":"x","meth\n{"scenario":"x","alone":{}}\n')
    assert not RunFile(path).is_done(X, 1)
