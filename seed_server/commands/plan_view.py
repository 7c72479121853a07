"""Shows a plan: as a table, as CSV, or as a document."""

from collections.abc import Iterator
from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.text import Text

from bandwidth.core.quantities import bytes_text
from p2pdist.shared.console import print_json, wide_terminal
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import NAME_CELLS, SITE_CELLS, FactTable
from seed_server.answers.csv_text import csv_line
from seed_server.commands.plan_picture import write_picture
from seed_server.commands.texts import utc_minute
from seed_server.fleet import rollout_queries
from seed_server.fleet.context import Context
from seed_server.reporting.plan_answers import read_plan
from seed_server.reporting.plan_documents import PlanDocument, PlanSiteDocument

PLAN_HEADINGS = (
    "site", "pcs", "pcs_away", "pcs_done", "pcs_in_windows", "wan_bytes", "line_share", "finish_p50", "finish_p90",
    "line_known", "presence_known", "actual_finish", "actual_bytes", "error",
)  # fmt: skip


def show_plan(
    context: Context,
    patch: str,
    template: str | None,
    start: float | None,
    *,
    as_csv: bool,
    as_json: bool,
    file: Path | None = None,
) -> None:
    """Print a plan; ``file``: draw it there, too. Raises `UserError`."""
    rings = rollout_queries.ring_template(template) if template is not None else None
    plan = read_plan(context, patch, template=rings, start=start)
    if file is not None:
        write_picture(plan, file)
    if as_json:
        print_json(plan)
    elif as_csv:
        click.echo(csv_line(PLAN_HEADINGS))
        for site in plan.sites:
            click.echo(csv_line(_cells(site)))
    else:
        wide_terminal().print(plan_table(plan))


def _cells(site: PlanSiteDocument) -> Iterator[str]:
    for name in PLAN_HEADINGS:
        value = getattr(site, name)
        if value is None:
            yield ""
        elif name in ("finish_p50", "finish_p90", "actual_finish"):
            yield utc_minute(value)
        else:
            yield f"{value:.3f}" if isinstance(value, float) else str(value)


def plan_table(plan: PlanDocument) -> RenderableType:
    """Return a plan for people."""
    parts: list[RenderableType] = [Text(line) for line in _head(plan)]
    if plan.rings:
        parts.append(_rings(plan))
    if plan.sites:
        parts.append(_sites(plan) if plan.rollout is None else _compared(plan))
    parts += [Text(in_words(sentence), style="dim") for sentence in plan.assumptions]
    return Group(*parts)


def _head(plan: PlanDocument) -> Iterator[str]:
    patch = printable(plan.patch)
    if plan.rollout is None:
        yield (
            tr("{patch} by the rings of {template}, from {time} on", patch=patch, template=plan.template,
               time=utc_minute(plan.start))
            if plan.template
            else tr("{patch} to every PC at once, from {time} on", patch=patch, time=utc_minute(plan.start))
        )  # fmt: skip
    else:
        yield tr(
            "{patch}, rollout {number}: planned on {time}, and what became of it",
            patch=patch, number=plan.rollout, time=utc_minute(plan.made_at),
        )  # fmt: skip
    if not plan.sites:
        yield tr("There is no PC that it is for.")
        return
    yield tr(
        "{pcs} PCs at {sites} sites, {size} over all lines together",
        pcs=plan.pcs, sites=len(plan.sites), size=bytes_text(plan.wan_bytes),
    )  # fmt: skip
    yield tr(
        "Nine tenths of it are done by {p50}, as likely earlier as later, and with nine chances in ten by {p90}.",
        p50=_moment(plan.finish_p50), p90=_moment(plan.finish_p90),
    )  # fmt: skip
    if plan.rollout is not None:
        yield (
            tr("It is not there yet.")
            if plan.actual_finish is None
            else tr("It was done by {time}.", time=_moment(plan.actual_finish))
        )
        if plan.median_error is not None and plan.covered is not None:
            yield tr(
                "Of the sites that are done, the median error is {error}, and {share} were done by p90.",
                error=f"{plan.median_error:.0%}", share=f"{plan.covered:.0%}",
            )  # fmt: skip


def _rings(plan: PlanDocument) -> FactTable:
    table = FactTable()
    table.column(tr("ring"), least=NAME_CELLS, folds=True)
    table.column(tr("PCs"), right=True)
    table.column(tr("opens, p50"), tr("p90"))
    for ring in plan.rings:
        name = printable(ring.name) or tr("in no ring")
        table.row(name, str(ring.pcs), _moment(ring.opens_p50), _moment(ring.opens_p90))
    return table


def _sites(plan: PlanDocument) -> FactTable:
    windows = any(site.pcs_in_windows is not None for site in plan.sites)
    table = FactTable()
    table.column(tr("site"), least=SITE_CELLS, folds=True)
    table.column(tr("PCs"), *((tr("in windows"),) if windows else ()), tr("away"), right=True)
    table.column(tr("over the line"), tr("of the line"), right=True)
    table.column(tr("done, p50"), tr("p90"))
    table.column(tr("line"))
    for site in plan.sites:
        inside = (("–" if site.pcs_in_windows is None else str(site.pcs_in_windows)),) if windows else ()
        share = "–" if site.line_share is None else f"{site.line_share:.0%}"
        known = Text(tr("learned")) if site.line_known else Text(tr("not known"), style="yellow")
        p50, p90 = (_moment(site.finish_p50), _moment(site.finish_p90)) if site.pcs else ("–", "–")
        table.row(
            printable(site.site), str(site.pcs), *inside, str(site.pcs_away), bytes_text(site.wan_bytes), share, p50,
            p90, known,
        )  # fmt: skip
    return table


def _compared(plan: PlanDocument) -> FactTable:
    table = FactTable()
    table.column(tr("site"), least=SITE_CELLS, folds=True)
    table.column(tr("PCs"), tr("through"), right=True)
    table.column(tr("planned, p50"), tr("p90"))
    table.column(tr("actual"), tr("off by"))
    table.column(tr("over the line"), tr("planned"), right=True)
    for site in plan.sites:
        error = "–" if site.error is None else f"{site.error:+.0%}"
        actual = tr("not yet") if site.actual_finish is None else _moment(site.actual_finish)
        table.row(
            printable(site.site), str(site.pcs), str(site.pcs_done), _moment(site.finish_p50),
            _moment(site.finish_p90), actual, error, bytes_text(site.actual_bytes or 0), bytes_text(site.wan_bytes),
        )  # fmt: skip
    return table


def _moment(at: float | None) -> str:
    return tr("not foreseeable") if at is None else utc_minute(at)
