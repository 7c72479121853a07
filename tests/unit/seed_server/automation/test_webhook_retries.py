"""`seed_server.automation.webhook_retries`: from seconds to hours, for three days, and not in step."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from seed_server.automation.webhook_retries import (
    FIRST_RETRY_SECONDS,
    GIVEN_UP_AFTER_SECONDS,
    LONGEST_RETRY_PAUSE_SECONDS,
    MOST_FAILURES,
    next_try,
    pause_seconds,
)


def tries(jitter: float) -> list[float]:
    """Return when something that always fails is tried, in seconds after the first time."""
    found, now = [0.0], 0.0
    while (wanted := next_try(len(found), 0.0, now, jitter)) is not None:
        now = wanted
        found.append(now)
    return found


def test_it_is_tried_soon_then_rarely_and_a_last_time_after_three_days() -> None:
    found = tries(0.5)
    assert found[:5] == [0.0, 5.0, 20.0, 65.0, 200.0]
    assert len(found) == 21
    assert found[-1] == GIVEN_UP_AFTER_SECONDS == 3 * 86_400
    assert max(b - a for a, b in itertools.pairwise(found)) <= LONGEST_RETRY_PAUSE_SECONDS


@given(st.floats(0.0, 1.0), st.integers(1, 10**9))
def test_no_pause_is_shorter_or_longer_than_it_may_be(jitter: float, failures: int) -> None:
    pause = pause_seconds(failures, jitter)
    assert 0.75 * FIRST_RETRY_SECONDS <= pause <= 1.25 * LONGEST_RETRY_PAUSE_SECONDS


def test_what_failed_together_is_not_tried_together() -> None:
    assert pause_seconds(3, 0.0) < pause_seconds(3, 0.5) < pause_seconds(3, 1.0)


@given(st.integers(1, MOST_FAILURES), st.floats(0, 1e10), st.floats(-1e6, 4e5), st.floats(0.0, 1.0))
def test_it_ends_whatever_the_clock_does(failures: int, first_at: float, later: float, jitter: float) -> None:
    now = first_at + later
    wanted = next_try(failures, first_at, now, jitter)
    if now - first_at >= GIVEN_UP_AFTER_SECONDS:
        assert wanted is None
    else:
        assert wanted is not None
        assert now < wanted <= now + 1.25 * LONGEST_RETRY_PAUSE_SECONDS
