"""`bandwidth.core.signals`: pings take no more than their share of a slow line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.core.signals import PING_BYTES, PING_SHARE, Sample, sample_seconds
from bandwidth.core.units import BytesPerSecond


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        (None, 0.05),
        (0, 0.05),  # nothing is known of it
        (1, 0.1),
        (254_000, 0.1),  # 89 ÷ (0.0035 × 254 000) = 100.1 ms
        (300_000, 89 / 1_050),  # 84.8 ms
        (508_000, 89 / 1_778),  # 50.06 ms
        (509_000, 0.05),  # 49.96 ms
        (125_000_000, 0.05),
    ],
)
def test_intervals_by_hand(line: int | None, seconds: float) -> None:
    assert sample_seconds(None if line is None else BytesPerSecond(line)) == pytest.approx(seconds, rel=1e-9)


@given(st.integers(1, 10**10), st.integers(1, 10**10))
def test_between_ten_and_twenty_a_second_and_never_more_on_a_slower_line(one: int, other: int) -> None:
    slow, fast = sample_seconds(BytesPerSecond(min(one, other))), sample_seconds(BytesPerSecond(max(one, other)))
    assert 0.05 <= fast <= slow <= 0.1


@given(st.integers(254_286, 10**10))
def test_pings_take_at_most_their_share(line: int) -> None:
    """Below 2 Mbit/s the longest interval holds, and they take more."""
    assert PING_BYTES / sample_seconds(BytesPerSecond(line)) <= PING_SHARE * line * (1 + 1e-9)


def test_a_sample_without_business_signs_has_none() -> None:
    sample = Sample(None, None, 0, 0, False, None, None)
    assert not sample.bulk_business
    assert sample.business_harm_seconds is None
