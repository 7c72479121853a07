"""`bandwidth.pictures.plot`: round scales, and what is drawn over them."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bandwidth.pictures.plot import Axis, Box, Chart, Dot, Pen, PlotLine, chart, names, names_width, round_step
from bandwidth.pictures.svg import document

BLUE, DASHED = Pen("blue", "#0b5cad"), Pen("dashed & grey", "#52606d", "5 3")
BOX = Box(100, 50, 400, 100)


def drawn(what: Chart) -> ET.Element:
    return ET.fromstring(document(300, "x", list(chart(what, BOX))))


@given(st.floats(1e-12, 1e12))
def test_steps_are_round_and_not_far_above(least: float) -> None:
    assert least * 0.999 <= round_step(least) <= 2.51 * least


def test_known_steps() -> None:
    assert [round_step(least) for least in (1, 1.1, 2.5, 5.5, 30)] == [1, 2, 5, 10, 50]


@pytest.mark.parametrize(("highest", "top"), [(20.02, 20), (20.5, 30), (0, 1), (0.56, 0.6), (249, 300)])
def test_a_scale_ends_above_what_is_drawn_or_hardly_below(highest: float, top: float) -> None:
    assert Axis.up_to("x", highest, ticks=4).high == pytest.approx(top)


def test_an_axis_has_round_numbers_in_its_unit() -> None:
    assert Axis.over("x", -3.0, 103.0).ticks() == [(0.0, "0"), (50.0, "50"), (100.0, "100")]
    assert Axis.over("", 2.0, 40.0, unit="s").ticks() == [(k, f"{k:g} s") for k in (10.0, 20.0, 30.0, 40.0)]


def test_what_is_outside_is_put_on_the_edge() -> None:
    axis = Axis.over("x", 10.0, 20.0)
    assert [axis.place(value) for value in (5, 10, 15, 20, 99)] == [0.0, 0.0, 0.5, 1.0, 1.0]
    assert Axis.over("x", 1.0, 1.0).place(1.0) == 0.0


def test_a_chart_has_its_titles_lines_and_points() -> None:
    x, y = Axis.over("time", 0.0, 10.0, unit="s"), Axis.up_to("ms", 40.0, ticks=4)
    picture = drawn(
        Chart("queue", x, y, [PlotLine(DASHED, [(0, 0), (10, 40)])], [Dot(BLUE, 5.0, 20.0, (4.0, 6.0), (10.0, 30.0))])
    )
    words = list(picture.itertext())
    for expected in ("queue", "time", "ms", "0 s", "10 s", "40", "dashed & grey", "blue: time 5, ms 20"):
        assert expected in words
    (line,) = picture.iter("{http://www.w3.org/2000/svg}polyline")
    assert line.attrib["points"] == "100.0,150.0 500.0,50.0"
    assert line.attrib["stroke-dasharray"] == "5 3"
    (point,) = [each for each in picture.iter("{http://www.w3.org/2000/svg}circle") if each.attrib["r"] == "5"]
    assert (point.attrib["cx"], point.attrib["cy"]) == ("300.0", "100.0")


def test_names_are_as_wide_as_told() -> None:
    pens = [BLUE, DASHED]
    body = list(names(pens, 100.0, 20.0))
    end = ET.fromstring(document(50, "x", body))
    last = list(end.iter("{http://www.w3.org/2000/svg}text"))[-1]
    assert last.text == "dashed & grey"
    assert 100.0 + names_width(pens) > float(last.attrib["x"]) + 5 * len(last.text)


def test_names_in_wide_letters_have_their_room() -> None:
    plain, wide = names_width([Pen("abcd", "#000000")]), names_width([Pen("期限遵守", "#000000")])
    assert wide - plain == pytest.approx(4 * (12 - 6.8))
