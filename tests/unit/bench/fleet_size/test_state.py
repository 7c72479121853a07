import pytest

from bench.fleet_size.crowd import Said
from bench.fleet_size.state import CommitTimes, behind, percentile


def test_a_report_that_is_never_seen_is_lost() -> None:
    times = CommitTimes(["a", "b"])
    times.note({"a": 10_000, "b": 20_000}, 2.5)
    times.note({"a": 10_000, "b": 20_000}, 3.5)  # nothing new
    times.note({"a": 40_000}, 4.25)
    assert times.seconds == [1.5, 0.5, 0.25]
    said = {"a": Said(40_000, 3), "b": Said(20_000, 1), "not timed": Said(5, 9)}
    assert times.lost(said) == 1


def test_of_every_pc_the_last_report_counts() -> None:
    said = {"a": Said(4, 2), "b": Said(5, 1), "c": Said(6, 1)}
    assert behind(said, {"a": 4, "b": 5, "c": 6}) == 0
    assert behind(said, {"a": 3, "b": 5}) == 2


@pytest.mark.parametrize(("percent", "value"), [(50, 50), (99, 99), (100, 100), (1, 1)])
def test_percentiles_are_values_that_there_were(percent: float, value: float) -> None:
    assert percentile(range(1, 101), percent) == value
    assert percentile([], percent) is None
    assert percentile([3.0], percent) == 3.0
