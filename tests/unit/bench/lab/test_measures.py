import pytest

from bench.lab.measures import (
    Goodput,
    Page,
    VoipPacket,
    fairness_gap,
    line_limit_seconds,
    page_figures,
    percentile,
    regained_after_ms,
    voip_figures,
)


def test_goodput_is_a_straight_line_between_its_points() -> None:
    goodput = Goodput([(1_000_000_000, 0), (2_000_000_000, 1_000_000), (3_000_000_000, 1_000_000)])
    assert goodput.bytes_at(500) == 0
    assert goodput.bytes_at(1500) == 500_000
    assert goodput.bytes_at(9000) == 1_000_000
    assert goodput.mbit_per_second(1000, 3000) == pytest.approx(4.0)
    assert Goodput([]).bytes_at(5) == 0


def test_percentile_is_a_value_that_was_seen() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile(list(map(float, range(1, 101))), 0.95) == 95.0
    assert percentile([7.0], 0.95) == 7.0
    assert percentile([], 0.95) == 0.0


def test_voip_counts_the_numbers_that_never_came() -> None:
    packets = [VoipPacket(20.0 * number, number, 20.0 + number) for number in range(10) if number not in (4, 5)]
    figures = voip_figures(packets, 0, 200)
    assert (figures.packets, figures.lost) == (8, 2)
    assert figures.p95_ms == 29.0
    assert voip_figures(packets, 1000, 2000).packets == 0


def test_pages_count_when_they_began_and_ended_inside() -> None:
    pages = [Page(0, 500), Page(1000, 400), Page(1900, 300)]
    figures = page_figures(pages, 0, 2000)
    assert (figures.pages, figures.median_ms, figures.p95_ms) == (2, 450, 500)


def test_the_rate_is_regained_from_the_first_of_the_steps_that_have_it() -> None:
    rates = [0.0, 5.0, 20.0, 0.0, 20.0, 20.0, 20.0]
    assert regained_after_ms(rates, 100, 18, steps=3) == 400
    assert regained_after_ms(rates, 100, 18, steps=5) is None
    assert regained_after_ms([], 100, 18) is None


def test_fairness_and_limit() -> None:
    assert fairness_gap([10.0, 10.0]) == 0
    assert fairness_gap([9.0, 11.0]) == pytest.approx(0.1)
    assert fairness_gap([0.0, 0.0]) == 0
    assert line_limit_seconds(10_000_000, 20) == pytest.approx(4.0)
