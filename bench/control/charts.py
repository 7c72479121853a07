"""Small charts side by side as SVG: lines, points with their intervals, and heat maps. Standard library only."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from bandwidth.pictures.svg import CHARACTER_WIDTH, MARGIN_LEFT, PLOT_WIDTH, document, text

COLUMN_GAP, ROW_GAP = 76, 84
CHART_TOP = 118
TICKS = 5
LEGEND_TOP, LEGEND_LINE = 58, 20
WORST_COLOUR, BEST_COLOUR = (165, 42, 24), (236, 244, 240)
WHITE_TEXT_BELOW = 0.5  # of the way from worst to best


@dataclass(frozen=True, slots=True)
class Pen:
    """How a series is drawn, the same in every chart of a picture; told apart without colour by dashes."""

    name: str
    colour: str
    dashes: str = ""
    width: float = 1.6


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear scale with its unit in ``label``."""

    label: str
    low: float
    high: float

    def place(self, value: float) -> float:
        """Return 0 to 1 from low to high; what is outside is put on the edge."""
        span = (self.high - self.low) or 1.0
        return min(1.0, max(0.0, (value - self.low) / span))

    def ticks(self) -> list[float]:
        """Return round numbers between low and high."""
        step = round_step(((self.high - self.low) or 1.0) / TICKS)
        return [number * step for number in range(ceil(self.low / step), floor(self.high / step * (1 + 1e-9)) + 1)]


@dataclass(frozen=True, slots=True)
class Line:
    """Points from left to right, joined."""

    pen: Pen
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Dot:
    """One point; the intervals are drawn through it."""

    pen: Pen
    x: float
    y: float
    x_interval: tuple[float, float]
    y_interval: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Chart:
    """One of the charts of a sheet."""

    title: str
    x: Axis
    y: Axis
    lines: Sequence[Line] = ()
    dots: Sequence[Dot] = ()


@dataclass(frozen=True, slots=True)
class HeatMap:
    """One of the maps of a sheet: ``values`` are rows of (0 worst to 1 best, words); None: not measured."""

    title: str
    columns: Sequence[str]
    rows: Sequence[str]
    values: Sequence[Sequence[tuple[float, str] | None]]


@dataclass(frozen=True, slots=True)
class _Box:
    left: float
    top: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def at(self, chart: Chart, x: float, y: float) -> tuple[float, float]:
        return self.left + self.width * chart.x.place(x), self.bottom - self.height * chart.y.place(y)


