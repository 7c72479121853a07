"""Time series as pictures: one run with the reasons and figures below it, or many runs under each other. Pure.

Series differ by colour (after Okabe and Ito) and by their dashes, so they hold up in greyscale.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from bandwidth.pictures.svg import CHARACTER_WIDTH, MARGIN_LEFT, MARGIN_RIGHT, PLOT_WIDTH, WIDTH, cut, document, text

COLOURS = ("#0b5cad", "#d55e00", "#52606d", "#009e73", "#cc79a7", "#7a5c00")
DASHES = ("", "", "5 3", "1.5 2.5", "8 2 2 2", "3 3")
PANEL_HEIGHT, PANEL_GAP = 150, 56
BAND_HEIGHT, LEGEND_LINE = 24, 20
FIGURE_LINE = 20
ROW_HEIGHT, ROW_GAP = 92, 58  # of a comparison
COLUMN_GAP = 70
OVER_THE_TOP = 0.02  # a line may rise above its scale by so much: 20.01 needs no scale to 30
SMALL_CHARACTER_WIDTH = CHARACTER_WIDTH * 11 / 12
LINE_CHARACTERS = int(PLOT_WIDTH / SMALL_CHARACTER_WIDTH)
TITLE_CHARACTERS = int(PLOT_WIDTH / 10)  # of 17 px, bold


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a panel: ``points`` are (seconds, value), in order of time. ``style`` chooses colour and dashes."""

    name: str
    points: Sequence[tuple[float, float]]
    style: int = 0


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart, with its unit in ``title``. ``highest``: the scale reaches at least to there."""

    title: str
    series: Sequence[Series]
    highest: float = 0.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Something that holds from ``start`` to ``end`` (seconds)."""

    start: float
    end: float
    name: str


@dataclass(frozen=True, slots=True)
class Band:
    """What holds when: ``stretches`` in order of time; ``legend`` has each name with its fill and its words."""

    title: str
    stretches: Sequence[Stretch]
    legend: Sequence[tuple[str, str, str]]


@dataclass(frozen=True, slots=True)
class Figures:
    """A small table: the first column has names, the others numbers."""

    heading: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Row:
    """One run of a comparison: its name, its figures in a line of words, and its panels from left to right."""

    name: str
    words: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class _Box:
    left: float
    top: float
    width: float
    height: float
    first: float  # second at the left edge
    last: float

    @property
    def right(self) -> float:
        return self.left + self.width

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def x(self, seconds: float) -> float:
        return self.left + self.width * (seconds - self.first) / ((self.last - self.first) or 1.0)


def time_series_svg(
    title: str, panels: Sequence[Panel], *, subtitle: str = "", band: Band | None = None, figures: Figures | None = None
) -> str:
    """Return ``panels`` below each other over one axis of seconds, then ``band`` and ``figures``."""
    first, last = _span(panels)
    body = list(_heading(title, subtitle))
    top = 100.0
    for panel in panels:
        box = _Box(MARGIN_LEFT, top, PLOT_WIDTH, PANEL_HEIGHT, first, last)
        body += [text(MARGIN_LEFT, top - 12, panel.title, ""), *_names(panel.series, box.right, top - 12)]
        body += _chart(panel, box, _scale(panel, lines=4), "s")
        top += PANEL_HEIGHT + PANEL_GAP
    if band is not None:
        drawn, top = _band(band, _Box(MARGIN_LEFT, top - 18, PLOT_WIDTH, BAND_HEIGHT, first, last))
        body += drawn
    if figures is not None:
        body += _figures(figures, top)
        top += (len(figures.rows) + 1) * FIGURE_LINE + 12
    return document(round(top), title, body)


def comparison_svg(title: str, subtitle: str, rows: Sequence[Row]) -> str:
    """Return small multiples: a row for each run, one scale for each column of panels, and one axis of seconds."""
    first, last = _span([panel for row in rows for panel in row.panels])
    columns = max((len(row.panels) for row in rows), default=1)
    width = (PLOT_WIDTH - COLUMN_GAP * (columns - 1)) / columns
    scales = [
        max((_scale(row.panels[column], lines=3) for row in rows if column < len(row.panels)), default=(1.0, 1.0))
        for column in range(columns)
    ]
    body = list(_heading(title, subtitle))
    top = 132.0
    for index, row in enumerate(rows):
        body.append(text(MARGIN_LEFT, top - 10, row.name, "name"))
        room = int((PLOT_WIDTH - (len(row.name) + 2) * CHARACTER_WIDTH) / SMALL_CHARACTER_WIDTH)
        body.append(text(WIDTH - MARGIN_RIGHT, top - 10, cut(row.words, room), "small", anchor="end"))
        for column, panel in enumerate(row.panels):
            left = MARGIN_LEFT + column * (width + COLUMN_GAP)
            box = _Box(left, top, width, ROW_HEIGHT, first, last)
            if index == 0:
                body += [text(left, 84, panel.title, ""), *_names(panel.series, box.right, 84)]
            body += _chart(panel, box, scales[column], "s")
        top += ROW_HEIGHT + ROW_GAP
    return document(round(top - 10), title, body)


def _heading(title: str, subtitle: str) -> Iterator[str]:
    yield text(MARGIN_LEFT, 30, cut(title, TITLE_CHARACTERS), "title")
    if subtitle:
        yield text(MARGIN_LEFT, 51, cut(subtitle, LINE_CHARACTERS), "small")


