"""`bandwidth.core.token_bucket`: exact, whatever the steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.core.token_bucket import TokenBucket
from bandwidth.core.units import BytesPerSecond

SECOND = 1_000_000_000


def bucket(rate: int = 1_000, burst: int = 500, now_ns: int = 0) -> TokenBucket:
    return TokenBucket(BytesPerSecond(rate), burst_bytes=burst, now_ns=now_ns)


def test_starts_full_and_refills_at_the_rate() -> None:
    tokens = bucket()
    assert tokens.consume(500, 0)
    assert not tokens.consume(1, 0)
    assert tokens.wait_ns(1, 0) == 1_000_000
    assert tokens.consume(1, 1_000_000)
    assert tokens.level_bytes(SECOND) == 500, "never above the burst"


def test_waits_for_ever_where_tokens_cannot_suffice() -> None:
    assert bucket().wait_ns(501, 0) is None
    empty = bucket(rate=0)
    assert empty.consume(500, 0)
    assert empty.wait_ns(1, 0) is None


def test_a_changed_rate_keeps_what_was_earned() -> None:
    tokens = bucket()
    assert tokens.consume(500, 0)
    tokens.set_rate(BytesPerSecond(10), SECOND // 10)
    assert tokens.level_bytes(SECOND // 10) == 100
    assert tokens.level_bytes(SECOND // 10 + SECOND) == 110


def test_time_that_goes_back_earns_nothing() -> None:
    tokens = bucket(now_ns=SECOND)
    assert tokens.consume(500, SECOND)
    assert tokens.level_bytes(0) == 0
    assert tokens.level_bytes(SECOND // 10) == 100


@pytest.mark.parametrize(("rate", "burst"), [(-1, 1), (1, 0)])
def test_impossible_buckets_are_refused(rate: int, burst: int) -> None:
    with pytest.raises(ValueError, match="rate"):
        bucket(rate, burst)


@given(
    rate=st.integers(1, 10**9),
    burst=st.integers(1, 10**6),
    steps=st.lists(st.tuples(st.integers(0, 10**8), st.integers(1, 10**5)), max_size=50),
)
def test_never_lets_more_through_than_rate_and_burst_allow(rate: int, burst: int, steps: list[tuple[int, int]]) -> None:
    tokens, now, passed = bucket(rate, burst), 0, 0
    for elapsed, count in steps:
        now += elapsed
        if tokens.consume(count, now):
            passed += count
        assert passed * SECOND <= burst * SECOND + rate * now


@given(rate=st.integers(1, 10**9), count=st.integers(1, 10**4), pause=st.integers(0, 10**9))
def test_wait_is_exact(rate: int, count: int, pause: int) -> None:
    tokens = bucket(rate, 10**4)
    assert tokens.consume(10**4, 0)
    wait = tokens.wait_ns(count, pause)
    assert wait is not None
    if wait > 0:
        assert not tokens.consume(count, pause + wait - 1)
    assert tokens.consume(count, pause + wait)
