"""Shows a plan: as a table, as CSV, or as a document."""

from pathlib import Path

import click
from rich.console import Group, RenderableType
from rich.text import Text

from bandwidth.core.quantities import bytes_text
from p2pdist.shared.console import print_json
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import NAME_CELLS, SITE_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.csv_text import csv_line
from seed_server.fleet import rollout_queries
from seed_server.fleet.context import Context
from seed_server.reporting.plan_answers import read_plan
from seed_server.reporting.plan_documents import PlanDocument
from seed_server.reporting.plan_picture import plan_picture
from seed_server.reporting.plan_sentences import PLAN_HEADINGS, moment_or_never, plan_cells, plan_sentences


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
            click.echo(csv_line(plan_cells(site)))
    else:
        wide_terminal().print(plan_table(plan))


def plan_table(plan: PlanDocument) -> RenderableType:
    """Return a plan for people."""
    parts: list[RenderableType] = [Text(line) for line in plan_sentences(plan)]
    if plan.rings:
        parts.append(_rings(plan))
    if plan.sites:
        parts.append(_sites(plan) if plan.rollout is None else _compared(plan))
    parts += [Text(in_words(sentence), style="dim") for sentence in plan.assumptions]
    return Group(*parts)


def _rings(plan: PlanDocument) -> FactTable:
    table = FactTable()
    table.column(tr("ring"), least=NAME_CELLS, folds=True)
    table.column(tr("PCs"), right=True)
    table.column(tr("opens, p50"), tr("p90"))
    for ring in plan.rings:
        name = printable(ring.name) or tr("in no ring")
        table.row(name, str(ring.pcs), moment_or_never(ring.opens_p50), moment_or_never(ring.opens_p90))
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
        p50, p90 = (moment_or_never(site.finish_p50), moment_or_never(site.finish_p90)) if site.pcs else ("–", "–")
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
        actual = tr("not yet") if site.actual_finish is None else moment_or_never(site.actual_finish)
        table.row(
            printable(site.site), str(site.pcs), str(site.pcs_done), moment_or_never(site.finish_p50),
            moment_or_never(site.finish_p90), actual, error, bytes_text(site.actual_bytes or 0),
            bytes_text(site.wan_bytes),
        )  # fmt: skip
    return table


def write_picture(plan: PlanDocument, path: Path) -> None:
    """Write the picture. Raises `UserError`: BAD_INPUT for another form than SVG, STORAGE."""
    if path.suffix.lower() != ".svg":
        raise UserError(
            f"{path} does not end in .svg. Name a file that does: no other form is drawn.", FaultKind.BAD_INPUT
        )
    try:
        path.write_text(plan_picture(plan), encoding="utf-8")
    except OSError as error:
        raise UserError(
            f"Cannot write {path}: {error.strerror}. Check the directory and the disk's free space.", FaultKind.STORAGE
        ) from error
