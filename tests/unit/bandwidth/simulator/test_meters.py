import pytest

from bandwidth.simulator.meters import Meter, Series, percentile


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
