"""`bandwidth.core.rolling`: what is in the window counts, what is as old as the span does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.core.rolling import RollingMax, RollingRate

SPAN = 1.0
# (step of the clock, seconds of the entry, amount); steps in eighths add up exactly
entries = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 16), st.integers(0, 10**9)),
    max_size=60,
)


def test_a_rate_by_hand() -> None:
    rate = RollingRate(SPAN)
    assert (rate.rate, rate.amount) == (0.0, 0.0)
    rate.add(1.0, 0.5, 100)
    rate.add(1.5, 0.5, 200)
    rate.expire(1.999)
    assert rate.rate == 300.0  # (100 + 200) ÷ (0.5 + 0.5)
    assert rate.amount == 300.0


def test_what_is_as_old_as_the_span_is_out() -> None:
    rate = RollingRate(SPAN)
    rate.add(1.0, 0.5, 100)
    rate.add(1.5, 0.5, 200)
    rate.expire(2.0)
    assert rate.rate == 400.0  # 200 ÷ 0.5 is left
    rate.expire(2.5)
    assert (rate.rate, rate.amount) == (0.0, 0.0)


def test_a_clock_that_went_back_takes_nothing_out() -> None:
    rate = RollingRate(SPAN)
    rate.add(100.0, 1.0, 50)
    rate.expire(-1e9)
    assert rate.rate == 50.0


def test_an_entry_without_time_makes_no_rate() -> None:
    rate = RollingRate(SPAN)
    rate.add(1.0, 0.0, 50)
    assert (rate.rate, rate.amount) == (0.0, 50.0)


def test_rounding_does_not_outlive_the_window() -> None:
    rate = RollingRate(SPAN)
    for n in range(1_000):
        rate.add(n * 0.1, 0.1, 0.1)  # 0.1 is no binary number: sums of it are not exact
        rate.expire(n * 0.1)
    rate.expire(1e6)
    assert rate.amount == 0.0
    rate.add(1e6, 0.5, 1.0)
    assert rate.rate == 2.0


@given(sequence=entries)
def test_a_rate_is_that_of_the_entries_in_the_window(sequence: list[tuple[int, int, int]]) -> None:
    rate, now, kept = RollingRate(SPAN), 0.0, list[tuple[float, float, int]]()
    for step, eighths, amount in sequence:
        now += step / 8
        rate.expire(now)
        rate.add(now, eighths / 8, amount)
        kept = [entry for entry in [*kept, (now, eighths / 8, amount)] if entry[0] > now - SPAN]
        total = sum(entry[2] for entry in kept)
        assert rate.amount == total
        assert rate.rate == pytest.approx(total / sum(entry[1] for entry in kept))
    rate.clear()
    assert (rate.rate, rate.amount) == (0.0, 0.0)


@given(sequence=entries)
def test_a_maximum_is_that_of_the_entries_in_the_window(sequence: list[tuple[int, int, int]]) -> None:
    largest, now, kept = RollingMax(), 0.0, list[tuple[float, int]]()
    for step, eighths, amount in sequence:
        now += step / 8
        oldest = now - eighths / 8
        largest.expire(oldest)
        kept = [entry for entry in kept if entry[0] >= oldest]
        assert largest.largest == max((value for _, value in kept), default=0)
        largest.add(now, amount)
        kept.append((now, amount))
        assert largest.largest == max(value for _, value in kept)
    largest.clear()
    assert largest.largest == 0.0


def test_a_maximum_by_hand() -> None:
    largest = RollingMax()
    for at, value in ((0.0, 5.0), (1.0, 3.0), (2.0, 4.0)):
        largest.add(at, value)
    assert largest.largest == 5.0
    largest.expire(0.0)
    assert largest.largest == 5.0, "as old as the oldest that counts"
    largest.expire(0.001)
    assert largest.largest == 4.0, "3 came before a larger one, so it is never the largest"
    largest.expire(2.001)
    assert largest.largest == 0.0
