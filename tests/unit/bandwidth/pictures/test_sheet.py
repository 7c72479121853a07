"""`bandwidth.pictures.sheet`: charts and heat maps side by side."""

from xml.etree import ElementTree as ET

from bandwidth.pictures.plot import Axis, Chart, Pen, PlotLine
from bandwidth.pictures.sheet import BEST_COLOUR, WORST_COLOUR, HeatMap, sheet
from bandwidth.pictures.svg import WIDTH

SVG = "{http://www.w3.org/2000/svg}"
PEN = Pen("ours", "#0b5cad")


def test_charts_stand_in_rows_under_one_legend() -> None:
    charts = [
        Chart(name, Axis.over("", 0, 10, unit="s"), Axis.up_to("ms", 40, ticks=4), [PlotLine(PEN, [(0, 1), (9, 40)])])
        for name in ("first", "second", "third")
    ]
    picture = ET.fromstring(sheet("title", "subtitle", charts, [PEN], columns=2, height=100))
    texts = {each.text: each.attrib for each in picture.iter(f"{SVG}text")}
    assert {"title", "subtitle", "ours", "ms", "10 s"} <= set(texts)
    assert texts["first"]["y"] == texts["second"]["y"] < texts["third"]["y"]
    assert texts["first"]["x"] == texts["third"]["x"] < texts["second"]["x"]
    assert all(float(each["y"]) < float(picture.attrib["height"]) for each in texts.values())
    assert all(float(each["x"]) <= WIDTH for each in texts.values())


def test_a_heat_map_goes_from_worst_to_best_and_says_what_was_not_measured() -> None:
    heat = HeatMap("kept", ["10 ms", "60 ms", "250 ms"], ["fifo"], [[(0.0, "0 %"), (1.0, "100 %"), None]])
    picture = ET.fromstring(sheet("title", "subtitle", [heat], (), columns=1, height=40))
    assert {"kept", "10 ms", "fifo", "0 %", "100 %", "–"} <= set(picture.itertext())
    fills = [box.attrib["fill"] for box in picture.iter(f"{SVG}rect") if box.attrib.get("stroke") == "#ffffff"]
    assert fills == ["#{:02x}{:02x}{:02x}".format(*colour) for colour in (WORST_COLOUR, BEST_COLOUR)] + ["#ffffff"]
