"""The rings of a template as a picture: when each opens at the earliest, how long it soaks, what it waits for. Pure.

Words come in the language of the screens.
"""

from collections.abc import Iterator, Sequence
from html import escape

from bandwidth.core.quantities import DAY_SECONDS
from bandwidth.pictures.plot import Axis
from bandwidth.pictures.svg import MARGIN_LEFT, PLOT_WIDTH, cut, document, text, width_of
from p2pdist.shared.language import span, tr
from p2pdist.shared.manifest.rollout_plan import WHOLE, PlannedRing
from p2pdist.shared.printable_text import printable

TOP, ROW_HEIGHT, ROW_GAP, FOOT = 66, 30, 8, 44
SECONDS_OF_HOUR = 3_600.0
LONGEST_IN_HOURS = 3 * DAY_SECONDS  # shorter in all: the axis has hours
LEAST_BAR = 3.0  # pixels: a ring that does not soak is seen too
NAME_CHARS = 14
LIGHT, DARK = (173, 205, 226), (8, 64, 129)
WHITE_FROM = 0.45  # of the way from light to dark: letters keep a contrast of 4.5
GAP = 8.0


def earliest(rings: Sequence[PlannedRing]) -> list[float]:
    """Return in how many seconds each ring opens at the earliest, and at last when the last one has soaked."""
    moments = [0.0]
    for ring in rings:
        moments.append(moments[-1] + ring.soak_seconds)
    return moments


def share_words(ring: PlannedRing) -> str:
    """Return in a few words who is in a ring."""
    share = f"{ring.share * 100 / WHOLE:g} %"
    return tr("{share} of those named", share=share) if ring.who else tr("{share} of all PCs", share=share)


def ring_words(ring: PlannedRing) -> str:
    """Return in a few words who is in a ring, and whether somebody has to approve it."""
    whose = share_words(ring)
    return tr("{who}, after approval", who=whose) if ring.approval else whose


def rings_picture(rings: Sequence[PlannedRing]) -> str:
    """Return the picture as SVG; ``rings``: at least one."""
    moments = earliest(rings)
    in_hours = moments[-1] < LONGEST_IN_HOURS
    unit = SECONDS_OF_HOUR if in_hours else float(DAY_SECONDS)
    label = tr("hours since it began, at the earliest") if in_hours else tr("days since it began, at the earliest")
    axis = Axis.over(label, 0.0, max(moments[-1] / unit, 1.0), ticks=8)
    bottom = TOP + len(rings) * (ROW_HEIGHT + ROW_GAP)
    title = tr("Rings")
    body = [text(MARGIN_LEFT, 30, title, "title"), *_axis(axis, bottom)]
    for place, ring in enumerate(rings):
        start, end = moments[place] / unit, moments[place + 1] / unit
        body += _ring(ring, TOP + place * (ROW_HEIGHT + ROW_GAP), axis, start, end)
    return document(bottom + FOOT, title, body)


def _axis(axis: Axis, bottom: float) -> Iterator[str]:
    for value, words in axis.ticks():
        x = _x(axis, value)
        yield f'<line class="grid" x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}"/>'
        yield text(x, bottom + 14, words, "small", anchor="middle")
    yield text(MARGIN_LEFT + PLOT_WIDTH / 2, bottom + 32, axis.label, "small", anchor="middle")


def _ring(ring: PlannedRing, y: float, axis: Axis, start: float, end: float) -> Iterator[str]:
    left, middle = _x(axis, start), y + ROW_HEIGHT / 2 + 4
    width = max(LEAST_BAR, _x(axis, end) - left)
    depth = 0.0 if ring.who else ring.share / WHOLE
    name, words = printable(ring.name), ring_words(ring)
    told = f"{name}: {words}; {span(ring.soak_seconds)}"
    yield text(MARGIN_LEFT - 10, middle, cut(name, NAME_CHARS), "name", anchor="end")
    box = f'x="{left:.1f}" y="{y:.1f}" width="{width:.1f}" height="{ROW_HEIGHT}" rx="3"'
    yield f'<rect {box} fill="{_fill(depth)}"><title>{escape(told)}</title></rect>'
    if ring.approval:
        x, above, below = f"{left:.1f}", f"{y - 4:.1f}", f"{y + ROW_HEIGHT + 4:.1f}"
        yield f'<line x1="{x}" y1="{above}" x2="{x}" y2="{below}" stroke="#8a5a00" stroke-width="3"/>'
    room = width_of(words)
    if room + 2 * GAP < width:
        yield text(left + GAP, middle, words, "", fill="#ffffff" if depth >= WHITE_FROM else "#1f2933")
    elif left + width + GAP + room < MARGIN_LEFT + PLOT_WIDTH:
        yield text(left + width + GAP, middle, words, "")
    else:
        yield text(left - GAP, middle, words, "", anchor="end")


def _x(axis: Axis, value: float) -> float:
    return MARGIN_LEFT + axis.place(value) * PLOT_WIDTH


def _fill(depth: float) -> str:
    red, green, blue = (round(light + (dark - light) * depth) for light, dark in zip(LIGHT, DARK, strict=True))
    return f"#{red:02x}{green:02x}{blue:02x}"
