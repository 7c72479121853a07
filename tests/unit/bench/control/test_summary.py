import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.control.cells import IDLE, OURS, OURS_HIDDEN, OURS_LEARNED
from bench.control.core_cost import CoreCost, core_cost_row
from bench.control.estimates import interval, median_of, resampled_medians
from bench.control.summary import summary_rows
from bench.control.targets import ALL_TARGETS, HIDDEN_TARGETS, LEARNED_TARGETS, LOSSY_TARGETS, TARGETS, Unit, show

FIFO, SMALL = "CUBIC keeps (FIFO of 40 packets or more)", "CUBIC keeps (FIFO of less than 40 packets)"


@pytest.fixture
def deep(cell):
    return lambda rtt_ms: cell("cubic", rtt_ms, "250 ms")


def row_of(figures, metric):
    return next(row for row in summary_rows(figures) if row.metric == metric)


def test_cubic_keeps_needs_the_median_and_the_worst_cell(cell, deep, found) -> None:
    figures = {(deep(rtt), OURS): found(keeps=kept) for rtt, kept in ((10, 0.99), (30, 0.96), (60, 0.985))}
    row = row_of(figures, FIFO)
    assert row.met is True
    assert [(part.value, part.met) for part in row.measured.bounds] == [(0.985, True), (0.96, True)]
    figures[cell("4 cubic", 120, "250 ms"), OURS] = found(keeps=0.949)
    row = row_of(figures, FIFO)
    assert row.met is False
    assert row.measured.bounds[1].value == 0.949
    assert row.measured.worst_cells[0] == "4 cubic: 2/1 Mbit/s, 120 ms, queue 250 ms: 94.9 %"


def test_a_low_median_is_not_met_although_the_worst_cell_is(deep, found) -> None:
    figures = {(deep(rtt), OURS): found(keeps=0.96) for rtt in (10, 30, 60)}
    row = row_of(figures, FIFO)
    assert [part.met for part in row.measured.bounds] == [False, True]
    assert row.met is False


def test_hidden_figures_stand_beside_and_have_a_row_of_their_own(cell, found) -> None:
    here = cell("bbr", 10)
    figures = {(here, OURS): found(keeps=0.99), (here, OURS_HIDDEN): found(keeps=0.90)}
    row = row_of(figures, "BBR keeps, RTT 10–60 ms")
    assert row.met is True
    assert row.measured_hidden.met is False
    assert row_of(figures, "BBR keeps, RTT 10–60 ms, hidden").met is True
    figures[here, OURS_HIDDEN] = found(keeps=0.84)
    assert row_of(figures, "BBR keeps, RTT 10–60 ms, hidden").met is False


def test_a_row_takes_the_cells_that_it_is_about(cell, found) -> None:
    figures = {
        (cell("cubic", queue="fq_codel"), OURS): found(keeps=0.5),
        (cell("bbr", 120), OURS): found(keeps=0.5),
        (cell("cubic", queue="250 ms"), OURS): found(keeps=1.0),
        (cell("cubic", queue="20 packets"), OURS): found(keeps=0.9),
        (cell("cubic", queue="250 ms", loss=1.0), OURS): found(keeps=0.96),
    }
    assert row_of(figures, FIFO).met is True
    assert row_of(figures, SMALL).met is False
    assert row_of(figures, "CUBIC keeps, random loss").met is True
    assert row_of(figures, "CUBIC keeps (FQ-CoDel)").met is False
    assert row_of(figures, "BBR keeps, RTT 10–60 ms").met is None


def test_where_nobody_describes_the_line_has_rows_of_its_own(cell, found) -> None:
    pages = cell("web")
    figures = {(pages, OURS): found(page_growth_p50=0.02, page_growth_p95=0.02)}
    assert row_of(figures, "Web pages: added time, hidden, rate learned").met is None
    figures[pages, OURS_LEARNED] = found(page_growth_p50=0.04, page_growth_p95=0.09)
    assert row_of(figures, "Web pages: added time, hidden, rate learned").met is True
    assert row_of(figures, "Web pages: added time").met is True


def test_an_idle_line_is_asked_for_less_the_more_it_loses(cell, found) -> None:
    figures = {(cell(IDLE, loss=loss), OURS): found(idle_use=0.8) for loss in (0.2, 1.0, 3.0)}
    met = [row_of(figures, f"Idle line that loses {loss} % at random: our use").met for loss in ("0.2", "1", "3")]
    assert met == [False, True, True]
    assert row_of(figures, "Idle line: our use, and our own queue").met is None


