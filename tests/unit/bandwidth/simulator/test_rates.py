import random

import pytest

from bandwidth.simulator.rates import ConstantRate, PiecewiseRate, radio_rate


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
