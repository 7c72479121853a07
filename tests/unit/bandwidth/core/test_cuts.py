"""`bandwidth.core.cuts`: how far the rate is cut, what it returns to, and what a long way has to do with it."""

from dataclasses import replace

import pytest

from bandwidth.core.cuts import BURST_CUT, CUT_LEAST, CUT_MOST, RETURN_AGAIN_SECONDS, RETURN_SHARE, Cuts, depth
from bandwidth.core.sensors import View
from tests.unit.bandwidth.core.test_competition import CALM

RATE = 3_000_000.0
SHORT, LONG = 0.04, 0.56


def view(rtt: float, delivered: float, **changes: object) -> View:
    return replace(CALM, rtt_seconds=rtt, delivered=delivered, recent=delivered, own_recent=delivered, **changes)  # type: ignore[arg-type]


def grown(cuts: Cuts, rate: float, seen: View, seconds: float = 2.0) -> float:
    for _ in range(round(seconds / 0.05)):
        rate = cuts.grow(seen, rate, capacity=RATE, threshold=0.008, queue=0.0, calm_for=0.0, step=0.05)
    return rate


def test_a_cut_starts_from_what_arrives_and_returns_to_a_part_of_it() -> None:
    seen, cuts = view(SHORT, 0.7 * RATE), Cuts()
    cuts.begin(seen, RATE, 10.0, first=False, ramped=False, seen=True)
    assert cuts.cut(seen, RATE, 10.0, CUT_LEAST, beyond=False) == pytest.approx((1 - CUT_LEAST) * 0.7 * RATE)
    assert grown(cuts, 0.3 * RATE, seen, 0.6) == pytest.approx(RETURN_SHARE * 0.7 * RATE)
    limited = replace(seen, application_limited=True)
    assert cuts.cut(limited, RATE, 20.0, CUT_MOST, beyond=False) == pytest.approx((1 - CUT_MOST) * RATE)


@pytest.mark.parametrize(("first", "returns"), [(True, True), (False, False)])
def test_the_rate_returns_soon_once_or_after_a_queue_of_our_own(first: bool, returns: bool) -> None:
    cuts, seen = Cuts(), view(SHORT, RATE)
    cuts.cut(seen, RATE, 10.0, CUT_MOST, beyond=True)
    cuts.begin(seen, RATE, 10.0 + RETURN_AGAIN_SECONDS / 2, first=first, ramped=False, seen=True)
    assert (grown(cuts, 0.5 * RATE, seen, 0.8) >= RETURN_SHARE * RATE) is returns


@pytest.mark.parametrize(
    ("queue", "after", "beyond", "burst"),
    [
        (0.0061, 0.05, 0.0, True),
        (0.0059, 0.05, 0.0, False),  # 2 ms before, and half of the threshold
        (0.0159, 0.05, 0.1, False),  # 10 ms come of that rate
        (0.0161, 0.05, 0.1, True),
        (0.05, 0.31, 0.0, False),  # too long ago
        (0.05, -0.1, 0.0, False),  # the clock went back
    ],
)
def test_a_queue_that_comes_faster_than_a_rate_can_make_it_is_a_burst(
    queue: float, after: float, beyond: float, burst: bool
) -> None:
    cuts, at, rate = Cuts(), 10.0 + after, (1 + beyond) * RATE
    seen = view(SHORT + queue, RATE, data_queue_seconds=queue)
    assert not cuts.is_burst(seen, 0.008, 10.0, rate=rate, line=RATE), "nothing is known of before"
    cuts.calm(view(SHORT, RATE, data_queue_seconds=0.002), 10.0)
    cuts.calm(view(SHORT, RATE, queue_seconds=None), at)  # nothing was measured
    assert cuts.is_burst(seen, 0.008, at, rate=rate, line=RATE) is burst
    assert not cuts.is_burst(seen, 0.008, at, rate=rate, line=None)
    assert not cuts.is_burst(view(SHORT + queue, RATE), 0.008, at, rate=rate, line=RATE), "our data do not meet it"
    far = view(LONG + queue, RATE, data_queue_seconds=queue)
    assert not cuts.is_burst(far, 0.008, at, rate=rate, line=RATE), "it may be a PC that was busy"