def sheet(
    title: str, subtitle: str, charts: Sequence[Chart | HeatMap], pens: Sequence[Pen], *, columns: int, height: float
) -> str:
    """Return ``charts`` in rows of ``columns``, each ``height`` px, under one legend of ``pens``."""
    body = [text(MARGIN_LEFT, 30, title, "title"), text(MARGIN_LEFT, 49, subtitle, "small"), *_legend(pens)]
    width = (PLOT_WIDTH - (columns - 1) * COLUMN_GAP) / columns
    for number, chart in enumerate(charts):
        row, column = divmod(number, columns)
        box = _Box(MARGIN_LEFT + column * (width + COLUMN_GAP), CHART_TOP + row * (height + ROW_GAP), width, height)
        body += _chart(chart, box) if isinstance(chart, Chart) else _heat_map(chart, box)
    rows = -(-len(charts) // columns)
    return document(round(CHART_TOP + rows * (height + ROW_GAP) - 20), title, body)


def round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 × a power of ten that is at least ``least`` (> 0)."""
    power = 10.0 ** floor(log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _legend(pens: Sequence[Pen]) -> Iterator[str]:
    x = float(MARGIN_LEFT)
    for pen in pens:
        yield f'<line x1="{x:.1f}" y1="{LEGEND_TOP + 12}" x2="{x + 22:.1f}" y2="{LEGEND_TOP + 12}" {_stroke(pen)}/>'
        yield text(x + 27, LEGEND_TOP + 16, pen.name, "")
        x += 27 + len(pen.name) * CHARACTER_WIDTH + 18


def _stroke(pen: Pen) -> str:
    dashes = f' stroke-dasharray="{pen.dashes}"' if pen.dashes else ""
    return f'fill="none" stroke="{pen.colour}" stroke-width="{pen.width}"{dashes}'


def _chart(chart: Chart, box: _Box) -> Iterator[str]:
    yield text(box.left, box.top - 9, chart.title, "")
    for tick in chart.y.ticks():
        _, y = box.at(chart, chart.x.low, tick)
        yield f'<line class="grid" x1="{box.left:.1f}" y1="{y:.1f}" x2="{box.left + box.width:.1f}" y2="{y:.1f}"/>'
        yield text(box.left - 7, y + 4, f"{tick:g}", "small", anchor="end")
    for tick in chart.x.ticks():
        x, _ = box.at(chart, tick, chart.y.low)
        yield f'<line class="axis" x1="{x:.1f}" y1="{box.bottom:.1f}" x2="{x:.1f}" y2="{box.bottom + 4:.1f}"/>'
        yield text(x, box.bottom + 16, f"{tick:g}", "small", anchor="middle")
    right = box.left + box.width
    yield f'<line class="axis" x1="{box.left:.1f}" y1="{box.bottom:.1f}" x2="{right:.1f}" y2="{box.bottom:.1f}"/>'
    yield text(right, box.bottom + 31, chart.x.label, "small", anchor="end")
    yield text(right, box.top - 9, chart.y.label, "small", anchor="end")
    for line in chart.lines:
        points = " ".join("{:.1f},{:.1f}".format(*box.at(chart, x, y)) for x, y in line.points)
        yield f'<polyline {_stroke(line.pen)} points="{points}"><title>{escape(line.pen.name)}</title></polyline>'
    for dot in chart.dots:
        yield from _dot(chart, box, dot)


def _dot(chart: Chart, box: _Box, dot: Dot) -> Iterator[str]:
    x, y = box.at(chart, dot.x, dot.y)
    left, bottom = box.at(chart, dot.x_interval[0], dot.y_interval[0])
    right, top = box.at(chart, dot.x_interval[1], dot.y_interval[1])
    thin = f'stroke="{dot.pen.colour}" stroke-width="1"'
    yield f'<line x1="{left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}" {thin}/>'
    yield f'<line x1="{x:.1f}" y1="{bottom:.1f}" x2="{x:.1f}" y2="{top:.1f}" {thin}/>'
    fill = "#ffffff" if dot.pen.dashes else dot.pen.colour
    told = escape(f"{dot.pen.name}: {chart.x.label} {dot.x:.3g}, {chart.y.label} {dot.y:.3g}")
    ring = f'fill="{fill}" stroke="{dot.pen.colour}" stroke-width="2"'
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" {ring}><title>{told}</title></circle>'


def _heat_map(chart: HeatMap, box: _Box) -> Iterator[str]:
    yield text(box.left, box.top - 26, chart.title, "")
    width, height = box.width / len(chart.columns), box.height / len(chart.rows)
    for column, words in enumerate(chart.columns):
        yield text(box.left + (column + 0.5) * width, box.top - 7, words, "small", anchor="middle")
    for row, words in enumerate(chart.rows):
        y = box.top + row * height
        yield text(box.left - 7, y + height / 2 + 4, words, "small", anchor="end")
        for column, value in enumerate(chart.values[row]):
            share, told = value or (1.0, "–")
            x, letters = box.left + column * width, "#ffffff" if share < WHITE_TEXT_BELOW else "#1f2933"
            place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
            yield f'<rect {place} fill="{_heat(share) if value else "#ffffff"}" stroke="#ffffff"/>'
            yield text(x + width / 2, y + height / 2 + 4, told, "", anchor="middle", fill=letters)


def _heat(share: float) -> str:
    share = min(1.0, max(0.0, share))
    red, green, blue = (
        round(worst + (best - worst) * share) for worst, best in zip(WORST_COLOUR, BEST_COLOUR, strict=True)
    )
    return f"#{red:02x}{green:02x}{blue:02x}"
