import dataclasses

import msgspec
import pytest

from bench.footprint import TARGETS as FOOTPRINT
from bench.lab import real_lines as real
from bench.lab import usual_lines as usual
from bench.lab.figures import middle_run, spread, time_ratio
from bench.lab.records import Processor, Record
from bench.lab.rivals import RIVALS
from bench.lab.scenario import OURS, Scenario
from bench.lab.standing import Standing, line_verdict, lost_to, random_row
from bench.lab.summary import pauses_row, summary
from bench.lab.targets import TARGETS, Target
from bench.summary_rows import SummaryRow
from tests.helpers.lab_records import FILE, RIVAL, made, records_of_all

VOID = Processor(0.95, 0.0)
RATIO = Target("ratio", "x", time_ratio, 1.2)
X = Scenario("x", usual.USUAL, FILE)


def runs_of(*seconds: float) -> list[Record]:
    return [made(X, seconds=each, repeat=repeat) for repeat, each in enumerate(seconds, 1)]


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return records_of_all(tuple(RIVALS))


def test_every_target_has_a_scenario_and_a_row(records: list[Record]) -> None:
    rows = summary(records, list(RIVALS))
    assert [row.metric for row in rows if row.measured is None] == []
    assert len({row.metric for row in rows}) == len(rows)
    by_metric = {row.metric: row for row in rows}
    assert by_metric["WAN bytes ÷ file, one branch"] == SummaryRow(
        "WAN bytes ÷ file, one branch", "≤ 1.02", "1.01", met=True
    )
    assert by_metric["endpoint idle: memory"].measured == "80 MB"
    assert by_metric["ahead of every alternative in WAN bytes, harm and time at once"].met is False, "pages as good"
    assert by_metric["ahead of every alternative at once on random lines"].measured == "12 of 12"


def test_every_case_of_a_real_line_has_a_target() -> None:
    aimed_at = {name for target in TARGETS for name in (target.scenario, target.against)}
    assert {scenario.name for scenario in real.real_scenarios()} <= aimed_at


def test_an_endpoint_is_two_processes_here_as_in_the_footprints_own_benchmark() -> None:
    bounds = {target.metric: target.bound for target in TARGETS}
    assert bounds["endpoint idle: memory"] == FOOTPRINT["after_mb"]
    assert bounds["endpoint sharing 100 Mbit/s: memory"] == FOOTPRINT["sharing_mb"]
    assert bounds["endpoint idle: processor"] == FOOTPRINT["idle_cpu_percent"]


def test_what_was_not_run_is_neither_met_nor_failed() -> None:
    assert {(row.measured, row.met) for row in summary([], list(RIVALS))} == {(None, None)}


def test_the_median_decides_and_the_spread_is_shown() -> None:
    assert RATIO.row(runs_of(1.1, 1.5, 1.0)) == SummaryRow("ratio", "≤ 1.2", "1.1 (1–1.5, 3 runs)", met=True)
    assert RATIO.row(runs_of(1.3, 1.5, 1.0)).met is False


def test_where_each_run_counts_the_worst_decides() -> None:
    each = dataclasses.replace(RATIO, each=True)
    assert each.row(runs_of(1.1, 1.5, 1.0)) == SummaryRow("ratio", "≤ 1.2, each run", "1.1 (1–1.5, 3 runs)", met=False)
    assert each.row(runs_of(1.1, 1.15, 1.0)).met is True


def test_a_run_that_never_finished_is_the_worst() -> None:
    runs = runs_of(1.1, 1.0, 1.15)
    never = that_never_finishes(runs[2])
    assert RATIO.row([*runs[:2], never]).measured == "1.1 (1–never, 3 runs)"
    assert dataclasses.replace(RATIO, each=True).row([*runs[:2], never]).met is False
    assert RATIO.row([that_never_finishes(runs[0])]) == SummaryRow("ratio", "≤ 1.2", "never", met=False)


def that_never_finishes(record: Record) -> Record:
    return msgspec.structs.replace(record, time_ratio=None, seconds=None, finished=False)


