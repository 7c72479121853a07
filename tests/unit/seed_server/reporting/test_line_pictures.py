"""`seed_server.reporting.line_pictures`: what a line did, drawn."""

from xml.etree import ElementTree as ET

import pytest

from bandwidth.core.states import Reason
from seed_server.reporting.line_history import LineHistory, points_of
from seed_server.reporting.line_pictures import MOST_TICKS, TimeAxis, line_picture
from seed_server.store.minute_rows import LineSlot, WatchedSlot

DAY = 1_800_230_400.0  # a midnight
SLOT = int(DAY // 600)
HOSTILE = '<script>alert("1")</script>&'


def history(rows: list[LineSlot], site: str = "osaka", *, watched: int = 144) -> LineHistory:
    looks = [WatchedSlot(SLOT + place, 1, 600.0) for place in range(watched)]
    points = points_of(site, rows, looks, DAY, DAY + 143 * 600, 600)
    return LineHistory(site, DAY + 86_399, 24, 600, points, 1_250_000)


def drawn(svg: str) -> list[str]:
    """Return the names of the lines in a picture: it is a whole document."""
    return [node.text or "" for node in ET.fromstring(svg).iter() if node.tag.endswith("title")]


def test_ours_others_and_the_limit_are_lines_of_one_chart() -> None:
    busy = LineSlot(
        "osaka", SLOT + 5, active=300.0, sent=60_000_000, allowed=3e8, cause=Reason.CEILING.value, cause_seconds=9.0,
        business=5_000_000, business_seconds=100.0,
    )  # fmt: skip
    svg = line_picture(history([busy]))
    assert drawn(svg)[1:] == ["ours", "business, as PCs saw it", "limit", "the line"]
    assert "did not run" not in svg
    assert len(svg) < 7_000


def test_waits_and_harm_are_charts_where_there_are_any() -> None:
    svg = line_picture(history([LineSlot("osaka", SLOT, active=9.0, sent=5, harm_seconds=4.0, queue=0.02)]))
    assert {"queue", "harm"} <= set(drawn(svg))


def test_what_is_not_known_is_a_gap() -> None:
    svg = line_picture(history([LineSlot("osaka", SLOT + 140, sent=600_000)], watched=20))
    assert drawn(svg).count("ours") == 2
    assert "did not run" in svg


def test_nothing_at_all_is_a_picture_too() -> None:
    assert drawn(line_picture(history([], watched=0)))


def test_a_site_s_name_is_text() -> None:
    assert "<script" not in line_picture(history([], HOSTILE))


def corners(svg: str) -> list[int]:
    return [len(node.attrib["points"].split()) for node in ET.fromstring(svg).iter() if "points" in node.attrib]


def test_what_stays_the_same_is_drawn_by_its_ends() -> None:
    rows = [LineSlot("osaka", SLOT + place, active=600.0, sent=6_000_000, allowed=6e8) for place in range(144)]
    assert corners(line_picture(history(rows))) == [2, 2, 2]
    rows[70] = LineSlot("osaka", SLOT + 70, active=600.0, sent=9_000_000, allowed=6e8)
    assert corners(line_picture(history(rows))) == [5, 2, 2]


def test_the_busiest_picture_is_small() -> None:
    """Every step has another value in every line."""
    rows = [
        LineSlot(
            "osaka", SLOT + place, active=600.0, sent=60_000_000 + 99_991 * place, allowed=6e8 + 7e5 * place,
            cause=Reason.QUEUE.value, cause_seconds=600.0, business=place * 777_777, business_seconds=600.0,
            harm_seconds=float(place % 7), queue=0.001 * (place % 13),
        )
        for place in range(144)
    ]  # fmt: skip
    assert len(line_picture(history(rows))) < 19_000


@pytest.mark.parametrize("hours", [1, 24, 7 * 24, 90 * 24])
def test_an_axis_of_time_has_few_words(hours: int) -> None:
    axis = TimeAxis.between(DAY, DAY + hours * 3_600)
    assert 2 <= len(axis.ticks()) <= MOST_TICKS + 1
    assert all("-" in words for at, words in axis.ticks() if at % 86_400 == 0)
