"""`seed_server.line.lateness`: what is told of the controllers' steps."""

import pytest

from seed_server.line.lateness import LEAST_TOLD_SECONDS, Lateness


def test_nothing_was_counted() -> None:
    assert Lateness().take() is None


@pytest.mark.parametrize("late", [1, 2])
def test_one_of_a_hundred_steps_may_be_later(late: int) -> None:
    counted = Lateness()
    for step in range(200):
        counted.count(0.5 if step < late else 0.001)
    told = counted.take()
    assert told is not None
    assert (told.steps, told.worst_seconds) == (200, 0.5)
    assert told.p99_seconds == pytest.approx(0.001, rel=0.1)


def test_more_than_one_of_a_hundred_are_told() -> None:
    counted = Lateness()
    for step in range(200):
        counted.count(0.02 if step < 3 else 0.0)
    told = counted.take()
    assert told is not None
    assert told.p99_seconds == pytest.approx(0.02)


@pytest.mark.parametrize("seconds", [0.0, LEAST_TOLD_SECONDS, 0.0033, 0.4, 1e6])
def test_what_is_told_is_not_less_than_it_was_and_hardly_more(seconds: float) -> None:
    counted = Lateness()
    counted.count(seconds)
    told = counted.take()
    assert told is not None
    assert told.worst_seconds == seconds
    assert min(seconds, 6.0) <= told.p99_seconds <= max(LEAST_TOLD_SECONDS, seconds)
    assert counted.take() is None, "a look begins anew"