@pytest.mark.parametrize(
    ("metric", "business", "good", "bad"),
    [
        (
            "VoIP: added one-way delay",
            "voip",
            {"voip_added_p95_ms": 5.0, "voip_added_p99_ms": 10.0},
            {"voip_added_p95_ms": 1.0, "voip_added_p99_ms": 10.1},
        ),
        (
            "Web pages: added time",
            "web",
            {"page_growth_p50": 0.03, "page_growth_p95": 0.08},
            {"page_growth_p50": 0.0301, "page_growth_p95": 0.0},
        ),
        (
            "Idle line: our use, and our own queue",
            IDLE,
            {"idle_use": 0.95, "own_queue_p95_ms": 8.0},
            {"idle_use": 0.97, "own_queue_p95_ms": 8.1},
        ),
        ("Spare captured beside on/off transfers", "on/off", {"spare": 0.85}, {"spare": 0.849}),
        ("CUBIC keeps (FQ-CoDel)", "cubic", {"keeps": 0.95}, {"keeps": 0.9499}),
    ],
)
def test_every_cell_must_be_within(cell, found, metric, business, good, bad) -> None:
    cells = [cell(business, rtt, "fq_codel") for rtt in (10, 30, 60, 120)]
    figures = {(here, OURS): found(**good) for here in cells}
    assert row_of(figures, metric).met is True
    figures[cells[2], OURS] = found(**bad)
    row = row_of(figures, metric)
    assert row.met is False
    assert min(part.share_of_cells_met for part in row.measured.bounds) == 0.75
    assert row.measured.worst_cells[0].startswith(str(cells[2]))


def test_onsets_of_all_cells_are_taken_together(cell, found) -> None:
    figures = {
        (cell("cubic"), OURS): found(yields_ms=(100,) * 5, regains_ms=(2_000,) * 5),
        (cell("on/off"), OURS): found(yields_ms=(250,) * 10 + (600,) * 5, regains_ms=(3_000,) * 14 + (None,)),
        (cell("voip"), OURS): found(yields_ms=(None,) * 50),
    }
    row = row_of(figures, "Yield to 10 % after an onset")
    assert [(part.value, part.events, part.never) for part in row.measured.bounds] == [(250, 20, 0), (600, 20, 0)]
    assert row.met is True
    assert row_of(figures, "Regain 90 % after business ends").met is True
    figures[cell("bbr"), OURS] = found(yields_ms=(None, None))
    row = row_of(figures, "Yield to 10 % after an onset")
    assert row.measured.bounds[1].value is None
    assert row.measured.bounds[1].never == 2
    assert row.met is False
    assert row.measured.worst_cells[0].endswith("never")


def test_a_learned_rate_is_told_beside_and_does_not_decide(cell, found) -> None:
    figures = {(cell(IDLE), OURS): found(), (cell(IDLE), OURS_LEARNED): found(idle_use=0.7)}
    row = row_of(figures, "Idle line: our use, and our own queue")
    assert row.met is True
    assert row.measured_learned.met is False


def test_nothing_measured_is_not_met_and_not_missed() -> None:
    rows = summary_rows({})
    assert [row.metric for row in rows] == [target.metric for target in ALL_TARGETS]
    assert set(ALL_TARGETS) == {*TARGETS, *HIDDEN_TARGETS, *LEARNED_TARGETS, *LOSSY_TARGETS}
    assert all(row.met is None and row.measured is None for row in rows)


def test_the_cost_of_the_law_is_per_site_and_for_all() -> None:
    row = core_cost_row(CoreCost(40e-6, (40e-6,), 20_000))
    assert row.met is False
    assert row.measured is not None
    assert row.measured.facts["share_of_core_per_site"] == 0.002
    assert row.measured.facts["share_of_core"] == 1.0
    assert "10.0 MB for 500" in row.measured.text
    assert core_cost_row(CoreCost(0.3e-6, (0.3e-6,), 20_000)).met is True
    assert core_cost_row(None).met is None


@given(st.lists(st.floats(-10, 10, allow_subnormal=False), min_size=1, max_size=60))
def test_an_interval_is_around_the_median_and_of_measured_values(values) -> None:
    low, high = interval(resampled_medians(tuple(values)))
    assert low <= median_of(values) <= high
    assert {low, high} <= set(values)


def test_resamples_are_the_same_every_time_and_paired() -> None:
    values = tuple(float(number) for number in range(20))
    resampled_medians.cache_clear()
    once = resampled_medians(values)
    resampled_medians.cache_clear()
    assert resampled_medians(values) == once
    shifted = resampled_medians(tuple(value + 5 for value in values))
    assert all(theirs - ours == 5 for ours, theirs in zip(once, shifted, strict=True))


def test_numbers_are_written_with_their_units() -> None:
    assert show(0.9812, Unit.SHARE) == "98.1 %"
    assert show(1.0, Unit.SHARE) == "100 %"
    assert show(0.0349, Unit.GROWTH) == "+3.5 %"
    assert show(4.96, Unit.MILLISECONDS) == "5 ms"
    assert show(2_850, Unit.SECONDS) == "2.85 s"
    assert show(float("inf"), Unit.SECONDS) == show(None, Unit.SHARE) == "never"
