"""Runs as pictures: one with its reasons and figures below it, or many under each other. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor

from bandwidth.pictures.plot import Axis, Box, Chart, Pen, PlotLine, chart, names, names_width
from bandwidth.pictures.svg import CHARACTER_WIDTH, MARGIN_LEFT, MARGIN_RIGHT, PLOT_WIDTH, WIDTH, cut, document, text

PANEL_HEIGHT, PANEL_GAP = 150, 56
BAND_HEIGHT, LEGEND_LINE = 24, 20
FIGURE_LINE = 20
ROW_HEIGHT, ROW_GAP = 92, 58  # of a comparison
COLUMN_GAP = 70
SMALL_CHARACTER_WIDTH = CHARACTER_WIDTH * 11 / 12
LINE_CHARACTERS = int(PLOT_WIDTH / SMALL_CHARACTER_WIDTH)
TITLE_CHARACTERS = int(PLOT_WIDTH / 10)  # of 17 px, bold


@dataclass(frozen=True, slots=True)
class Panel:
    """What is drawn over seconds, with its unit in ``title``. ``highest``: the scale reaches at least to there."""

    title: str
    lines: Sequence[PlotLine]
    highest: float = 0.0

    @property
    def pens(self) -> list[Pen]:
        """Its lines' pens."""
        return [line.pen for line in self.lines]

    @property
    def top(self) -> float:
        """The highest value that has to have room."""
        return max([self.highest, *(value for line in self.lines for _, value in line.points)])


@dataclass(frozen=True, slots=True)
class ShadedStretch:
    """Something that holds from ``start`` to ``end`` (seconds)."""

    start: float
    end: float
    name: str


@dataclass(frozen=True, slots=True)
class Band:
    """What holds when: ``stretches`` in order of time; ``legend`` has each name with its fill and its words."""

    title: str
    stretches: Sequence[ShadedStretch]
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


def time_series_svg(
    title: str, panels: Sequence[Panel], *, subtitle: str = "", band: Band | None = None, figures: Figures | None = None
) -> str:
    """Return ``panels`` below each other over one axis of seconds, then ``band`` and ``figures``."""
    seconds = _seconds(panels, ticks=10)
    body = list(_heading(title, subtitle))
    top = 100.0
    for panel in panels:
        box = Box(MARGIN_LEFT, top, PLOT_WIDTH, PANEL_HEIGHT)
        body += _names(panel, box.right, top - 12)
        body += chart(Chart(panel.title, seconds, Axis.up_to("", panel.top, ticks=4), panel.lines), box)
        top += PANEL_HEIGHT + PANEL_GAP
    if band is not None:
        drawn, top = _band(band, seconds, Box(MARGIN_LEFT, top - 18, PLOT_WIDTH, BAND_HEIGHT))
        body += drawn
    if figures is not None:
        body += _figures(figures, top)
        top += (len(figures.rows) + 1) * FIGURE_LINE + 12
    return document(round(top), title, body)


def comparison_svg(title: str, subtitle: str, rows: Sequence[Row]) -> str:
    """Return small multiples: a row for each run, one scale for each column of panels, and one axis of seconds."""
    seconds = _seconds([panel for row in rows for panel in row.panels], ticks=5)
    columns = max((len(row.panels) for row in rows), default=1)
    width = (PLOT_WIDTH - COLUMN_GAP * (columns - 1)) / columns
    tops = [max((row.panels[n].top for row in rows if n < len(row.panels)), default=0.0) for n in range(columns)]
    body = list(_heading(title, subtitle))
    top = 132.0
    for index, row in enumerate(rows):
        body.append(text(MARGIN_LEFT, top - 10, row.name, "name"))
        room = int((PLOT_WIDTH - (len(row.name) + 2) * CHARACTER_WIDTH) / SMALL_CHARACTER_WIDTH)
        body.append(text(WIDTH - MARGIN_RIGHT, top - 10, cut(row.words, room), "small", anchor="end"))
        for column, panel in enumerate(row.panels):
            box = Box(MARGIN_LEFT + column * (width + COLUMN_GAP), top, width, ROW_HEIGHT)
            if index == 0:
                body += [text(box.left, 84, panel.title, ""), *_names(panel, box.right, 84)]
            body += chart(Chart("", seconds, Axis.up_to("", tops[column], ticks=3), panel.lines), box)
        top += ROW_HEIGHT + ROW_GAP
    return document(round(top - 10), title, body)


def _heading(title: str, subtitle: str) -> Iterator[str]:
    yield text(MARGIN_LEFT, 30, cut(title, TITLE_CHARACTERS), "title")
    if subtitle:
        yield text(MARGIN_LEFT, 51, cut(subtitle, LINE_CHARACTERS), "small")


def _seconds(panels: Sequence[Panel], *, ticks: int) -> Axis:
    times = [seconds for panel in panels for line in panel.lines for seconds, _ in line.points]
    first, last = floor(min(times, default=0.0)), ceil(max(times, default=1.0))  # of whole seconds
    return Axis.over("", float(first), float(max(last, first + 1)), ticks=ticks, unit="s")


def _names(panel: Panel, right: float, y: float) -> Iterator[str]:
    return names(panel.pens, right - names_width(panel.pens), y)


# --- below the charts ------------------------------------------------------------------------


def _band(band: Band, seconds: Axis, box: Box) -> tuple[list[str], float]:
    """Return the drawn band with its legend, and where it ends."""
    fills = {name: fill for name, fill, _ in band.legend}
    drawn = [text(box.left - 8, box.top + 16, band.title, "", anchor="end")]
    for stretch in band.stretches:
        x, end = (box.left + box.width * seconds.place(at) for at in (stretch.start, stretch.end))
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
    first = max((len(row[0]) for row in figures.rows), default=0) * CHARACTER_WIDTH + 30
    width = min(150.0, (PLOT_WIDTH - first) / columns)
    for index, row in enumerate([figures.heading, *figures.rows]):
        y = top + index * FIGURE_LINE
        style = "small" if index == 0 else ""
        yield text(MARGIN_LEFT, y, row[0], style)
        for column, words in enumerate(row[1:], 1):
            yield text(MARGIN_LEFT + first + column * width, y, words, style, anchor="end")
