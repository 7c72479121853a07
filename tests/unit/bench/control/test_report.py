"""What is committed agrees with itself: nothing in the results or on the page was typed."""

from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner

from bandwidth.simulator.scenario import Scenario, simulate
from bench.control.cells import BUSINESSES, IDLE, LINES, OURS, OURS_HIDDEN, OURS_LEARNED, RIVALS, Selection
from bench.control.core_cost import CoreCost
from bench.control.plots import ALL_PICTURES, PICTURES, example, harm_cells, harm_use, keeps
from bench.control.report import PAGE, page_block, tables, with_block
from bench.control.results import RESULTS_FILE, about, read_results, results_of, write_results
from bench.control_quality import main

COMMITTED_BYTES_AT_MOST = 3_000_000


@pytest.fixture
def results(cell, found):
    """Return results of two cells for each kind of business, without the seeds' runs."""
    figures = {}
    for business in (*BUSINESSES, IDLE):
        for rtt in (10, 30):
            for number, sender in enumerate((OURS, OURS_HIDDEN, OURS_LEARNED, *RIVALS)):
                if sender in cell(business).senders:
                    kept = {} if business == IDLE else {"keeps": 1 - 0.05 * number, "spare": 0.9}
                    figures[cell(business, rtt), sender] = found(
                        **kept,
                        voip_added_p95_ms=1.0 * number,
                        voip_added_p99_ms=2.0 * number,
                        page_growth_p50=0.01 * number,
                        page_growth_p95=0.02 * number,
                        frame_added_p95_ms=1.0,
                        yields_ms=(100, None),
                        regains_ms=(1_000, 2_000),
                    )
    return results_of(figures, CoreCost(30e-6, (30e-6,), 17_000), about(Selection()))


def test_the_page_says_what_the_results_say() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == with_block(page, page_block(read_results()))


def test_the_committed_results_follow_from_their_cells() -> None:
    committed = read_results()
    if committed is not None:
        assert committed.recomputed() == committed
        assert len(committed.cells) == len(Selection().cells())
        assert RESULTS_FILE.stat().st_size < COMMITTED_BYTES_AT_MOST
        assert all((PICTURES / picture.file_name).exists() for picture in ALL_PICTURES)


def test_results_come_back_from_their_file(results, tmp_path) -> None:
    path = tmp_path / "results.json"
    write_results(results, path)
    assert read_results(path) == results
    assert results.recomputed() == results
    assert read_results(tmp_path / "none.json") is None


def test_a_typed_number_does_not_stay(results, tmp_path) -> None:
    path = tmp_path / "results.json"
    write_results(results, path)
    path.write_text(path.read_text().replace('"met":false', '"met":true', 1))
    typed = read_results(path)
    assert typed is not None
    assert typed != results
    assert typed.recomputed() == results


def test_a_whole_matrix_stays_small(results, tmp_path) -> None:
    path = tmp_path / "results.json"
    write_results(results, path)
    assert path.stat().st_size / len(results.cells) * len(Selection().cells()) < 2 * COMMITTED_BYTES_AT_MOST


def test_every_sender_and_class_is_in_the_tables(results) -> None:
    found = {table.title: table for table in tables(results)}
    everyone = found["Every sender, by the same targets (✓: met)"]
    assert list(everyone.head) == ["metric", OURS, OURS_HIDDEN, OURS_LEARNED, *RIVALS]
    assert len(found["Who is ahead, business seen"].rows) == len(BUSINESSES)
    assert len(found["Who is ahead, business hidden, by queue"].rows) == len(BUSINESSES)
    block = page_block(results)
    assert "**no**" in block
    for picture in ALL_PICTURES:
        assert f"(pictures/{picture.file_name})" in block


def test_a_page_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="benchmark:begin"):
        with_block("no markers", "block")


@pytest.mark.parametrize("draw", [harm_use, harm_cells, keeps])
def test_pictures_are_whole_with_and_without_figures(results, draw) -> None:
    words = "".join(ET.fromstring(draw(results.figures())).itertext())
    assert "cubic" in words
    ET.fromstring(draw({}))


def test_the_example_has_two_charts_for_each_sender() -> None:
    metrics = simulate(Scenario(line_mbit=2.0, duration_seconds=8, business_from_seconds=4, business_until_seconds=6))
    words = list(ET.fromstring(example({OURS: metrics, "ledbat": metrics})).itertext())
    for expected in (OURS, f"{OURS}: queue", "ledbat", "Mbit/s", "ms"):
        assert expected in words


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--lines", "3"], "there is no '3'; choose from 2, 10, 20, 100"),
        (["--business", "webb"], "choose from cubic"),
        (["--senders", "tcp"], "choose from ours"),
        (["--seeds", "9"], "not in the range"),
    ],
)
def test_a_wrong_filter_names_what_there_is(arguments, words) -> None:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert words in result.output


def test_a_part_of_the_matrix_prints_tables_and_writes_nothing(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("bench.control_quality.write_everything", lambda *_: pytest.fail("written"))
    arguments = ["--lines", "2", "--rtts", "10", "--queues", "1 bdp", "--business", "voip", "--seeds", "1"]
    arguments += ["--senders", "ours", "--jobs", "1", "--run-file", str(tmp_path / "runs.jsonl")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "VoIP: added one-way delay" in result.output
    assert LINES[0].name in result.output
