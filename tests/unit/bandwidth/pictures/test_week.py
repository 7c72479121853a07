from datetime import UTC, date, datetime
from xml.etree import ElementTree as ET

import pytest

from bandwidth.core.units import BytesPerSecond
from bandwidth.pictures.svg import WIDTH
from bandwidth.pictures.week import WeekWords, week_svg
from bandwidth.profiles.parse import parse_profile
from bandwidth.profiles.week import Week, week_of


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


def test_a_week_in_another_language() -> None:
    said = {"stopped": "停止", "no limit": "上限なし", "blackout 'blackout 1'": "停止時間帯「blackout 1」"}
    words = WeekWords(lambda english: said.get(english, english), lambda day: f"{day.month}月{day.day}日")
    rules = '[[blackout]]\nfrom = "08:00"\nto = "12:00"\n'
    shown = list(ET.fromstring(week_svg(week(rules, date(2026, 6, 1)), "t", "s", words)).itertext())
    assert "6月7日" in shown
    assert shown.count("停止") == 8
    assert "6月7日 08:00–12:00: 停止 (停止時間帯「blackout 1」)" in shown
    assert not any("stopped" in one or "Jun" in one for one in shown)


@pytest.mark.parametrize(("day", "marks"), [(7, 1), (8, 0)])
def test_a_moment_is_marked_where_the_week_has_it(day: int, marks: int) -> None:
    now = datetime(2026, 6, day, 23, 59, tzinfo=UTC)
    picture = ET.fromstring(week_svg(week("", date(2026, 6, 1)), "t", "s", now=now))
    dots = picture.findall(".//{http://www.w3.org/2000/svg}circle[{http://www.w3.org/2000/svg}title]")
    assert ["".join(dot.itertext()) for dot in dots] == ["now 23:59"] * marks


@pytest.mark.uncounted
@pytest.mark.parametrize("width", [WIDTH, 560, 400])
def test_a_week_of_many_rates_keeps_its_legend_inside(width: int) -> None:
    rules = "".join(
        f'[[window]]\nfrom = "{hour:02}:00"\nto = "{hour + 1:02}:00"\ncap = "{hour + 1}.25 Mbit/s"\n'
        for hour in range(24)
    )
    picture = ET.fromstring(week_svg(week(rules, date(2026, 6, 1)), "t", "s", width=width))
    assert picture.attrib["width"] == str(width)
    boxes = [box.attrib for box in picture.iter("{http://www.w3.org/2000/svg}rect") if "x" in box.attrib]
    assert len({box["y"] for box in boxes}) > 7 + 1  # days, and rows of the legend
    assert all(float(box["x"]) + float(box["width"]) <= width for box in boxes)
