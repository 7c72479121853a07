"""`seed_server.reporting.plan_lines`: how fast a line is expected to be."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_server.reporting.plan_facts import PlannedSite
from seed_server.reporting.plan_lines import (
    NEVER_THERE,
    UNKNOWN_RATE,
    UNKNOWN_USE,
    LineOutlook,
    SendingCurve,
    line_outlooks,
)
from seed_server.store.plan_rows import LineHour

MONDAY = 1_800_230_400.0
EVEN = LineOutlook((1_000.0,) * 168, 0.3, 0.0, known=True)


def hour(of_week: int, rate: float, *, seconds: float = 3_600.0, times: float = 4.0, apart: float = 0.0) -> LineHour:
    sent = rate * seconds
    return LineHour(of_week, 14_400.0, 0.0, 0.0, seconds, sent, (1 + apart) * sent * rate, times)


def site(name: str, *hours: LineHour, capacity: int | None = None) -> PlannedSite:
    return PlannedSite(name, (), usual=10, connected=10, capacity=capacity, hours=hours)


def test_an_hour_that_is_known_well_is_as_it_was() -> None:
    (outlook,) = line_outlooks([site("a", hour(9, 500.0, seconds=100_000), hour(22, 2_000.0, seconds=100_000))])
    assert outlook.rates[9] == pytest.approx(500, rel=0.03)
    assert outlook.rates[22] == pytest.approx(2_000, rel=0.03)
    assert outlook.known


def test_an_hour_that_is_not_known_is_as_at_other_sites_by_the_site_s_own_measure() -> None:
    known = [site(f"s{n}", hour(9, 500.0, seconds=20_000), hour(22, 2_000.0, seconds=20_000)) for n in range(5)]
    outlooks = line_outlooks([*known, site("new", hour(9, 5_000.0, seconds=20_000))])
    assert outlooks[-1].rates[22] == pytest.approx(20_000, rel=0.15)


def test_a_line_that_nobody_knows_is_one_in_the_middle_and_says_so() -> None:
    known = [site(f"s{rate}", hour(9, float(rate))) for rate in (100, 400, 5_000)]
    *_, new = line_outlooks([*known, site("new")])
    assert not new.known
    assert new.rates[9] == pytest.approx(400, rel=0.3)
    assert new.doubt > 5 * max(one.doubt for one in line_outlooks(known))
    (alone,) = line_outlooks([site("alone")])
    assert alone.rates == (UNKNOWN_RATE,) * 168
    (configured,) = line_outlooks([site("configured", capacity=1_000)])
    assert configured.rates == pytest.approx((UNKNOWN_USE * 1_000,) * 168)


def test_weeks_that_differ_make_a_wide_outlook_and_one_week_tells_nothing() -> None:
    (steady,) = line_outlooks([site("a", *(hour(of, 500.0) for of in range(100)))])
    (wild,) = line_outlooks([site("a", *(hour(of, 500.0, apart=0.5) for of in range(100)))])
    (young,) = line_outlooks([site("a", *(hour(of, 500.0, apart=0.5, times=1.0) for of in range(100)))])
    assert steady.spread < 0.1 < young.spread < 0.35 < wild.spread


def test_what_many_hours_bring_together_is_surer_than_one() -> None:
    assert EVEN.deviation(1) == pytest.approx(0.3)
    assert EVEN.deviation(100) == pytest.approx(0.3 * math.sqrt(0.505))


def test_a_limit_of_the_profile_holds_and_a_blackout_is_waited_for() -> None:
    curve = SendingCurve(EVEN, lambda at: 0.0 if at < MONDAY + 7_200 else 500.0, MONDAY)
    assert curve.when(MONDAY, 1_000_000) == pytest.approx(MONDAY + 7_200 + 2_000)
    assert SendingCurve(EVEN, lambda _: 0.0, MONDAY).when(MONDAY, 1) == NEVER_THERE


@given(st.floats(0, 400_000), st.lists(st.floats(1, 1e8), min_size=1, max_size=20))
def test_more_bytes_are_never_there_sooner(later: float, counts: list[float]) -> None:
    rates = tuple(float(hour % 24 * 100) for hour in range(168))
    curve = SendingCurve(LineOutlook(rates, 0.1, 0.0, known=True), lambda _: None, MONDAY)
    begin = MONDAY + later
    found = [curve.when(begin, count) for count in sorted(counts)]
    assert all(one <= other + 1e-3 for one, other in pairwise(found))
    assert found[0] >= begin
