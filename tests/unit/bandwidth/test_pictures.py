from datetime import date
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from bandwidth.pictures import WIDTH, Panel, Series, _round_step, time_series_svg, week_svg
from bandwidth.profiles.parse import parse_profile
from bandwidth.profiles.week import Week, week_of
from bandwidth.units import BytesPerSecond

NUMBERS = st.floats(0, 1e9, allow_subnormal=False)


def test_a_time_series_has_its_titles_series_and_scales() -> None:
    panels = [
        Panel("rate, Mbit/s", [Series("patches", [(0, 0), (30, 18)]), Series("business & co", [(0, 20), (30, 2)])]),
        Panel("queue, ms", []),
    ]
    words = list(ET.fromstring(time_series_svg("What <would> happen", panels)).itertext())
    for expected in ("What <would> happen", "rate, Mbit/s", "business & co", "20", "30 s", "queue, ms"):
        assert expected in words


@given(st.lists(st.tuples(NUMBERS, NUMBERS)))
def test_any_points_make_a_picture(points: list[tuple[float, float]]) -> None:
    ET.fromstring(time_series_svg("x", [Panel("y", [Series("z", sorted(points))])]))


@given(st.floats(1e-12, 1e12))
def test_steps_are_round_and_not_far_above(least: float) -> None:
    assert least * 0.999 <= _round_step(least) <= 2.51 * least


def test_known_steps() -> None:
    assert [_round_step(least) for least in (1, 1.1, 2.5, 5.5, 30)] == [1, 2, 5, 10, 50]


def week(text: str, day: date) -> Week:
    profile = parse_profile('name = "p"\ntime_zone = "Europe/Berlin"\n' + text, source="p")
    return week_of(profile, None, day, line=BytesPerSecond(2_500_000))


def test_a_week_tells_rates_stops_boosts_and_changes_of_the_clock() -> None:
    rules = (
        '[[blackout]]\nfrom = "08:00"\nto = "12:00"\n[[limit]]\npercent_of_line = 50\n'
        '[[boost]]\nsince = 2026-03-24T00:00:00\nuntil = 2026-03-25T00:00:00\nrate = "4 Mbit/s"\n'
    )
    picture = ET.fromstring(week_svg(week(rules, date(2026, 3, 23)), "title", "subtitle"))
    words = list(picture.itertext())
    for expected in (
        "title",
        "subtitle",
        "Mon 23 Mar",
        "Sun 29 Mar",
        "24:00",
        "stopped",
        "10 Mbit/s",
        "! 4 Mbit/s",
    ):
        assert expected in words
    assert "skipped by the clock" in words
    assert "Sun 29 Mar 02:00–03:00: skipped (the clocks are put forward)" in words


def test_a_week_without_any_rule() -> None:
    words = list(ET.fromstring(week_svg(week("", date(2026, 6, 1)), "t", "s")).itertext())
    assert words.count("no limit") == 8  # seven days and the legend


def test_a_week_of_many_rates_keeps_its_legend_inside() -> None:
    rules = "".join(
        f'[[window]]\nfrom = "{hour:02}:00"\nto = "{hour + 1:02}:00"\ncap = "{hour + 1}.25 Mbit/s"\n'
        for hour in range(24)
    )
    picture = ET.fromstring(week_svg(week(rules, date(2026, 6, 1)), "t", "s"))
    boxes = [box.attrib for box in picture.iter("{http://www.w3.org/2000/svg}rect") if "x" in box.attrib]
    assert len({box["y"] for box in boxes}) > 7 + 1  # days, and rows of the legend
    assert all(float(box["x"]) + float(box["width"]) <= WIDTH for box in boxes)
