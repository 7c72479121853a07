from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from bench.control_lines import CELLS, CUBIC, LineFigures, figures, line, main, table

SLOW = line("2/1", 26, "300 ms", known=True)


def test_cells_have_names_of_their_own_and_cover_lines_as_they_are() -> None:
    assert len({cell.name for cell in CELLS}) == len(CELLS)
    scenarios = [cell.scenario for cell in CELLS]
    assert {0.002, 0.01, 0.03} <= {scenario.loss for scenario in scenarios}
    assert sum(not scenario.capacity_configured for scenario in scenarios) > len(CELLS) / 2
    assert max(scenario.rtt_seconds for scenario in scenarios) > 0.5
    assert min(scenario.line_mbit for scenario in scenarios) <= 2


def test_an_idle_line_is_told_in_times_of_its_limit() -> None:
    found = figures(SLOW, "cubic")
    # 1000 bytes a packet at 2 Mbit/s, of which 52 are headers, at 0.97 of the line
    assert found.times_limit == pytest.approx(1 / (0.948 * 0.97), rel=0.04)
    assert found.used == pytest.approx(0.948 * 0.97, rel=0.04)
    assert found.keeps is found.late is found.page_p50 is None
    assert sum(found.reasons.values()) == pytest.approx(30, abs=0.5)


def test_a_download_is_told_by_what_it_keeps_and_what_is_late_after_it() -> None:
    found = figures(line("2/1", 26, "200 ms", CUBIC, known=True, seen=True), "cubic")
    assert found.keeps is not None
    assert 0.95 < found.keeps <= 1.01
    assert found.times_limit is None
    assert found.late is not None
    assert 0.5 < found.late < 10


def test_pages_are_compared_from_when_we_join() -> None:
    cell = line("2/1", 26, "200 ms", "lab web", joins=8, seconds=16)
    found = figures(cell, "cubic")
    assert found.page_p50 is not None
    assert found.used is None


def test_a_drop_is_followed_by_a_regain() -> None:
    found = figures(line("2/1", 26, "300 ms", drop=(5, 8, 0.25), seconds=20, known=True), "cubic")
    assert found.long_queue_s > 0
    assert found.regain is not None
    assert found.late is not None


def test_figures_are_kept_and_compared(tmp_path: Path) -> None:
    file = tmp_path / "lines.json"
    done = CliRunner().invoke(main, ["--only", "2/1 26 ms", "--save", str(file)])
    assert done.exit_code == 0, done.output
    assert "2/1 26 ms" in done.output
    kept = msgspec.json.decode(file.read_bytes(), type=dict[str, LineFigures])
    ((name, found),) = kept.items()
    worse = {name: msgspec.structs.replace(found, used=0.123)}
    cells = [str(cell) for cell in table(kept, worse).columns[1].cells]
    assert cells == [f"{100 * (found.used or 0):.1f}\n(12.3)"]
    again = CliRunner().invoke(main, ["--only", "2/1 26 ms", "--against", str(file)])
    assert "(" not in again.output.split("2/1 26 ms")[1]