def _span(panels: Sequence[Panel]) -> tuple[float, float]:
    times = [seconds for panel in panels for series in panel.series for seconds, _ in series.points]
    return float(floor(min(times, default=0.0))), float(ceil(max(times, default=1.0)))  # of whole seconds


# --- one chart -------------------------------------------------------------------------------


def _scale(panel: Panel, *, lines: int) -> tuple[float, float]:
    """Return the highest value of the axis and the step of its grid."""
    values = [value for series in panel.series for _, value in series.points]
    highest = max(panel.highest, *values) if values else panel.highest
    step = _round_step((highest or 1.0) / lines)
    return step * ceil((highest or 1.0) / step * (1 - OVER_THE_TOP)), step


def _names(series: Sequence[Series], right: float, y: float) -> Iterator[str]:
    """Draw the names of the series beside their colours, from the right."""
    for line in reversed(series):
        right -= len(line.name) * CHARACTER_WIDTH + 36
        yield f'<line class="line" x1="{right:.1f}" y1="{y - 4}" x2="{right + 20:.1f}" y2="{y - 4}" {_pen(line)}/>'
        yield text(right + 25, y, line.name, "")


def _chart(panel: Panel, box: _Box, scale: tuple[float, float], unit: str) -> Iterator[str]:
    ceiling, step = scale
    for number in range(round(ceiling / step) + 1):
        y = box.bottom - box.height * number * step / ceiling
        yield f'<line class="grid" x1="{box.left:.1f}" y1="{y:.1f}" x2="{box.right:.1f}" y2="{y:.1f}"/>'
        yield text(box.left - 8, y + 4, f"{number * step:g}", "small", anchor="end")
    yield from _ticks(box, unit)
    for series in panel.series:
        path = " ".join(
            f"{box.x(seconds):.1f},{box.bottom - box.height * max(0.0, value) / ceiling:.1f}"
            for seconds, value in series.points
        )
        yield f'<polyline class="line" {_pen(series)} points="{path}"/>'


def _ticks(box: _Box, unit: str) -> Iterator[str]:
    span = (box.last - box.first) or 1.0
    tick = _round_step(span / (10 if box.width > WIDTH / 2 else 5))
    for number in range(ceil(box.first / tick), floor((box.first + span) / tick) + 1):
        x = box.x(number * tick)
        yield f'<line class="axis" x1="{x:.1f}" y1="{box.bottom}" x2="{x:.1f}" y2="{box.bottom + 4}"/>'
        yield text(x, box.bottom + 17, f"{number * tick:g} {unit}", "small", anchor="middle")
    yield f'<line class="axis" x1="{box.left:.1f}" y1="{box.bottom}" x2="{box.right:.1f}" y2="{box.bottom}"/>'


def _pen(series: Series) -> str:
    dashes = DASHES[series.style % len(DASHES)]
    return f'stroke="{COLOURS[series.style % len(COLOURS)]}"' + (f' stroke-dasharray="{dashes}"' if dashes else "")


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 × a power of ten that is at least ``least`` (> 0)."""
    power = 10.0 ** floor(log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


# --- below the charts ------------------------------------------------------------------------


def _band(band: Band, box: _Box) -> tuple[list[str], float]:
    """Return the drawn band with its legend, and where it ends."""
    fills = {name: fill for name, fill, _ in band.legend}
    drawn = [text(box.left - 8, box.top + 16, band.title, "", anchor="end")]
    for stretch in band.stretches:
        x, end = box.x(max(box.first, stretch.start)), box.x(min(box.last, stretch.end))
        told = f"{stretch.start:g}–{stretch.end:g} s: {stretch.name}"
        place = f'x="{x:.1f}" y="{box.top:.1f}" width="{max(0.0, end - x):.1f}" height="{box.height}"'
        drawn.append(f'<rect {place} fill="{fills[stretch.name]}"><title>{escape(told)}</title></rect>')
    edge = f'x="{box.left}" y="{box.top:.1f}" width="{box.width}" height="{box.height}"'
    drawn.append(f'<rect {edge} fill="none" stroke="#9aa5b1"/>')
    x, y = box.left, box.bottom + 10
    for _, fill, words in band.legend:
        width = 22 + len(words) * CHARACTER_WIDTH
        if x + width > box.right and x > box.left:
            x, y = box.left, y + LEGEND_LINE
        drawn.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="14" height="14" fill="{fill}" stroke="#7b8794"/>')
        drawn.append(text(x + 20, y + 11.5, words, ""))
        x += width + 22
    return drawn, y + LEGEND_LINE + 26


def _figures(figures: Figures, top: float) -> Iterator[str]:
    columns = max(1, len(figures.heading) - 1)
    names = max((len(row[0]) for row in figures.rows), default=0) * CHARACTER_WIDTH + 30
    width = min(150.0, (PLOT_WIDTH - names) / columns)
    for index, row in enumerate([figures.heading, *figures.rows]):
        y = top + index * FIGURE_LINE
        style = "small" if index == 0 else ""
        yield text(MARGIN_LEFT, y, row[0], style)
        for column, words in enumerate(row[1:], 1):
            yield text(MARGIN_LEFT + names + column * width, y, words, style, anchor="end")
