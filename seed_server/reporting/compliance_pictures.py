"""How large a part of PCs and patches is done, day by day, as a picture by the one engine of all pictures. Pure."""

from collections.abc import Sequence

from bandwidth.core.quantities import DAY_SECONDS
from bandwidth.pictures.plot import Axis, Chart, Pen, PlotLine
from bandwidth.pictures.sheet import sheet
from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from seed_server.reporting.compliance import Compliance, ComplianceDay
from seed_server.reporting.line_pictures import TimeAxis

COMPLIANCE_HEIGHT = 150.0
MOST_RULES_DRAWN = 3  # of one chart: more lines cannot be told apart
_ALL = "#0b5c7a"
_RULES = (("#b35c00", "7 3"), ("#6b3fa0", "2 3"), ("#2e7d32", "10 3 2 3"))
LEAST_SCALE = 0.5  # of the scale from below: what is nearly done is told apart, and the axis says where it begins


def compliance_picture(found: Compliance) -> str:
    """Return a chart of the share that is done, of all patches and by rules."""
    lines = [PlotLine(Pen(tr("all patches"), _ALL, width=2.2), _points(found.days))]
    for rule, (colour, dashes) in zip(found.rules[:MOST_RULES_DRAWN], _RULES, strict=False):
        lines.append(PlotLine(Pen(printable(rule.rule.name), colour, dashes), _points(rule.days)))
    lines = [line for line in lines if line.points]
    least = min((share for line in lines for _, share in line.points), default=0.0)
    low = 0.0 if least < 100 * LEAST_SCALE else float(least // 10 * 10)
    first = found.days[0].at - DAY_SECONDS if found.days else found.now - DAY_SECONDS
    y = Axis(tr("percent done"), low, 100.0, 25.0 if low == 0.0 else 10.0)
    chart = Chart("", TimeAxis.between(first, max(found.now, first + DAY_SECONDS)), y, lines)
    title = tr("PCs and patches that are done")
    words = tr("of all PCs to which a patch applies, those that have said nothing of it too")
    return sheet(title, words, [chart], [line.pen for line in lines], columns=1, height=COMPLIANCE_HEIGHT)


def _points(days: Sequence[ComplianceDay]) -> list[tuple[float, float]]:
    found = [(day.at, round(100 * day.share, 2)) for day in days if day.share is not None]
    # a day alone, as a new server has it, would be a line without length
    return [(found[0][0] - DAY_SECONDS, found[0][1]), *found] if len(found) == 1 else found
