from pathlib import Path

from bench.fleet_size.run_file import RunFile
from bench.fleet_size.sizes import FULL, QUICK
from tests.helpers.fleet_runs import run_of


def test_the_newest_run_of_each_scenario_counts_and_sizes_are_apart(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    runs = RunFile(path)
    for run in (
        run_of("a", {"x": 1}),
        run_of("b", {"x": 2}),
        run_of("a", {"x": 3}),
        run_of("b", {"x": 4}, sizes=QUICK),
    ):
        runs.append(run)
    with path.open("ab") as file:
        file.write(b'{"scenario":"a","cut off')
    again = RunFile(path)
    assert [run.figures for run in again.results(("b", "a", "c"), FULL)] == [{"x": 2}, {"x": 3}]
    assert again.newest("b", QUICK) == run_of("b", {"x": 4}, sizes=QUICK)
    assert again.newest("a", QUICK) is None
