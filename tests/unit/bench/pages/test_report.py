from pathlib import Path

from bench.fleet_size.records import Machine
from bench.pages.records import FULL, PageFigures, PageRun
from bench.pages.report import (
    BEGIN,
    END,
    committed,
    keep,
    kept,
    page_text,
    results_of,
    rows_of,
    write_results,
)

MACHINE = Machine(2, "a processor", 8_000_000_000, "6.1", "3.11", 1_024)


def run_of(database: str = "sqlite", p95: float = 40.0, *, late: float | None = 3.0, **failed: int) -> PageRun:
    pages = [PageFigures("/", 90, 10.0, 20.0, 30.0, 41_000), PageFigures("/pcs?site=a", 90, 15.0, p95, 99.0, 0)]
    return PageRun(
        database, FULL, MACHINE, "0.3", "abc", 1.0, 600.0, 0.7, 0.5, late, 2.0, 7_200, failed, 40.0, pages,
    )  # fmt: skip


def test_the_slowest_page_counts() -> None:
    every, slow, weight, failures, late = rows_of(run_of(p95=201.0))
    assert (every.met, every.measured) == (True, "40 ms, 180 looks")
    assert slow.met is False
    assert slow.measured == "201 ms, /pcs?site=a; 1 of 2 pages over it"
    assert (weight.met, weight.measured) == (True, "41.0 kB, /")
    assert (failures.met, late.met) == (True, True)


def test_a_page_of_200_ms_is_quick_enough() -> None:
    assert rows_of(run_of(p95=200.0))[1].met is True


def test_looks_that_failed_and_late_controllers_are_misses() -> None:
    assert [row.met for row in rows_of(run_of(late=5.1, broken=1))] == [True, True, True, False, False]


def test_what_the_server_has_not_told_is_not_known() -> None:
    late = rows_of(run_of(late=None))[-1]
    assert (late.measured, late.met) == (None, None)


def test_the_newest_run_of_each_database_in_their_order() -> None:
    found = results_of([run_of("postgresql"), run_of("sqlite", 90.0), run_of("sqlite", 41.0)])
    assert [run.database for run in found.runs] == ["sqlite", "postgresql"]
    assert found.runs[0].pages[1].p95_ms == 41.0
    assert len(found.summary) == 10


def test_runs_are_kept_and_written(tmp_path: Path) -> None:
    keep(run_of("sqlite", 50.0), tmp_path / "kept")
    keep(run_of("sqlite", 60.0), tmp_path / "kept")
    (run,) = kept(tmp_path / "kept")
    assert run.pages[1].p95_ms == 60.0
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n\n{BEGIN}old\n{END}\n\nafter\n")
    assert committed(tmp_path / "none.json").runs == []
    write_results(results_of([run]), tmp_path / "pages.json", page)
    assert committed(tmp_path / "pages.json").runs == [run]
    text = page.read_text()
    assert "old" not in text
    assert text.startswith("# Before")
    assert text.endswith("after\n")
    assert "| `/pcs?site=a` | 15, 60 ms | – |" in text
    assert page_text(results_of([])) == "Not measured yet.\n"
