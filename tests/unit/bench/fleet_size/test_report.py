from pathlib import Path

from bench.fleet_size.report import page_text, read_results, results_of, write_page, write_results
from bench.fleet_size.targets import CONNECTIONS
from tests.helpers.fleet_runs import run_of

RUN = run_of(CONNECTIONS, {"bytes_per_connection": 70_335.0}, missing={"idle_cpu_share": "it never was"})


def test_the_page_keeps_what_stands_around_its_part(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- lab:end -->\n<!-- fleet:begin -->\nold\n<!-- fleet:end -->\nafter\n")
    write_page(results_of([RUN]), page)
    text = page.read_text()
    assert text.startswith("before\n<!-- lab:end -->\n<!-- fleet:begin -->\n| metric |")
    assert text.endswith("<!-- fleet:end -->\nafter\n")
    assert "old" not in text
    write_page(results_of([RUN]), page)
    assert page.read_text() == text


def test_the_page_says_how_pcs_were_played_and_on_what() -> None:
    text = page_text(results_of([RUN]))
    assert "| 70.3 kB, as frames | **no** |" in text
    assert "| idle cpu share | it never was |" in text
    assert "2 processors (a processor)" in text
    assert "not measured" in text
    assert page_text(results_of([])) == "Not measured yet.\n"


def test_results_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "fleet.json"
    assert read_results(path) is None
    write_results(results_of([RUN]), path)
    assert read_results(path) == results_of([RUN])