def test_void_runs_do_not_count_and_are_told() -> None:
    void = made(X, seconds=9.0, processor=VOID, repeat=3)
    assert RATIO.row([*runs_of(1.1, 1.0), void]).measured == "1.1 (1–1.1, 2 runs); 1 void"
    assert RATIO.row([void]) == SummaryRow("ratio", "≤ 1.2", "void: the processor was the limit", None)


def test_of_a_repeat_the_last_run_counts() -> None:
    assert RATIO.row([made(X, seconds=9.0), *runs_of(1.1)]).measured == "1.1"


def test_one_pause_in_any_run_is_too_many_and_alternatives_have_none(records: list[Record]) -> None:
    assert pauses_row(records).met
    paused = [*records, msgspec.structs.replace(made(X, repeat=9), harm_pauses=2)]
    row = pauses_row(paused)
    ours = [record for record in paused if record.method == OURS]
    assert (row.measured, row.met) == (f"2 in {len(ours)} runs: x", False)
    assert pauses_row([msgspec.structs.replace(made(X), harm_pauses=None)]).measured is None, "not run"


def test_a_number_against_that_of_another_scenario() -> None:
    target = Target("busy", "busy", time_ratio, 1.5, against="x")
    busy = made(dataclasses.replace(X, name="busy"), seconds=1.5)
    assert target.row([busy, *runs_of(1.1, 1.0, 1.2)]).measured == "1.36"
    assert target.row([busy]).measured is None, "there is nothing to compare it with"


def test_of_two_the_worse_is_the_median_and_more_may_be_better() -> None:
    two = spread([1.0, 2.0])
    assert two is not None
    assert two.median == 2.0
    kept = spread([99.0, 90.0, None], at_least=True)
    assert kept is not None
    assert (kept.median, kept.best, kept.worst) == (90.0, 99.0, None)
    assert spread([]) is None


def test_the_run_in_the_middle_is_shown() -> None:
    runs = runs_of(1.1, 1.5, 1.2)
    assert middle_run(runs, "x") is runs[2]
    assert middle_run(runs, "x", RIVAL) is None


OURS_HERE = Standing(OURS, 1.01, 1.2, 97.0, 5.0)


@pytest.mark.parametrize(
    ("rival", "lost"),
    [
        (Standing(RIVAL, 1.2, 1.3, 60.0, 80.0), []),
        (Standing(RIVAL, 1.2, 1.1, 99.0, 1.0), ["time", "CUBIC"]),
        (Standing(RIVAL, 1.01, None, 97.0, None), ["WAN bytes"]),
        (Standing(RIVAL, None, None, None, None), []),
    ],
)
def test_on_a_random_line_ours_must_be_better_and_harm_no_more(rival: Standing, lost: list[str]) -> None:
    assert lost_to(OURS_HERE, rival) == lost


def test_harm_below_the_usual_targets_is_none() -> None:
    ours = dataclasses.replace(OURS_HERE, kept_percent=98.1)
    assert lost_to(ours, Standing(RIVAL, 1.2, 1.3, 100.0, 0.0)) == []
    assert lost_to(dataclasses.replace(ours, call_added_ms=9.0), Standing(RIVAL, 1.2, 1.3, 99.0, 8.5)) == ["call"]


def test_a_random_line_with_a_void_run_or_without_an_alternative_is_won_by_nobody(records: list[Record]) -> None:
    (line, *_) = [record.scenario for record in records if record.scenario.startswith("random")]
    without = [each for each in records if (each.scenario, each.method) != (line, RIVAL)]
    assert line_verdict(without, line, list(RIVALS)) == "void"
    assert random_row(without, list(RIVALS)).measured == "11 of 12, 1 void or without an alternative"
    assert random_row(without, list(RIVALS)).met is True
    few = [each for each in records if each.scenario == line]
    assert random_row(few, list(RIVALS)) == SummaryRow(
        "ahead of every alternative at once on random lines", "≥ 10 of 12", "1 of 1", None
    )
