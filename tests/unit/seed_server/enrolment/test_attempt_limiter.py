"""`seed_server.enrolment.attempt_limiter`: windows computed by hand, and bounded memory."""

from hypothesis import given
from hypothesis import strategies as st

from seed_server.enrolment.attempt_limiter import MAX_FAILURES, WINDOW_SECONDS, AttemptLimiter


def failed_often(now: float) -> AttemptLimiter:
    limiter = AttemptLimiter()
    for _ in range(MAX_FAILURES):
        assert limiter.wait_seconds("10.0.0.1", now) == 0.0
        limiter.failed("10.0.0.1", now)
    return limiter


def test_the_cap_holds_until_the_window_ends() -> None:
    limiter = failed_often(100.0)
    assert limiter.wait_seconds("10.0.0.1", 101.0) == WINDOW_SECONDS - 1.0
    assert limiter.wait_seconds("10.0.0.1", 100.0 + WINDOW_SECONDS) == 0.0


def test_other_addresses_are_not_held_up() -> None:
    assert failed_often(100.0).wait_seconds("10.0.0.2", 101.0) == 0.0


def test_a_clock_that_is_set_back_locks_nobody_out() -> None:
    assert failed_often(1_000_000.0).wait_seconds("10.0.0.1", 5.0) == 0.0


@given(st.lists(st.integers(0, 30), max_size=200))
def test_memory_is_bounded(addresses: list[int]) -> None:
    limiter = AttemptLimiter(max_remembered=8)
    for now, address in enumerate(addresses):
        limiter.failed(str(address), float(now))
        assert len(limiter._failures) <= 8
