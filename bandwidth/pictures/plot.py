"""One chart: scales with round numbers, grid, axes, lines and points, and the names of its pens. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

from bandwidth.pictures.svg import text, width_of

OVER_THE_TOP = 0.02  # a line may rise above its scale by so much: 20.01 needs no scale to 30
PEN_WIDTH, PEN_GAP = 27, 18  # of a name: the line before it, and the space after it


@dataclass(frozen=True, slots=True)
class Pen:
    """How a line is drawn, the same in every chart of a picture; told apart without colour by dashes."""

    name: str
    colour: str
    dashes: str = ""
    width: float = 1.6


@dataclass(frozen=True, slots=True)
class Axis:
    """A linear scale: ``label`` stands beside it, ``unit`` behind each of its numbers, which are ``step`` apart."""

    label: str
    low: float
    high: float
    step: float
    unit: str = ""

    @classmethod
    def over(cls, label: str, low: float, high: float, *, ticks: int = 5, unit: str = "") -> "Axis":
        """Return an axis from ``low`` to ``high`` exactly, with about ``ticks`` round numbers on it."""
        return cls(label, low, high, round_step((high - low) / ticks if high > low else 1.0), unit)

    @classmethod
    def up_to(cls, label: str, highest: float, *, ticks: int) -> "Axis":
        """Return an axis from 0 to a round number, in which ``highest`` has room."""
        step = round_step((highest or 1.0) / ticks)
        return cls(label, 0.0, step * ceil((highest or 1.0) / step * (1 - OVER_THE_TOP)), step)

    def place(self, value: float) -> float:
        """Return 0 to 1 from low to high; what is outside is put on the edge."""
        span = (self.high - self.low) or 1.0
        return min(1.0, max(0.0, (value - self.low) / span))

    def ticks(self) -> list[tuple[float, str]]:
        """Return the round numbers between low and high, and their words."""
        first, last = ceil(self.low / self.step - 1e-9), floor(self.high / self.step + 1e-9)
        numbers = [number * self.step for number in range(first, last + 1)]
        return [(number, f"{number:g} {self.unit}".rstrip()) for number in numbers]


@dataclass(frozen=True, slots=True)
class PlotLine:
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
    """What is drawn over two axes."""

    title: str
    x: Axis
    y: Axis
    lines: Sequence[PlotLine] = ()
    dots: Sequence[Dot] = ()


@dataclass(frozen=True, slots=True)
class Box:
    """Where on the sheet, in pixels."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.top + self.height


def round_step(least: float) -> float:
    """Return the smallest of 1, 2, 5 × a power of ten that is at least ``least`` (> 0)."""
    power = 10.0 ** floor(log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def chart(what: Chart, box: Box) -> Iterator[str]:
    """Draw ``what`` into ``box``; titles and numbers stand around it."""
    yield text(box.left, box.top - 12, what.title, "")
    yield text(box.right, box.top - 12, what.y.label, "small", anchor="end")
    for number, words in what.y.ticks():
        y = _y(what, box, number)
        yield f'<line class="grid" x1="{box.left:.1f}" y1="{y:.1f}" x2="{box.right:.1f}" y2="{y:.1f}"/>'
        yield text(box.left - 8, y + 4, words, "small", anchor="end")
    for number, words in what.x.ticks():
        x = _x(what, box, number)
        yield f'<line class="axis" x1="{x:.1f}" y1="{box.bottom:.1f}" x2="{x:.1f}" y2="{box.bottom + 4:.1f}"/>'
        yield text(x, box.bottom + 17, words, "small", anchor="middle")
    yield f'<line class="axis" x1="{box.left:.1f}" y1="{box.bottom:.1f}" x2="{box.right:.1f}" y2="{box.bottom:.1f}"/>'
    yield text(box.right, box.bottom + 33, what.x.label, "small", anchor="end")
    for line in what.lines:
        points = " ".join(f"{_x(what, box, x):.1f},{_y(what, box, y):.1f}" for x, y in line.points)
        yield f'<polyline {_stroke(line.pen)} points="{points}"><title>{escape(line.pen.name)}</title></polyline>'
    for dot in what.dots:
        yield from _dot(what, box, dot)


def names(pens: Sequence[Pen], x: float, y: float) -> Iterator[str]:
    """Draw the names of ``pens`` behind their lines, from ``x`` on."""
    for pen in pens:
        yield f'<line x1="{x:.1f}" y1="{y - 4:.1f}" x2="{x + 22:.1f}" y2="{y - 4:.1f}" {_stroke(pen)}/>'
        yield text(x + PEN_WIDTH, y, pen.name, "")
        x += PEN_WIDTH + width_of(pen.name) + PEN_GAP


def names_width(pens: Sequence[Pen]) -> float:
    """Return how wide `names` are."""
    return sum(PEN_WIDTH + width_of(pen.name) + PEN_GAP for pen in pens) - PEN_GAP


def _x(what: Chart, box: Box, value: float) -> float:
    return box.left + box.width * what.x.place(value)


def _y(what: Chart, box: Box, value: float) -> float:
    return box.bottom - box.height * what.y.place(value)


def _stroke(pen: Pen) -> str:
    dashes = f' stroke-dasharray="{pen.dashes}"' if pen.dashes else ""
    return f'fill="none" stroke="{pen.colour}" stroke-width="{pen.width}"{dashes}'


def _dot(what: Chart, box: Box, dot: Dot) -> Iterator[str]:
    x, y = _x(what, box, dot.x), _y(what, box, dot.y)
    left, right = (_x(what, box, end) for end in dot.x_interval)
    bottom, top = (_y(what, box, end) for end in dot.y_interval)
    thin = f'stroke="{dot.pen.colour}" stroke-width="1"'
    yield f'<line x1="{left:.1f}" y1="{y:.1f}" x2="{right:.1f}" y2="{y:.1f}" {thin}/>'
    yield f'<line x1="{x:.1f}" y1="{bottom:.1f}" x2="{x:.1f}" y2="{top:.1f}" {thin}/>'
    fill = "#ffffff" if dot.pen.dashes else dot.pen.colour
    told = escape(f"{dot.pen.name}: {what.x.label} {dot.x:.3g}, {what.y.label} {dot.y:.3g}")
    ring = f'fill="{fill}" stroke="{dot.pen.colour}" stroke-width="2"'
    yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" {ring}><title>{told}</title></circle>'
