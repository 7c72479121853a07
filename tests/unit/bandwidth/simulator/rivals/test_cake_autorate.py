"""cake-autorate's law against numbers that were computed by hand from its script."""

import pytest

from bandwidth.simulator.rivals.cake_autorate import AutorateLaw

LINE = 1e9
"""So fast that a packet takes no time: thresholds are then 30, 10 and 60 ms."""


def autorate(rate: float, line: float = LINE) -> AutorateLaw:
    """Return a law at ``rate`` (of the line) whose six baselines are 20 ms; its time is at -0.05 s."""
    law = AutorateLaw(least=0.01 * line, base=rate * line, most=line)
    for step in range(6):
        law.update(0.02, 0.0, -0.3 + step * 0.05)
    return law


def feed(law: AutorateLaw, delays: list[float], load: float, since: float = 0.0) -> list[float]:
    """Return the factor by which each delay changes the rate, at 20 a second."""
    factors = []
    for step, delay in enumerate(delays):
        before = law.rate
        factors.append(law.update(delay, load * before, since + step * 0.05) / before)
    return factors


def test_autorates_baseline_rises_slowly_and_falls_at_once():
    law = autorate(0.5)
    law.update(0.12, 0.0, 0.0)
    assert law._baselines[-1] == pytest.approx(0.02 + 0.001 * 0.1)
    assert law._deltas[-1] == pytest.approx(0.1 - 0.001 * 0.1)
    # each reflector has its own: the next five are untouched
    assert list(law._baselines)[:5] == [0.02] * 5
    for step in range(5):
        law.update(0.02, 0.0, 0.05 + step * 0.05)
    law.update(0.01, 0.0, 0.3)
    assert law._baselines[-1] == pytest.approx(0.0201 - 0.9 * 0.0101)


def test_autorate_takes_three_late_of_six_for_bufferbloat():
    # two late ones in any six: nothing. The third is a cut, by the mean: 3 · 60 / 6 = 30 ms above the base: × 0.99
    late, early = 0.02 + 0.06 / 0.999, 0.02
    assert feed(autorate(0.5), [late, early, early, early, early, early, late], 0.5) == [1.0] * 7
    factors = feed(autorate(0.5), [late, early, late, early, late], 0.5)
    assert factors[:4] == [1.0] * 4
    assert factors[4] == pytest.approx(0.99, abs=1e-4)


@pytest.mark.parametrize(("delta_ms", "factor"), [(30.1, 0.9892), (45, 0.87), (60, 0.75), (200, 0.75)])
def test_autorate_cuts_by_the_mean_delta(delta_ms, factor):
    # linear from 0.99 at 30 ms to 0.75 at 60; six equal samples, seen with an expired refractory time
    law = autorate(0.5)
    law._deltas.extend([delta_ms / 1e3] * 5)
    law._late.extend([True] * 5)
    assert feed(law, [0.02 + delta_ms / 1e3 / 0.999], 0.5) == [pytest.approx(factor, abs=1e-4)]


@pytest.mark.parametrize(("delta_ms", "factor"), [(0, 1.04), (10, 1.04), (20, 1.02), (29, 1.002)])
def test_autorate_grows_by_the_mean_delta(delta_ms, factor):
    law = autorate(0.5)
    law._deltas.extend([delta_ms / 1e3] * 5)
    assert feed(law, [0.02 + delta_ms / 1e3 / 0.999], 0.76) == [pytest.approx(factor, abs=1e-4)]


def test_autorate_grows_at_a_load_above_three_quarters_only():
    assert feed(autorate(0.5), [0.02], 0.74) == [1.0]


def test_autorate_waits_300_ms_after_a_cut_and_200_between_growths():
    law = autorate(0.5)
    late = 0.02 + 0.1 / 0.999
    # three late samples at 0, 50 and 100 ms: a cut; while it lasts the next cuts are 300 ms later each
    cuts = [step for step, factor in enumerate(feed(law, [late] * 20, 0.9)) if factor < 1]
    assert cuts == [2, 8, 14]
    # one more cut at 1 s; at 1.15 s only two of six are late, but growth waits for the refractory time
    factors = feed(law, [0.02] * 20, 0.9, since=1.0)
    assert [step for step, factor in enumerate(factors) if factor < 1] == [0]
    assert [step for step, factor in enumerate(factors) if factor > 1] == [6, 10, 14, 18]


def test_autorates_thresholds_rise_with_the_time_of_a_packet():
    # at 75 kB/s a packet takes 20 ms: late is above 50 ms, and a mean of 65 is half way from 0.99 to 0.75
    assert feed(autorate(0.5, 150_000.0), [0.02 + 0.0499] * 6, 0.5) == [1.0] * 6
    law = autorate(0.5, 150_000.0)
    law._deltas.extend([0.065] * 5)
    law._late.extend([True] * 5)
    assert feed(law, [0.02 + 0.065 / 0.999], 0.5) == [pytest.approx(0.87, abs=1e-3)]
    # and the load is looked at every 10 packets: 200 ms here, 400 at half of that
    assert autorate(0.5, 150_000.0).rate_seconds == pytest.approx(0.2)
    assert autorate(0.25, 150_000.0).rate_seconds == pytest.approx(0.4)


def test_autorate_yields_in_2_4_seconds():
    # a deep queue: × 0.75 every 300 ms, and ln 0.1 / ln 0.75 = 8.004
    law = autorate(1.0)
    steps = 0
    while law.rate > 0.1005 * LINE:
        steps += 1
        law.update(0.2, law.rate, steps * 0.05)
    # three late samples first; then eight cuts, the first of which is smaller: the mean is not yet full
    assert steps * 0.05 == pytest.approx(2.4, abs=0.31)


def test_autorate_regains_in_3_3_seconds():
    # from its resting rate, half the line: × 1.04 every 200 ms, and 0.2 · ln(0.95/0.5) / ln 1.04 = 3.27
    law = autorate(0.5)
    steps = 0
    while law.rate < 0.95 * LINE:
        steps += 1
        law.update(0.02, law.rate, steps * 0.05)
    assert steps * 0.05 == pytest.approx(3.3, abs=0.15)


def test_autorate_goes_back_to_its_base_when_idle():
    # one per cent each second, whichever side it is on
    for start, after_a_second in [(0.6, 0.594), (0.4, 0.404)]:
        law = AutorateLaw(least=0.1 * LINE, base=0.5 * LINE, most=LINE)
        law.rate = start * LINE
        law._decay_at = 0.0
        law.update(0.02, 0.0, 0.95)
        assert law.rate == start * LINE
        law.update(0.02, 0.0, 1.0)
        assert law.rate == pytest.approx(after_a_second * LINE)
        for step in range(20 * 30):
            law.update(0.02, 0.0, 1.05 + step * 0.05)
        assert law.rate == 0.5 * LINE
