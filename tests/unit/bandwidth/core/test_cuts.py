"""`bandwidth.core.cuts`: how far the rate is cut, what it returns to, and what a long way has to do with it."""

from dataclasses import replace

import pytest

from bandwidth.core.cuts import CUT_BEYOND_LONG, CUT_LEAST, CUT_MOST, RETURN_AGAIN_SECONDS, RETURN_SHARE, Cuts
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


@pytest.mark.parametrize(
    ("rtt", "shortfall", "measured"),
    [
        (SHORT, 0.0, True),
        (LONG, 0.3, True),  # somebody takes what is missing
        (LONG, 0.0, False),  # it is what was sent before the rate was raised
    ],
)
def test_over_a_long_way_a_cut_starts_from_what_arrives_only_where_something_is_missing(
    rtt: float, shortfall: float, measured: bool
) -> None:
    seen = view(rtt, 0.7 * RATE, shortfall=shortfall)
    cuts = Cuts()
    cuts.begin(seen, RATE, 10.0, beyond=False, first=False)
    known = 0.7 * RATE if measured else RATE
    assert cuts.cut(seen, RATE, 10.0, CUT_LEAST, beyond=False) == pytest.approx((1 - CUT_LEAST) * known)
    assert grown(cuts, 0.5 * RATE, seen, 1.0) >= RETURN_SHARE * known


@pytest.mark.parametrize(("rtt", "most"), [(SHORT, CUT_MOST), (LONG, CUT_BEYOND_LONG)])
def test_the_queue_of_a_ramp_over_a_long_way_is_cut_less(rtt: float, most: float) -> None:
    seen = view(rtt, RATE)
    assert Cuts().cut(seen, 3 * RATE, 10.0, CUT_MOST, beyond=True) == pytest.approx((1 - most) * RATE)
    assert Cuts().cut(seen, RATE, 10.0, CUT_MOST, beyond=False) == pytest.approx((1 - CUT_MOST) * RATE)


@pytest.mark.parametrize(("first", "returns"), [(True, True), (False, False)])
def test_the_rate_returns_soon_once_or_after_a_queue_of_our_own(first: bool, returns: bool) -> None:
    cuts, seen = Cuts(), view(SHORT, RATE)
    cuts.cut(seen, RATE, 10.0, CUT_MOST, beyond=True)
    cuts.begin(seen, RATE, 10.0 + RETURN_AGAIN_SECONDS / 2, beyond=False, first=first)
    assert (grown(cuts, 0.5 * RATE, seen, 0.8) >= RETURN_SHARE * RATE) is returns


def test_a_cut_works_for_two_round_trips_before_another_one() -> None:
    cuts, seen = Cuts(), view(LONG, RATE)
    cuts.cut(seen, RATE, 10.0, CUT_MOST, beyond=True)
    assert [cuts.shows(seen, at) for at in (11.2, 11.3)] == [False, True]
    cuts.wait(11.3)
    assert not cuts.shows(seen, 12.0)
