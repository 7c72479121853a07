"""`seed_server.origin.notices`: fetchers hear of news at once, a whole site within seconds, and nobody is left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_server.origin.notices import AT_ONCE, SPREAD_SECONDS, Notices


def told(notices: Notices[int], seconds: float, step: float = 0.25, start: float = 0.0) -> list[tuple[float, int]]:
    steps = range(round(seconds / step) + 1)
    return [(start + n * step, key) for n in steps for key in notices.due(start + n * step)]


@pytest.mark.parametrize("count", [100, 1_000])
def test_the_fetchers_at_once_and_the_others_one_after_the_other(count: int) -> None:
    heard = told(Notices(range(count), 0.0), 10.0)
    assert [key for _, key in heard] == list(range(count))
    assert {at for at, _ in heard[:AT_ONCE]} == {0.0}
    assert heard[AT_ONCE][0] == pytest.approx(0.25)
    assert SPREAD_SECONDS * (1 - AT_ONCE / count) <= heard[-1][0] <= SPREAD_SECONDS
    most = max(sum(at == when for at, _ in heard[AT_ONCE:]) for when in {at for at, _ in heard})
    assert most <= count / SPREAD_SECONDS * 0.25 + 1


@pytest.mark.parametrize("count", [0, 1, AT_ONCE])
def test_a_small_site_waits_for_nothing(count: int) -> None:
    assert Notices(range(count), 5.0).due(5.0) == list(range(count))


def test_who_still_waits_when_there_is_more_news_comes_before_those_that_were_told() -> None:
    first = Notices(range(80), 0.0)
    told(first, 0.5)
    second = Notices(range(80), 0.5, waiting=first.waiting)
    assert second.waiting[:AT_ONCE] == tuple(range(AT_ONCE))
    assert second.waiting[AT_ONCE : AT_ONCE + len(first.waiting)] == first.waiting
    assert sorted(second.waiting) == list(range(80))


def test_who_has_left_is_told_nothing() -> None:
    assert Notices([1, 2], 0.0, waiting=[9, 2]).waiting == (1, 2)


@given(count=st.integers(0, 200), news=st.lists(st.floats(0.01, 3.0), max_size=20))
def test_however_often_there_is_news_everybody_hears_of_it(count: int, news: list[float]) -> None:
    notices: Notices[int] = Notices(range(count), 0.0)
    now, heard = 0.0, set[int]()
    for gap in news:
        heard |= {key for _, key in told(notices, gap, start=now)}
        now += gap + 0.25
        notices = Notices(range(count), now, waiting=notices.waiting)
    last = [key for _, key in told(notices, 60.0, start=now)]
    assert sorted(last) == list(range(count))
    if sum(news) > 3 * SPREAD_SECONDS:
        assert heard == set(range(count))
