"""What a line did as a picture, by the one engine of all pictures; words in the language of the screens. Pure."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor

from bandwidth.core.quantities import DAY_SECONDS
from bandwidth.core.units import MBIT
from bandwidth.pictures.plot import Axis, Chart, Pen, PlotLine
from bandwidth.pictures.sheet import sheet
from p2pdist.shared.language import tr
from seed_server.reporting.line_history import LineHistory, LinePoint

LINE_CHART_HEIGHT = 140.0
_TICKS = (1_800.0, 3_600.0, 2 * 3_600.0, 4 * 3_600.0, DAY_SECONDS, 7 * DAY_SECONDS, 14 * DAY_SECONDS)
MOST_TICKS = 14
_OURS, _OTHERS, _LIMIT, _BAD = "#0b5c7a", "#b35c00", "#7b8794", "#a52a18"


@dataclass(frozen=True, slots=True)
class TimeAxis(Axis):
    """Moments in seconds since 1970; the words are of UTC: hours, and at midnight the day."""

    @classmethod
    def between(cls, low: float, high: float) -> "TimeAxis":
        """Return an axis with at most `MOST_TICKS` words."""
        step = next((one for one in _TICKS if (high - low) / one <= MOST_TICKS), _TICKS[-1])
        return cls(tr("UTC"), low, high, step)

    def ticks(self) -> list[tuple[float, str]]:
        """Return moments between low and high, and their words."""
        first, last = ceil(self.low / self.step), floor(self.high / self.step)
        return [(number * self.step, _words(number * self.step)) for number in range(first, last + 1)]


def line_picture(history: LineHistory) -> str:
    """Return charts of what was sent beside others' traffic and the limit; of waits and harm, where there were any."""
    begin, step = history.points[0].at, history.step_seconds
    x = TimeAxis.between(begin, history.points[-1].at + step)
    ours = Pen(tr("ours"), _OURS, width=2.2)
    others = Pen(tr("business, as PCs saw it"), _OTHERS, "7 3")
    limit = Pen(tr("limit"), _LIMIT, "2 3")
    line = Pen(tr("the line"), _LIMIT, width=1.0)
    rates = [
        *_lines(ours, history, lambda point: point.rate, 1 / MBIT),
        *_lines(others, history, lambda point: point.business_rate, 1 / MBIT),
        *_lines(limit, history, lambda point: point.limit, 1 / MBIT),
    ]
    if history.capacity is not None:
        level = history.capacity / MBIT
        rates.append(PlotLine(line, [(x.low, level), (x.high, level)]))
    charts = [_chart(tr("Line use"), tr("Mbit/s"), x, rates)]
    if any(point.seen.queue for point in history.points):
        waits = _lines(Pen(tr("queue"), _OURS), history, lambda point: point.seen.queue, 1_000.0)
        charts.append(_chart(tr("Wait in the line's queue, 95 of 100 below"), tr("ms"), x, list(waits)))
    if history.harm_seconds:
        harm = _lines(Pen(tr("harm"), _BAD, width=2.2), history, _harm, 1.0)
        charts.append(_chart(tr("Seconds in which business suffered while we sent"), tr("s"), x, list(harm)))
    used = [pen for pen in (ours, others, limit, line) if any(one.pen is pen for one in rates)]
    title = tr("{site}: what its line did", site=history.site)
    return sheet(title, _subtitle(history), charts, used or [ours], columns=1, height=LINE_CHART_HEIGHT)


def _subtitle(history: LineHistory) -> str:
    if history.is_whole:
        return tr("where a line is missing, nothing was to be sent, or nobody watched")
    return tr("where a line is missing, nothing was to be sent, nobody watched, or the server did not run")


def _harm(point: LinePoint) -> float | None:
    return point.seen.harm_seconds if point.known else None


def _chart(title: str, unit: str, x: Axis, lines: Sequence[PlotLine]) -> Chart:
    top = max((value for line in lines for _, value in line.points), default=0.0)
    y = Axis.up_to("", top, ticks=4)
    return Chart(title, x, Axis(unit, y.low, y.high, y.step), lines)


def _lines(
    pen: Pen, history: LineHistory, value: Callable[[LinePoint], float | None], scale: float
) -> Iterator[PlotLine]:
    """Yield lines through the middles of steps; what is not known is a gap, and a step alone is as long as it is."""
    middle = history.step_seconds / 2
    points: list[tuple[float, float]] = []
    for point in (*history.points, None):
        found = None if point is None else value(point)
        if point is not None and found is not None:
            points.append((point.at + middle, round(found * scale, 3)))
        elif points:
            if len(points) == 1:
                ((at, level),) = points
                points = [(at - middle, level), (at + middle, level)]
            yield PlotLine(pen, _corners(points))
            points = []


def _corners(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a line without the points amid those of the same height: it looks the same."""
    last = len(points) - 1
    return [
        (at, level)
        for place, (at, level) in enumerate(points)
        if place in {0, last} or not points[place - 1][1] == level == points[place + 1][1]
    ]


def _words(at: float) -> str:
    moment = dt.datetime.fromtimestamp(at, dt.UTC)
    return f"{moment:%H:%M}" if at % DAY_SECONDS else f"{moment:%m-%d}"
