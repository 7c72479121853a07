"""A picture of rings shows each at its time, and stays inside its sheet whatever names and spans there are."""

import re
import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from bandwidth.pictures.svg import MARGIN_LEFT, PLOT_WIDTH, WIDTH
from p2pdist.shared.manifest.rollout_plan import PlannedRing
from seed_server.fleet.ring_templates import parse_ring_template
from seed_server.fleet.shipped_rings import shipped_rings
from seed_server.web.pages.ring_picture import earliest, ring_words, rings_picture

DAY = 86_400
RECT = "{http://www.w3.org/2000/svg}rect"


def _bars(svg: str) -> list[dict[str, str]]:
    return [one.attrib for one in ET.fromstring(svg).iter(RECT) if "rx" in one.attrib]


def test_each_ring_begins_where_the_one_before_has_soaked() -> None:
    rings = parse_ring_template(shipped_rings("rings"), "rings").rings
    assert earliest(rings) == [0, DAY, 2 * DAY, 3 * DAY, 5 * DAY, 7 * DAY]
    bars = _bars(rings_picture(rings))
    assert len(bars) == 5
    starts = [float(one["x"]) for one in bars]
    assert starts[0] == MARGIN_LEFT
    assert starts == sorted(starts)
    assert abs(starts[1] - (MARGIN_LEFT + PLOT_WIDTH / 7)) < 0.2


def test_words_say_of_whom_and_whether_somebody_approves() -> None:
    test, first, *_ = parse_ring_template(shipped_rings("emergency"), "emergency").rings
    assert ring_words(test) == "100 % of those named"
    assert ring_words(first) == "5 % of all PCs, after approval"


def test_hours_where_it_is_over_soon_and_days_where_it_is_not() -> None:
    emergency = parse_ring_template(shipped_rings("emergency"), "emergency").rings
    assert "hours since it began" in rings_picture(emergency)
    assert "days since it began" in rings_picture(parse_ring_template(shipped_rings("rings"), "rings").rings)


RINGS = st.lists(
    st.builds(
        PlannedRing,
        name=st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Cf")), min_size=1, max_size=40),
        who=st.sampled_from(["", '"<x>" in tags']),
        share=st.integers(1, 10_000),
        soak_seconds=st.integers(0, 365 * DAY),
        approval=st.booleans(),
    ),
    min_size=1,
    max_size=10,
)


@given(RINGS)
def test_any_rings_make_a_picture_that_stays_inside(rings: list[PlannedRing]) -> None:
    svg = rings_picture(rings)
    ET.fromstring(svg)
    for bar in _bars(svg):
        assert MARGIN_LEFT <= float(bar["x"]) <= MARGIN_LEFT + PLOT_WIDTH
        assert float(bar["x"]) + float(bar["width"]) <= WIDTH
    assert "<x>" not in svg
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", svg)
