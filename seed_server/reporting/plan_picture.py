"""A plan as a picture: how large a part of the PCs is at sites that are done, by when. Pure."""

from bandwidth.pictures.plot import Axis, Chart, Pen, PlotLine
from bandwidth.pictures.sheet import sheet
from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from seed_server.reporting.plan_documents import PlanDocument
from seed_server.reporting.words import minute

PICTURE_HEIGHT = 320.0
HOURS_SHOWN_IN_DAYS = 72  # from this length on days are easier to read


def plan_picture(plan: PlanDocument) -> str:
    """Return the picture as SVG."""
    steps = {
        Pen(tr("as likely earlier as later"), "#1f6f8b"): [(site.finish_p50, site.pcs) for site in plan.sites],
        Pen(tr("with nine chances in ten"), "#d08a1e", "6 4"): [(site.finish_p90, site.pcs) for site in plan.sites],
    }
    if plan.rollout is not None:
        steps[Pen(tr("actual"), "#2e7d32", width=2.4)] = [(site.actual_finish, site.pcs) for site in plan.sites]
    longest = max([at - plan.start for moments in steps.values() for at, _ in moments if at is not None], default=0.0)
    in_days = longest > HOURS_SHOWN_IN_DAYS * 3_600
    unit = 86_400.0 if in_days else 3_600.0
    total = sum(site.pcs for site in plan.sites) or 1
    lines = [PlotLine(pen, _risen(moments, plan.start, unit, total, longest)) for pen, moments in steps.items()]
    chart = Chart(
        tr("PCs at sites that are done"),
        Axis.up_to(tr("days") if in_days else tr("hours"), longest / unit, ticks=8),
        Axis("%", 0.0, 100.0, 20.0),
        lines,
    )
    subtitle = tr("from {time} on, {sites} sites", time=minute(plan.start), sites=len(plan.sites))
    return sheet(printable(plan.patch), subtitle, [chart], list(steps), columns=1, height=PICTURE_HEIGHT)


def _risen(
    moments: list[tuple[float | None, int]], start: float, unit: float, total: int, longest: float
) -> list[tuple[float, float]]:
    """Return the points of a line that rises by a site's PCs when that is done."""
    points, there = [(0.0, 0.0)], 0
    for at, pcs in sorted((at, pcs) for at, pcs in moments if at is not None):
        place = max(0.0, at - start) / unit
        points.append((place, 100.0 * there / total))
        there += pcs
        points.append((place, 100.0 * there / total))
    return [*points, (longest / unit, 100.0 * there / total)]
