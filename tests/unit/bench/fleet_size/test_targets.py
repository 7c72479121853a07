from bench.fleet_size.targets import CONNECTIONS, REPORTS, REPORTS_POSTGRESQL, TARGETS, summary
from tests.helpers.fleet_runs import run_of


def test_a_row_says_what_was_measured_and_whether_that_is_enough() -> None:
    rows = summary(
        [
            run_of(CONNECTIONS, {"bytes_per_connection": 70_335.0, "idle_cpu_share": 0.15}),
            run_of(REPORTS, {"lost": 0, "committed_p99_seconds": 1.251, "cpu_share": 0.4}),
        ]
    )
    by_words = {(row.metric.rpartition(": ")[2], row.measured, row.met) for row in rows if row.measured}
    assert by_words == {
        ("server memory for each", "70.3 kB, as frames", False),
        ("idle processor", "15 % of a core, as frames", True),
        ("reports lost", "0, as frames", True),
        ("frame to committed, p99", "1.25 s, as frames", False),
        ("processor", "0.40 of a core, as frames", True),
    }
    assert len(rows) == len(TARGETS)


def test_what_cannot_be_measured_has_no_figure_but_the_reason() -> None:
    missing = dict.fromkeys(("lost", "committed_p99_seconds", "cpu_share"), "no such database")
    rows = [row for row in summary([run_of(REPORTS_POSTGRESQL, {}, missing=missing)]) if "no such" in row.metric]
    assert len(rows) == 3
    assert {(row.measured, row.met) for row in rows} == {(None, None)}