@pytest.mark.parametrize(("queue", "burst"), [(0.0100, False), (0.0102, True)])
def test_five_packets_at_once_may_be_our_own_on_a_slow_line(queue: float, burst: bool) -> None:
    cuts, line = Cuts(), 750_000.0
    cuts.calm(view(SHORT, line), 10.0)
    assert cuts.is_burst(view(SHORT, line, data_queue_seconds=queue), 0.008, 10.05, rate=line, line=line) is burst


@pytest.mark.parametrize(
    ("queue", "ramped", "shows"),
    [
        (0.0259, False, False),  # 20 ms come of a tenth too much in 0.1 s, if it is twice as much, and 4 ms of anything
        (0.0261, False, True),
        (0.0261, True, False),  # a ramp's rate doubles
    ],
)
def test_what_the_rate_before_a_cut_cannot_have_made_is_a_burst_after_it_too(
    queue: float, ramped: bool, shows: bool
) -> None:
    """CUBIC began while we tried more than was known: its queue seemed ours at first, and we kept two thirds."""
    cuts = Cuts()
    cuts.calm(view(SHORT, RATE, data_queue_seconds=0.002), 10.0)
    cuts.begin(view(SHORT, RATE), 1.1 * RATE, 10.05, first=False, ramped=ramped, seen=True)
    looks = view(SHORT + queue, RATE, data_queue_seconds=queue)
    assert cuts.was_burst(looks, 0.008, 10.1, line=RATE) is shows
    cuts.begin(looks, RATE, 10.1, first=False, ramped=False, seen=True)
    assert cuts.was_burst(looks, 0.008, 10.29, line=RATE)
    assert not cuts.was_burst(looks, 0.008, 10.31, line=RATE), "too long ago"


@pytest.mark.parametrize(
    ("thresholds", "burst", "way", "part"),
    [
        (1.4, False, None, 0.2),
        (9.0, False, None, CUT_MOST),
        (1.4, True, None, BURST_CUT),
        (1.4, False, 0.049, 0.2),
        (1.4, False, 0.051, BURST_CUT),
        (1.4, False, 0.299, BURST_CUT),
        (1.4, False, 0.301, 0.2),
    ],
)
def test_how_deep_a_cut_is(thresholds: float, burst: bool, way: float | None, part: float) -> None:
    assert depth(thresholds, burst=burst, unknown_way=way) == pytest.approx(part)


def test_a_cut_works_for_two_round_trips_before_another_one() -> None:
    cuts, seen = Cuts(), view(LONG, RATE)
    cuts.cut(seen, RATE, 10.0, CUT_MOST, beyond=True)
    assert [cuts.shows(seen, at) for at in (11.2, 11.3)] == [False, True]
    cuts.wait(11.3)
    assert not cuts.shows(seen, 12.0)


def test_answers_cannot_know_of_a_cut_before_a_round_trip_over_a_satellite() -> None:
    cuts, seen = Cuts(), view(LONG, RATE)
    assert not cuts.cannot_show(LONG, 10.0), "there was none"
    cuts.begin(seen, RATE, 10.0, first=False, ramped=True, seen=True)
    assert [cuts.cannot_show(LONG, at) for at in (10.0, 10.5, 10.6, 9.0)] == [True, True, False, False]
    assert not cuts.cannot_show(SHORT, 10.0), "there, every answer after the next sample does"
    assert not cuts.cannot_show(None, 10.0)
    assert cuts.undone() == (RATE, True)


@pytest.mark.parametrize(("way", "shows"), [(SHORT, 10.14), (0.26, 10.36), (LONG, 10.0)])
def test_a_queue_that_losses_alone_told_of_is_not_gone_before_a_round_trip(way: float, shows: float) -> None:
    cuts, looks = Cuts(), view(way, RATE)
    cuts.begin(looks, RATE, 10.0, first=True, ramped=True, seen=True)
    assert not cuts.yet_unseen(way, 10.0), "it was seen, and is not any more"
    cuts.begin(looks, RATE, 10.0, first=True, ramped=True, seen=False)
    assert cuts.yet_unseen(way, shows - 0.01) is (way < LONG)
    assert not cuts.yet_unseen(way, shows + 0.001)
    assert not cuts.yet_unseen(way, 9.0), "the clock went back"
    assert not cuts.yet_unseen(None, 10.0)
