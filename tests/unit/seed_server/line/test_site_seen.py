"""`seed_server.line.site_seen`: what a line shows while it is sent to."""

import pytest

from bandwidth.core.signals import Sample
from seed_server.line.business_reports import BusinessView
from seed_server.line.harm_evidence import HarmReason, SeenSecond
from seed_server.line.site_seen import (
    LEAST_QUEUE_SECONDS,
    MOST_WAIT_STEPS,
    LineSeen,
    SiteSeen,
    step_of,
    typical_wait,
    wait_of,
)

NOBODY = BusinessView(None, False, None)


def sample(rtt: float | None) -> Sample:
    return Sample(rtt, None, 0, 0, True, None, None)


def test_what_is_seen_is_added_up_until_it_is_taken() -> None:
    seen = SiteSeen()
    for at, business in ((0.0, 10), (0.5, 20), (9.0, 30)):
        seen.note(sample(0.0215), 0.020, BusinessView(business, False, None), None, at)
    suffered = SeenSecond(1.0, 1.0, 1.0, 0.5, True, frozenset({HarmReason.SLOWED}))
    seen.note(sample(None), 0.020, NOBODY, suffered, 9.1)
    seen.note(sample(0.020), 0.020, NOBODY, SeenSecond(2.0, 1.0, 1.0, 0.0, True, frozenset()), 9.2)
    assert seen.take() == LineSeen(60, 0.5, 1.0, {step_of(0.0015): 3, 0: 1}), "in a gap nobody watched"
    assert seen.take() == LineSeen()


@pytest.mark.parametrize("seconds", [0.0006, 0.004, 0.013, 0.2, 3.0])
def test_waits_are_known_within_a_fifth(seconds: float) -> None:
    assert seconds <= wait_of(step_of(seconds)) <= 1.19 * seconds


def test_the_shortest_and_the_longest_waits() -> None:
    assert (step_of(-1.0), step_of(LEAST_QUEUE_SECONDS), wait_of(0)) == (0, 0, 0.0)
    assert step_of(1e9) == step_of(40.0) == MOST_WAIT_STEPS


def test_the_wait_that_95_of_100_are_below() -> None:
    assert typical_wait({}) is None
    assert typical_wait({0: 95, 9: 5}) == 0.0
    assert typical_wait({0: 94, 9: 6}) == wait_of(9)
