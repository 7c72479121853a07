"""`bandwidth.core.patience`: how long the silence after a yield is, by hand."""

import pytest

from bandwidth.core.patience import BLIND, FIRST_SECONDS, Patience
from bandwidth.core.states import Reason

RTT = 0.04  # a ramp has failed when the yield comes within 3 + 8 × 0.04 = 3.32 s


def silences(reason: Reason, rtt: float, times: int) -> list[float]:
    """Yield so often, each time at once after the ramp."""
    patience = Patience(0.0)
    lengths = []
    for n in range(times):
        patience.ramped(float(n))
        patience.yielded(reason, rtt, n + 0.5)
        lengths.append(patience.seconds)
    return lengths


def test_before_any_yield_it_is_the_first() -> None:
    assert Patience(0.0).seconds == FIRST_SECONDS == 0.5


def test_doubles_while_ramps_fail_up_to_four_seconds() -> None:
    # the very first is doubled too: the line was new, and met somebody at once
    assert silences(Reason.PERSISTENT_QUEUE, RTT, 5) == [1.0, 2.0, 4.0, 4.0, 4.0]


@pytest.mark.parametrize("reason", [Reason.LOSS, Reason.SHORTFALL])
def test_where_silence_shows_nothing_it_is_longer(reason: Reason) -> None:
    assert silences(reason, RTT, 5) == [1.5, 3.0, 6.0, 8.0, 8.0]  # 8 × 0.04 s is less than 1.5 s
    assert silences(reason, 0.3, 4) == pytest.approx([2.4, 4.8, 8.0, 8.0])  # 8 × 0.3 s
    assert silences(reason, 2.0, 3) == pytest.approx([16.0, 16.0, 16.0]), "the first is never above the longest"


def test_only_losses_and_shortfalls_are_blind() -> None:
    assert frozenset({Reason.LOSS, Reason.SHORTFALL}) == BLIND


def test_a_longest_blind_silence_falls_to_the_seeing_ones_limit() -> None:
    patience = Patience(0.0)
    for _ in range(4):
        patience.yielded(Reason.LOSS, RTT, 0.0)
    assert patience.seconds == 8.0
    patience.yielded(Reason.PERSISTENT_QUEUE, RTT, 0.0)
    assert patience.seconds == 4.0


@pytest.mark.parametrize(("after", "seconds"), [(3.31, 4.0), (3.33, 0.5)])
def test_a_ramp_that_has_lasted_starts_the_count_again(after: float, seconds: float) -> None:
    patience = Patience(0.0)
    for _ in range(2):
        patience.yielded(Reason.PERSISTENT_QUEUE, RTT, 0.0)
    assert patience.seconds == 2.0
    patience.ramped(100.0)
    patience.yielded(Reason.PERSISTENT_QUEUE, RTT, 100.0 + after)
    assert patience.seconds == seconds


@pytest.mark.parametrize(("after", "seconds"), [(3.31, 2.0), (3.33, 0.5)])
def test_so_does_scavenging_in_peace(after: float, seconds: float) -> None:
    patience = Patience(0.0)
    for _ in range(2):
        patience.yielded(Reason.PERSISTENT_QUEUE, RTT, 0.0)
    patience.ramped(100.0)
    patience.scavenging(RTT, 100.0 + after)
    assert patience.seconds == seconds


def test_a_longer_round_trip_gives_a_ramp_more_time_to_fail() -> None:
    patience = Patience(0.0)
    patience.yielded(Reason.PERSISTENT_QUEUE, 0.5, 6.9)  # 3 + 8 × 0.5 = 7 s
    assert patience.seconds == 1.0
    patience.yielded(Reason.PERSISTENT_QUEUE, 0.5, 7.1)
    assert patience.seconds == 0.5


def test_a_clock_that_went_back_keeps_within_the_limits() -> None:
    patience = Patience(1e9)
    for now in (0.0, -1e9, 5.0, 1.0):
        patience.scavenging(RTT, now)
        patience.yielded(Reason.LOSS, RTT, now)
        assert 0.5 <= patience.seconds <= 8.0
