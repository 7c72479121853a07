"""The charts of reports, by the one engine of all pictures; words come in the language of the screens. Pure."""

from collections.abc import Sequence

from bandwidth.core.quantities import DAY_SECONDS
from bandwidth.pictures.plot import Axis, Chart, Dot, Pen, PlotLine
from bandwidth.pictures.sheet import sheet
from p2pdist.shared.language import tr
from seed_server.reporting.patch_report import ExplainedPatch
from seed_server.reporting.service_levels import LevelVerdict, ServiceLevel

CHART_HEIGHT = 220.0
MOST_DOTS = 400  # of one chart: more are one blot
_GOOD, _BAD, _OPEN, _GREY = "#0b6e4f", "#a52a18", "#8a5a00", "#7b8794"
_COLOURS = {
    LevelVerdict.KEPT: _GOOD,
    LevelVerdict.BROKEN: _BAD,
    LevelVerdict.UNCLEAR: _OPEN,
    LevelVerdict.RUNNING: _GREY,
}


def levels_picture(levels: Sequence[ServiceLevel], now: float) -> str:
    """Return a chart of one rule: each patch's share of PCs in time over the day of its publication."""
    shown = [level for level in levels if level.share is not None][:MOST_DOTS]
    first = min((level.begins_at for level in shown), default=now)
    days = max(1.0, (now - first) / DAY_SECONDS)
    x = Axis.over(tr("days since the clock began"), 0.0, days)
    y = Axis.over(tr("PCs in time, in percent"), 0.0, 100.0)
    wanted = levels[0].rule.share_percent if levels else 0.0
    line = PlotLine(Pen(tr("asked for"), _GREY, "6 4"), [(0.0, wanted), (days, wanted)])
    pens = {verdict: Pen(tr(verdict.value), colour) for verdict, colour in _COLOURS.items()}
    dots = [_dot(level, pens[level.verdict], now) for level in shown]
    used = [line.pen, *(pen for verdict, pen in pens.items() if any(level.verdict is verdict for level in shown))]
    chart = Chart("", x, y, [line], dots)
    name = levels[0].rule.name if levels else ""
    words = tr("each dot is a patch; a line below it: if PCs that have said nothing need it")
    return sheet(name, words, [chart], used, columns=1, height=CHART_HEIGHT)


def _dot(level: ServiceLevel, pen: Pen, now: float) -> Dot:
    age = max(0.0, (now - level.begins_at) / DAY_SECONDS)
    share, least = 100 * (level.share or 0.0), 100 * (level.least_share or 0.0)
    return Dot(pen, age, share, (age, age), (least, share))


def done_picture(report: ExplainedPatch) -> str:
    """Return a chart of one patch: how many PCs are done since when, and by when rules ask for it."""
    begun = report.patch.published_at
    days = max(1 / 24, (report.now - begun) / DAY_SECONDS)
    points, sum_ = [(0.0, 0.0)], 0
    for moment, number in report.done_by_hour:
        at = min(days, max(0.0, (moment - begun) / DAY_SECONDS))
        points.append((at, float(sum_)))
        sum_ += number
        points.append((at, float(sum_)))
    points.append((days, float(sum_)))
    most = float(max(1, report.applicable))
    lines = [
        PlotLine(Pen(tr("PCs that have it"), _GOOD, width=2.2), points),
        PlotLine(Pen(tr("PCs to which it applies"), _GREY, "6 4"), [(0.0, most), (days, most)]),
    ]
    for level in report.levels:
        at = (level.deadline - begun) / DAY_SECONDS
        if 0 <= at <= days:
            lines.append(
                PlotLine(
                    Pen(f"{tr('deadline')}: {level.rule.name}", _COLOURS[level.verdict], "2 3"), [(at, 0.0), (at, most)]
                )
            )
    x = Axis.over(tr("days since it was published"), 0.0, days)
    chart = Chart("", x, Axis.up_to(tr("PCs"), most, ticks=5), lines)
    title = tr("How it came to its PCs")
    return sheet(title, "", [chart], [line.pen for line in lines], columns=1, height=CHART_HEIGHT)
