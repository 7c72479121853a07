"""`bandwidth.core.competition`: each sign just below and just above its limit."""

from dataclasses import replace

import pytest

from bandwidth.core.competition import SEEN_AT_OTHERS, Competition
from bandwidth.core.sensors import View
from bandwidth.core.states import Reason

THRESHOLD = 0.008
CALM = View(
    queue_seconds=0.0,
    data_queue_seconds=0.0,
    own_queue_seconds=0.0,
    rtt_seconds=0.04,
    delivered=1e6,
    recent=1e6,
    own_recent=1e6,
    carried=1e6,
    shortfall=0.0,
    lost=0,
    lost_crowded=0,
    losses_usual=0.0,
    segments=400.0,
    pings_missing=False,
    application_limited=False,
    limited=False,
    window_rate=None,
    bulk_business=False,
    business_harm_seconds=0.0,
)


def judge(
    view: View,
    now: float = 0.0,
    *,
    competition: Competition | None = None,
    cut_at: float | None = None,
    within: bool = True,
) -> Reason | None:
    """Judge one view."""
    return (competition or Competition()).judge(view, THRESHOLD, now, cut_at=cut_at, within_capacity=within)


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        (CALM, None),
        (replace(CALM, bulk_business=True), Reason.BUSINESS_BULK),
        (replace(CALM, business_harm_seconds=0.02), None),
        (replace(CALM, business_harm_seconds=0.0201), Reason.HARM),
        (replace(CALM, lost=1, lost_crowded=1), None),
        (replace(CALM, lost=2, lost_crowded=2), Reason.LOSS),
        # the line itself loses 4 in such a window: 2 + 3 × 4 = 14 are somebody's
        (replace(CALM, lost=20, lost_crowded=13, losses_usual=4.0), None),
        (replace(CALM, lost=20, lost_crowded=14, losses_usual=4.0), Reason.LOSS),
        # the same without a queue around them are the line's own …
        (replace(CALM, lost=2), None),
        (replace(CALM, lost=14, losses_usual=4.0), None),
        # … up to a twentieth of 400, 3 more, and three times √20
        (replace(CALM, lost=36), None),
        (replace(CALM, lost=37), Reason.LOSS),
        (replace(CALM, lost=37, losses_usual=20.0), Reason.LOSS),
        # of few segments so many may be lost by chance; where none arrives, three are enough
        (replace(CALM, lost=5, segments=10.0), None),
        (replace(CALM, lost=6, segments=10.0), Reason.LOSS),
        (replace(CALM, lost=2, segments=0.0), None),
        (replace(CALM, lost=3, segments=0.0), Reason.LOSS),
        (replace(CALM, own_queue_seconds=0.008), None),
        (replace(CALM, own_queue_seconds=0.0081), Reason.SHORTFALL),
        (replace(CALM, queue_seconds=0.032), None),  # 4 × the threshold
        (replace(CALM, queue_seconds=0.0321), Reason.PERSISTENT_QUEUE),
        (replace(CALM, queue_seconds=None), None),
    ],
)
def test_one_look(view: View, reason: Reason | None) -> None:
    assert judge(view) is reason


def test_what_is_measured_at_others_comes_first() -> None:
    everything = replace(
        CALM,
        bulk_business=True,
        business_harm_seconds=1.0,
        lost=99,
        lost_crowded=99,
        own_queue_seconds=1.0,
        queue_seconds=1.0,
    )
    assert judge(everything) is Reason.BUSINESS_BULK
    assert judge(replace(everything, bulk_business=False)) is Reason.HARM
    assert judge(replace(everything, bulk_business=False, business_harm_seconds=0.0)) is Reason.LOSS
    assert frozenset({Reason.BUSINESS_BULK, Reason.HARM}) == SEEN_AT_OTHERS


def test_an_own_queue_proves_nothing_when_we_send_more_than_the_line_carries() -> None:
    assert judge(replace(CALM, own_queue_seconds=0.02), within=False) is None


def test_a_shortfall_counts_when_two_looks_in_a_row_show_it() -> None:
    short, grain = replace(CALM, shortfall=0.1501), replace(CALM, shortfall=0.15)
    competition = Competition()
    looks = [short, grain, short, short, short]
    assert [judge(view, competition=competition) for view in looks] == [
        None,
        None,
        None,
        Reason.SHORTFALL,
        Reason.SHORTFALL,
    ]
    competition.forget()
    assert judge(short, competition=competition) is None


@pytest.mark.parametrize(
    ("now", "cut_at", "reason"),
    [
        (0.49, 0.0, None),  # not long enough
        (0.51, 0.0, Reason.PERSISTENT_QUEUE),
        (0.51, None, None),  # we have not cut: it may be ours
        (0.51, 0.33, None),  # a round trip and 0.15 s are 0.19 s: the cut has had 0.18 s to show
        (0.51, 0.31, Reason.PERSISTENT_QUEUE),
    ],
)
def test_a_queue_that_stays_in_spite_of_a_cut(now: float, cut_at: float | None, reason: Reason | None) -> None:
    competition = Competition()
    queue = replace(CALM, queue_seconds=0.009)
    assert judge(queue, 0.0, competition=competition) is None
    assert judge(queue, now, competition=competition, cut_at=cut_at) is reason


def test_a_queue_persists_from_half_of_the_threshold_on() -> None:
    competition = Competition()
    above, at_half = replace(CALM, queue_seconds=0.0041), replace(CALM, queue_seconds=0.004)
    judge(above, 0.0, competition=competition)
    assert judge(above, 1.0, competition=competition, cut_at=0.0) is Reason.PERSISTENT_QUEUE
    judge(at_half, 1.1, competition=competition)
    assert judge(above, 1.2, competition=competition, cut_at=0.0) is None, "counted from here on"
    assert judge(above, 1.8, competition=competition, cut_at=0.0) is Reason.PERSISTENT_QUEUE


def test_lost_pings_and_a_forgotten_past_start_the_count_again() -> None:
    for reset in (lambda c: judge(replace(CALM, queue_seconds=None), 0.9, competition=c), Competition.forget):
        competition = Competition()
        queue = replace(CALM, queue_seconds=0.02)
        judge(queue, 0.0, competition=competition)
        reset(competition)
        assert judge(queue, 1.0, competition=competition, cut_at=0.0) is None


def test_a_clock_that_goes_back_persists_nothing() -> None:
    competition = Competition()
    queue = replace(CALM, queue_seconds=0.02)
    judge(queue, 1e6, competition=competition, cut_at=1e6)
    assert judge(queue, 0.0, competition=competition, cut_at=1e6) is None
