"""`bandwidth.core.business`: what others take and will take, by hand."""

import pytest

from bandwidth.core.business import BusinessLoad

STEP = 0.0625  # sixteenths of a second are exact; two of them are the span of 0.1 s
RTT = 0.04


def feed(load: BusinessLoad, rates: list[float], start: float = 0.0, *, rtt: float = RTT) -> float:
    """Take one look per rate in bytes per second, and return the time after them."""
    now = start
    for rate in rates:
        now += STEP
        load.observe(int(rate * STEP), STEP, now, rtt)
    return now


def test_nothing_is_needed_at_first() -> None:
    load = BusinessLoad()
    assert (load.need, load.mean, load.steady_rate(0.0)) == (0.0, 0.0, None)


def test_what_begins_may_double_until_it_has_a_past() -> None:
    load = BusinessLoad()
    now = feed(load, [16_000.0])
    assert load.need == 32_000.0  # 1000 bytes in 1/16 s, and twice of that in a round trip
    # two looks later the first is the peak, so the same again is no growth; what it needed is kept for 0.3 s
    now = feed(load, [16_000.0] * 5, now)
    assert now == 0.375
    assert load.need == 32_000.0, "doubled at 0.0625 and 0.125 s; 0.375 − 0.3 is between them"
    feed(load, [16_000.0], now)
    assert load.need == 16_000.0


@pytest.mark.parametrize(("rate", "need"), [(17_600, 17_600.0), (17_632, 35_264.0)])
def test_growth_is_a_tenth_above_the_peak(rate: int, need: float) -> None:
    load = BusinessLoad()
    now = feed(load, [16_000.0] * 32)
    feed(load, [rate] * 2, now)  # the mean of the span's two looks is all of the new rate
    assert load.need == need


def test_a_rate_that_comes_and_goes_is_no_growth() -> None:
    load = BusinessLoad()
    now = feed(load, [160_000.0] * 8 + [0.0] * 16)
    assert load.need == 0.0, "0.3 s are over"
    now = feed(load, [160_000.0], now)
    # half of the span's two looks is empty: 80 000, which may double, but to no more than the peak of the last 2 s
    assert load.need == 160_000.0
    feed(load, [160_000.0], now)
    assert load.need == 160_000.0


def test_after_two_seconds_a_peak_is_forgotten() -> None:
    load = BusinessLoad()
    now = feed(load, [160_000.0] * 8 + [0.0] * 40)
    feed(load, [160_000.0], now)
    assert load.need == 160_000.0  # 80 000 from nothing is growth: doubled
    feed(load, [160_000.0], now + STEP)
    assert load.need == 320_000.0


def test_room_is_kept_for_two_round_trips_of_a_long_line() -> None:
    load = BusinessLoad()
    now = feed(load, [16_000.0] * 32, rtt=0.25)
    for _ in range(10):
        now = feed(load, [0.0], now, rtt=0.25)
        assert load.need > 0.0
    feed(load, [0.0] * 3, now, rtt=0.25)  # 0.25 s in which the rate falls, and 0.5 s
    assert load.need == 0.0


def test_the_mean_is_of_one_second() -> None:
    load = BusinessLoad()
    now = feed(load, [16_000.0] * 16)
    assert load.mean == 16_000.0
    feed(load, [0.0] * 4, now)
    assert load.mean == 12_000.0
    feed(load, [0.0] * 12, now + 4 * STEP)
    assert load.mean == 0.0


def test_what_cannot_be_seen_is_neither_taken_nor_held_for_ever() -> None:
    load = BusinessLoad()
    now = feed(load, [16_000.0] * 32)
    load.observe(None, STEP, now + 0.29, RTT)
    assert load.need == 16_000.0
    load.observe(None, STEP, now + 0.31, RTT)
    assert load.need == 0.0
    load.observe(None, STEP, now + 1.0, RTT)
    assert load.mean == 0.0


@pytest.mark.parametrize("elapsed", [0.0, -1.0])
def test_a_look_without_time_is_no_rate(elapsed: float) -> None:
    load = BusinessLoad()
    load.observe(10**9, elapsed, 1.0, RTT)
    assert (load.need, load.mean) == (0.0, 0.0)


def test_a_past_that_does_not_hold_is_forgotten() -> None:
    load = BusinessLoad()
    now = feed(load, [16_000.0] * 160)
    assert load.steady_rate(now) == 16_000.0
    load.forget(0.0)
    # what was needed is left to others until the hold of 0.3 s is over: nobody knows better yet
    assert (load.need, load.mean, load.steady_rate(now)) == (16_000.0, 0.0, None)
    feed(load, [2_000.0] * 3)  # the clock has gone back
    assert load.mean == 2_000.0
    feed(load, [2_000.0] * 40)
    assert load.need == 2_000.0


# --- steady ------------------------------------------------------------------------------------


def steady(*slices: int, missing: int = 0) -> float | None:
    """Return the steady rate after slices of 2 s, four looks each, of so many bytes a look, the oldest first."""
    load = BusinessLoad()
    looks = [0, *(size for each in slices for size in (each,) * 4)][missing:]
    for n, size in enumerate(looks):
        load.observe(size, 0.5, n * 0.5, RTT)
    return load.steady_rate((len(looks) - 1) * 0.5)


def test_three_equal_slices_are_steady_and_two_are_not_enough() -> None:
    assert steady(1_000, 1_000, 1_000) == 2_000.0  # 4000 bytes in 2 s
    assert steady(1_000, 1_000, 1_000, missing=1) is None
    assert steady(1_000, 1_000) is None


def test_slices_may_differ_by_six_percent_of_their_mean() -> None:
    # x − 10 000 ≤ 0.06 × (20 000 + x) ÷ 3, so x ≤ 10 612.2
    assert steady(10_000, 10_000, 10_612) == pytest.approx((20_000 + 10_612) / 3 * 2)
    assert steady(10_000, 10_000, 10_613) is None
    assert steady(10_613, 10_000, 10_000) is None
    # 10 000 − x ≤ 0.06 × (20 000 + x) ÷ 3, so x ≥ 9 411.8
    assert steady(10_000, 9_412, 10_000) is not None
    assert steady(10_000, 9_411, 10_000) is None


def test_only_the_last_three_slices_count() -> None:
    assert steady(99_999, 1_000, 1_000, 1_000) == 2_000.0


def test_what_has_not_been_seen_for_long_is_not_steady() -> None:
    load = BusinessLoad()
    now = feed(load, [16_000.0] * 160)
    for n in range(1, 200):
        load.observe(None, STEP, now + n * STEP, RTT)
    assert load.steady_rate(now + 200 * STEP) is None
