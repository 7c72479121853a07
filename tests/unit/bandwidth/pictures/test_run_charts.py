"""`bandwidth.pictures.run_charts`: what stands in a picture of one run, and of many."""

from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from bandwidth.pictures.plot import Pen, PlotLine
from bandwidth.pictures.run_charts import Band, Figures, Panel, Row, ShadedStretch, comparison_svg, time_series_svg
from bandwidth.pictures.svg import WIDTH

SVG = "{http://www.w3.org/2000/svg}"
NUMBERS = st.floats(0, 1e9, allow_subnormal=False)


def test_a_time_series_has_its_titles_series_and_scales() -> None:
    panels = [
        Panel(
            "rate, Mbit/s",
            [
                PlotLine(Pen("patches", "#0b5cad"), [(0, 0), (30, 18)]),
                PlotLine(Pen("business & co", "#0b5cad"), [(0, 20), (30, 2)]),
            ],
        ),
        Panel("queue, ms", []),
    ]
    words = list(ET.fromstring(time_series_svg("What <would> happen", panels)).itertext())
    for expected in ("What <would> happen", "rate, Mbit/s", "business & co", "20", "30 s", "queue, ms"):
        assert expected in words


@given(st.lists(st.tuples(NUMBERS, NUMBERS)))
def test_any_points_make_a_picture(points: list[tuple[float, float]]) -> None:
    ET.fromstring(time_series_svg("x", [Panel("y", [PlotLine(Pen("z", "#0b5cad"), sorted(points))])]))


def test_reasons_and_figures_stand_below_the_charts() -> None:
    names = [f"reason {number} of those that are possible" for number in range(9)]
    band = Band(
        "why", [ShadedStretch(i, i + 1, name) for i, name in enumerate(names)], [(n, "#123456", n) for n in names]
    )
    figures = Figures(("", "alone", "together"), [("pages, s", "1.00", "1.03")])
    panel = Panel("rate", [PlotLine(Pen("patches", "#0b5cad"), [(0.5, 1), (8.5, 2)])])
    picture = ET.fromstring(time_series_svg("t" * 300, [panel], subtitle="s" * 300, band=band, figures=figures))
    words = list(picture.itertext())
    for expected in ("why", names[8], f"8–9 s: {names[8]}", "pages, s", "1.03", "0 s", "9 s"):
        assert expected in words
    height = float(picture.attrib["height"])
    assert all(float(text.attrib["y"]) < height for text in picture.iter(f"{SVG}text"))
    boxes = [box.attrib for box in picture.iter(f"{SVG}rect") if "x" in box.attrib]
    assert all(float(box["x"]) + float(box["width"]) <= WIDTH for box in boxes)


def test_a_comparison_has_one_scale_for_all_rows() -> None:
    rows = [
        Row(
            name,
            f"{name} in words",
            [Panel("rate", [PlotLine(Pen("patches", "#0b5cad"), [(0.5, top), (9.5, 0)])]), Panel("queue", [])],
        )
        for name, top in (("ours", 4), ("theirs", 19))
    ]
    words = list(ET.fromstring(comparison_svg("title", "subtitle", rows)).itertext())
    for expected in ("ours", "theirs", "ours in words", "rate", "queue", "patches", "10 s"):
        assert expected in words
    assert words.count("20") == 2


def test_a_comparison_of_nothing() -> None:
    ET.fromstring(comparison_svg("title", "subtitle", []))
