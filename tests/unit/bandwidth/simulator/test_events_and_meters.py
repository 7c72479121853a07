import random

import pytest

from bandwidth.simulator.events import Simulator
from bandwidth.simulator.meters import Meter, Series, percentile
from bandwidth.simulator.rates import ConstantRate, PiecewiseRate, radio_rate


def test_calls_come_in_order_of_time_and_then_of_adding():
    simulator = Simulator()
    seen: list[str] = []
    simulator.at(2.0, seen.append, "late")
    simulator.at(1.0, seen.append, "first")
    simulator.at(1.0, seen.append, "second")
    simulator.run(1.5)
    assert seen == ["first", "second"]
    assert simulator.now == 1.5
    simulator.run(2.0)
    assert seen[-1] == "late"


def test_a_call_in_the_past_runs_now_and_the_clock_never_goes_back():
    simulator = Simulator()
    seen: list[float] = []
    simulator.run(5.0)
    simulator.at(1.0, lambda _: seen.append(simulator.now))
    simulator.run(6.0)
    assert seen == [5.0]


def test_a_meter_counts_between_its_looks():
    total = [0]
    meter = Meter(lambda: total[0])
    for _ in range(40):
        total[0] += 100
        meter.sample()
    assert meter.between(0, 2) == 4_000
    assert meter.between(0.5, 1.0) == 1_000
    assert meter.rate(0.5, 1.0) == 2_000
    assert meter.between(1, 99) == 2_000
    assert meter.rate(1, 1) == 0


def test_a_series_keeps_its_bound_and_its_peaks():
    series = Series(capacity=64)
    for index in range(1_000):
        series.add(index, 7.0 if index == 333 else 1.0)
    assert len(series.points) < 64
    assert max(value for _, value in series.points) == 7.0


@pytest.mark.parametrize(("share", "expected"), [(0, 1), (0.5, 5), (0.95, 10), (1, 10)])
def test_percentiles_are_nearest_rank(share, expected):
    assert percentile([float(value) for value in range(10, 0, -1)], share) == expected
    assert percentile([], share) == 0.0


def test_a_rate_in_steps_sends_across_them():
    rate = PiecewiseRate([(0, 100), (1, 50), (2, 200)])
    assert rate.finish(0, 100) == pytest.approx(1)
    assert rate.finish(0.5, 100) == pytest.approx(2)  # 50 in half a second, 50 in a whole one
    assert rate.finish(0.5, 300) == pytest.approx(3)
    assert rate.finish(10, 200) == pytest.approx(11)
    assert rate.bytes_between(0.5, 2.5) == pytest.approx(50 + 50 + 100)
    assert rate.mean == pytest.approx(75)


def test_a_radio_rate_stays_within_its_bounds_and_follows_its_seed():
    first = radio_rate(1_000, 60, random.Random(3))
    second = radio_rate(1_000, 60, random.Random(3))
    carried = [first.bytes_between(second_, second_ + 0.25) * 4 for second_ in range(60)]
    assert min(carried) >= 399
    assert max(carried) <= 1_001
    assert max(carried) > 1.2 * min(carried)
    assert first.finish(0, 12_345) == second.finish(0, 12_345)


@pytest.mark.parametrize("steps", [[], [(1.0, 5.0)], [(0.0, 0.0)]])
def test_rates_without_sense_are_refused(steps):
    with pytest.raises(ValueError, match="steps"):
        PiecewiseRate(steps)
    with pytest.raises(ValueError, match="not above 0"):
        ConstantRate(0)
