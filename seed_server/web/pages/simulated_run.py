"""What `bandwidth simulate --json` says of a run, as far as pages show it, and its picture. Pure."""

from collections.abc import Callable

import msgspec

from bandwidth.core.units import MBIT
from bandwidth.pictures.plot import Axis, Chart, Pen, PlotLine
from bandwidth.pictures.sheet import sheet
from p2pdist.shared.language import tr

RUN_CHART_HEIGHT = 170.0


class ShownBusiness(msgspec.Struct, frozen=True):
    """A figure of business, as `HarmRow` of `bandwidth simulate --json`."""

    figure: str
    alone: str
    together: str
    change: str


class ShownPassing(msgspec.Struct, frozen=True):
    """What passes without business, as `Passing` of it."""

    night_begins: str
    night_ends: str
    night_bytes: int
    file_bytes: int
    file_there_at: str | None


class ShownSecond(msgspec.Struct, frozen=True):
    """A second of the run, as `SimulatedSecond` of it; bytes per second."""

    second: int
    patches: int
    business: int
    allowed: int | None
    queue_p95_seconds: float
    reason: str | None


class ShownRun(msgspec.Struct, frozen=True):
    """What is shown of `bandwidth simulate --json`; its other keys are left out."""

    at: str
    business_keeps: float
    idle_use: float
    spare_captured: float | None
    passing: ShownPassing
    business: list[ShownBusiness]
    reason_seconds: dict[str, float]
    seconds: list[ShownSecond]


def run_picture(run: ShownRun, title: str, subtitle: str) -> str:
    """Return what patches and business had, second by second, and how long they waited, as SVG."""
    business, patches = Pen(tr("business"), "#b35c00", "7 3"), Pen(tr("patches"), "#0b5c7a", width=2.2)
    allowed, queue = Pen(tr("allowed"), "#7b8794", "2 3"), Pen(tr("queue"), "#0b5c7a")
    rates = [
        PlotLine(business, _points(run, lambda one: one.business / MBIT)),
        PlotLine(patches, _points(run, lambda one: one.patches / MBIT)),
        PlotLine(allowed, _points(run, lambda one: None if one.allowed is None else one.allowed / MBIT)),
    ]
    waits = [PlotLine(queue, _points(run, lambda one: 1_000 * one.queue_p95_seconds))]
    charts = [
        _chart(tr("Rates"), tr("Mbit/s"), run, rates),
        _chart(tr("Wait in the line's queue, 95 of 100 below"), tr("ms"), run, waits),
    ]
    return sheet(title, subtitle, charts, [patches, business, allowed], columns=1, height=RUN_CHART_HEIGHT)


def _points(run: ShownRun, value: Callable[[ShownSecond], float | None]) -> list[tuple[float, float]]:
    """Return steps: each second has one value from its begin to its end."""
    found = [(one.second, value(one)) for one in run.seconds]
    return [(at, round(level, 3)) for second, level in found if level is not None for at in (second, second + 1.0)]


def _chart(title: str, unit: str, run: ShownRun, lines: list[PlotLine]) -> Chart:
    top = max((level for line in lines for _, level in line.points), default=0.0)
    y = Axis.up_to("", top, ticks=4)
    return Chart(title, Axis.up_to(tr("s"), float(len(run.seconds)), ticks=8), Axis(unit, y.low, y.high, y.step), lines)
