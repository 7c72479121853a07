"""`p2pdist.origin.retry_pace`: who fetches calls at once, all others take their time."""

from p2pdist.origin.retry_pace import (
    CONNECT_SECONDS,
    EAGER_CONNECT_SECONDS,
    EAGER_FOR_SECONDS,
    EAGER_LOOK_SECONDS,
    EAGER_SECONDS,
    FETCHED_SECONDS,
    REFUSED_SECONDS,
    STABLE_SECONDS,
    UNHURRIED_LOOK_SECONDS,
    UNHURRIED_SECONDS,
    RetryPace,
)


def waits(pace: RetryPace, now: float, attempts: int) -> list[float]:
    found = []
    for _ in range(attempts):
        found.append(pace.lost(0.0, now, 1.0))
        now += found[-1]
    return found


def test_who_fetched_nothing_waits_longer_each_time() -> None:
    pace = RetryPace(0.5)
    assert waits(pace, 100.0, 9) == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    assert not pace.eager(100.0)
    assert pace.connect_seconds(100.0) == CONNECT_SECONDS
    assert pace.lost(STABLE_SECONDS, 1_000.0, 1.0) == 0.5, "a connection that lived resets it"
    assert pace.lost(0.0, 1_001.0, 1.0) == 1.0
    assert pace.lost(0.0, 1_002.0, 1.0, wanted=True) == 0.5


def test_attempts_at_several_addresses_in_a_row_count_as_one() -> None:
    pace = RetryPace(0.5)
    for waited in (0.5, 1.0, 2.0, 4.0):
        for _ in range(7):
            assert pace.lost(0.0, 100.0, 1.0) == waited
            pace.goes_on()
        assert pace.lost(0.0, 100.0, 1.0) == waited


def test_who_was_fetching_calls_often_but_not_for_ever() -> None:
    pace = RetryPace(0.5)
    pace.fetched(99.0)
    first = waits(pace, 100.0, 20)
    assert max(first) <= EAGER_SECONDS
    assert pace.eager(110.0)
    assert pace.connect_seconds(110.0) == EAGER_CONNECT_SECONDS
    assert not pace.eager(100.0 + EAGER_FOR_SECONDS)
    assert pace.lost(0.0, 100.0 + EAGER_FOR_SECONDS, 1.0) == 60.0


def test_who_had_its_turn_before_does_not_count_as_fetching() -> None:
    pace = RetryPace(0.5)
    pace.fetched(100.0)
    pace.lost(10.0, 100.0 + FETCHED_SECONDS, 1.0)
    assert not pace.eager(100.0 + FETCHED_SECONDS)
    pace.fetched(200.0)
    pace.lost(10.0, 200.0, 1.0)
    assert pace.eager(200.0), "a later loss is judged by itself"


def test_beside_a_silent_connection_only_who_fetches_calls_at_once() -> None:
    pace = RetryPace(0.5)
    assert [pace.beside_silent(100.0, jitter) for jitter in (0.0, 1.0)] == list(UNHURRIED_SECONDS)
    pace.fetched(100.0 - FETCHED_SECONDS)
    assert pace.beside_silent(100.0, 1.0) == 0.0
    pace.fetched(130.0)
    assert pace.beside_silent(100.0, 1.0) == 0.0, "pieces come, and cannot be confirmed"


def test_an_idle_pc_is_left_asleep() -> None:
    pace = RetryPace(0.5)
    assert pace.look_seconds(100.0) == UNHURRIED_LOOK_SECONDS
    pace.fetched(100.0)
    assert pace.look_seconds(101.0) == EAGER_LOOK_SECONDS
    assert pace.look_seconds(100.0 + FETCHED_SECONDS) == UNHURRIED_LOOK_SECONDS


def test_who_is_pinged_often_fetches_although_nothing_has_come_yet() -> None:
    pace = RetryPace(0.5)
    for now in (80.0, 85.0, 90.0):
        pace.pinged(now)
    assert pace.beside_silent(92.0, 0.0) == UNHURRIED_SECONDS[0], "that much every PC is pinged"
    pace.pinged(90.05)
    assert pace.beside_silent(92.0, 0.0) == 0.0


def test_a_copy_that_is_refused_asks_again_in_a_minute_or_so_whatever_it_fetched() -> None:
    pace = RetryPace(0.5)
    pace.fetched(100.0)
    assert (pace.refused(0.0), pace.refused(1.0)) == REFUSED_SECONDS
