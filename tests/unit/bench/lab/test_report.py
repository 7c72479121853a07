from pathlib import Path

import msgspec
import pytest

from bench.lab.records import Record
from bench.lab.report import (
    RESULTS,
    page_text,
    picture,
    picture_name,
    random_table,
    read_results,
    results_of,
    runs_table,
    write_page,
    write_results,
)
from bench.lab.rivals import RIVALS
from bench.lab.scenario import OURS, Scenario
from bench.lab.usual_lines import IDLE_LINE, TWENTY, USUAL
from tests.helpers.lab_records import FILE, RIVAL, made, records_of_all


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return records_of_all()


def test_results_are_read_as_they_were_written(records: list[Record], tmp_path: Path) -> None:
    path = tmp_path / "lab.json"
    results = results_of(records)
    write_results(results, path)
    assert read_results(path) == results
    assert set(msgspec.json.decode(path.read_bytes())["summary"][0]) == {"metric", "target", "measured", "met"}


def test_results_of_an_older_lab_are_read_and_what_they_lack_is_not_measured(tmp_path: Path) -> None:
    """Its daemons were one process, so what it says of their memory is of no use now."""
    old = msgspec.to_builtins(made(Scenario(IDLE_LINE, USUAL, FILE, footprint=True)))
    for name in ("repeat", "configured", "fingerprint", "first_byte_seconds", "line_seconds", "hashing_seconds"):
        del old[name]
    old["footprint"] = {"rss_sharing_bytes": 96_000_000, "rss_idle_bytes": 90_000_000, "cpu_idle_share": 0.003}
    path = tmp_path / "lab.json"
    path.write_bytes(msgspec.json.encode({"summary": [], "runs": [old]}))
    results = read_results(path)
    assert results is not None
    rows = {row.metric: row for row in results_of(results.runs).summary}
    assert rows["last endpoint verified ÷ line limit, idle line"].measured == "1.1"
    assert rows["endpoint idle: memory"].measured is None
    assert "| endpoint idle: memory | ≤ 120 MB | not measured | – |" in page_text(results_of(results.runs))


def test_the_committed_results_can_be_rendered() -> None:
    results = read_results(RESULTS)
    assert results is not None
    assert "### Every scenario" in page_text(results_of(results.runs))


def test_the_page_has_the_tables_between_its_marks(records: list[Record], tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- lab:begin -->\nold\n<!-- lab:end -->\nafter\n")
    results = results_of(records)
    write_page(results, page)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("<!-- lab:end -->\nafter\n")
    assert "old" not in text
    assert page_text(results) in text
    assert "| curl |" in text


def test_a_picture_has_a_chart_for_each_way(records: list[Record]) -> None:
    drawn = picture(IDLE_LINE, records)
    assert drawn.startswith("<svg")
    assert OURS in drawn
    assert RIVAL in drawn
    assert picture_name("beside a CUBIC download") == "lab-beside-a-cubic-download.svg"


def test_only_the_run_in_a_picture_keeps_its_series() -> None:
    runs = [made(Scenario(IDLE_LINE, USUAL, FILE), seconds=1.0 + repeat / 10, repeat=repeat) for repeat in (1, 2, 3)]
    kept = results_of([*runs, made(Scenario(TWENTY, USUAL, FILE))]).runs
    assert [each.series is not None for each in kept] == [False, True, False, False]


def test_a_scenario_is_a_row_with_the_median_and_the_spread() -> None:
    runs = [made(Scenario(IDLE_LINE, USUAL, FILE), seconds=seconds, repeat=repeat)
            for repeat, seconds in enumerate((1.2, 1.0, 1.3), 1)]  # fmt: skip
    (row,) = runs_table(runs).splitlines()[2:]
    assert row.startswith("| idle line | p2pdist | yes | 3 | 1.010 | 1.2 (1.0–1.3) | 1.20 (1.00–1.30) |")


def test_a_random_line_shows_ours_and_the_best_of_the_others() -> None:
    records = records_of_all(tuple(RIVALS))
    rows = random_table(records).splitlines()[2:]
    assert len(rows) == 12
    assert "| 1.01 / 8.00 | 1.10 / 4.40 |" in rows[0]
    assert rows[0].endswith("| ahead |")
