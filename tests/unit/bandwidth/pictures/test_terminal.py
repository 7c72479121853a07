"""`bandwidth.pictures.terminal`: a rate over time in a terminal, of any width, colour or character set."""

import io

import pytest
from rich.console import Console

from bandwidth.core.units import BytesPerSecond
from bandwidth.pictures.terminal import LABEL_COLUMNS, LOOKS_KEPT, ROWS, RateChart

LINE = BytesPerSecond(2_500_000)


def drawn(chart: RateChart, width: int = 60, *, encoding: str = "utf-8") -> list[str]:
    raw = io.BytesIO()
    console = Console(file=io.TextIOWrapper(raw, encoding=encoding, write_through=True), width=width, no_color=True)
    console.print(chart)
    return raw.getvalue().decode(encoding).splitlines()


def filled(*shares: float) -> RateChart:
    chart = RateChart()
    for share in shares:
        chart.add(BytesPerSecond(int(share * LINE)), LINE)
    return chart


def test_full_half_and_nothing() -> None:
    lines = drawn(filled(1.0, 0.5, 0.0))
    assert len(lines) == ROWS + 1  # and the times
    assert lines[0].startswith("  20 Mbit/s █")
    assert lines[-2].startswith("    0 bit/s █")
    columns = [[line[LABEL_COLUMNS - 1 :].ljust(3)[n] for line in lines[:ROWS]] for n in range(3)]
    assert columns == [["█"] * 6, [" "] * 3 + ["█"] * 3, [" "] * 6]


def test_a_rate_above_the_line_or_without_one_sets_the_scale() -> None:
    chart = RateChart("leeds")
    chart.add(BytesPerSecond(1_000_000), None)
    chart.add(BytesPerSecond(500_000), BytesPerSecond(250_000))
    assert drawn(chart)[0] == "leeds"
    assert drawn(chart)[1].strip().startswith("8 Mbit/s")


def test_nothing_yet_and_nothing_sent_is_an_empty_chart() -> None:
    assert len(drawn(RateChart())) == ROWS + 1
    assert all("█" not in line for line in drawn(filled(0.0, 0.0)))


@pytest.mark.parametrize("width", [20, 80, 500])
def test_it_is_as_wide_as_the_terminal_at_most_and_the_newest_stays(width: int) -> None:
    lines = drawn(filled(*[0.0] * 1_000, 1.0), width)
    assert all(len(line) <= width for line in lines)
    assert lines[0].endswith("█")
    assert len(lines[0]) <= LABEL_COLUMNS + LOOKS_KEPT


def test_below_it_stand_the_times() -> None:
    assert drawn(filled(*[0.5] * 20))[-1].strip() == "19 s ago         now"
    chart = RateChart(look_seconds=5.0)
    for _ in range(61):
        chart.add(LINE, LINE)
    times = drawn(chart, 100)[-1]
    assert times.strip().startswith("300 s ago")
    assert (times.endswith("now"), len(times)) == (True, len(drawn(chart, 100)[0]))
    assert drawn(filled(0.5))[-1].strip() == "now"
    assert drawn(filled(*[0.5] * 100), 30)[-1].strip() == "16 s ago      now"


def test_a_peak_that_is_out_of_sight_does_not_set_the_scale() -> None:
    chart = RateChart()
    for rate in (9_000_000, *[1_000_000] * 40):
        chart.add(BytesPerSecond(rate), None)
    assert drawn(chart, 40)[0].strip().startswith("8 Mbit/s")
    assert not chart.is_flat
    assert filled(0.0).is_flat


def test_a_terminal_without_unicode_gets_plain_characters() -> None:
    lines = drawn(filled(1.0, 0.4), encoding="ascii")
    assert "".join(lines).isascii()
    assert lines[0].rstrip().endswith("#")
