"""Shows whether patches came to enough PCs in time: as a table, CSV, JSON, or a page."""

from pathlib import Path

import click
from msgspec import Struct
from rich.console import Group, RenderableType
from rich.text import Text

from p2pdist.shared.console import json_text, print_json, say
from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import PATCH_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.csv_text import csv_line, csv_of
from seed_server.commands.paging import text_of
from seed_server.commands.texts import utc_minute
from seed_server.fleet.context import Context
from seed_server.reporting.answering import level_document, levels_document
from seed_server.reporting.documents import ServiceLevelDocument
from seed_server.reporting.intelligence_queries import kev_dates
from seed_server.reporting.judged_patches import PatchesAsked
from seed_server.reporting.page_making import levels_page
from seed_server.reporting.pages import write_page
from seed_server.reporting.service_level_queries import ServiceLevelReport, read_service_levels
from seed_server.reporting.service_levels import LevelVerdict, tally
from seed_server.reporting.words import percent_down, rule_words

_STYLES = {
    LevelVerdict.KEPT: "green",
    LevelVerdict.BROKEN: "red",
    LevelVerdict.UNCLEAR: "yellow",
    LevelVerdict.RUNNING: "",
}


class LevelsOptions(Struct, frozen=True):
    """What was given for `report sla`."""

    patch: str
    rule: str
    days: int
    replaced: bool
    silent_days: int
    as_csv: bool
    as_lines: bool
    page: Path | None
    as_json: bool


def one_form(*, as_csv: bool, as_lines: bool, page: Path | None, as_json: bool) -> None:
    """Raise `click.UsageError` where a report is asked for in several forms."""
    if as_csv + as_lines + as_json + (page is not None) > 1:
        raise click.UsageError("--csv, --json, --json-lines and --page are four: give one of them.")


def show_levels(context: Context, options: LevelsOptions) -> None:
    """Print what is asked for. Raises `UserError`."""
    one_form(as_csv=options.as_csv, as_lines=options.as_lines, page=options.page, as_json=options.as_json)
    asked = PatchesAsked(text_of(options.patch), options.days, options.replaced)
    report = read_service_levels(
        context, asked, rule=text_of(options.rule), silent_days=options.silent_days, kev=kev_dates(context)
    )
    if options.page is not None:
        write_page(options.page, levels_page(report))
        say(f"Written: {options.page}")
    elif options.as_json:
        print_json(levels_document(report))
    elif options.as_csv or options.as_lines:
        if options.as_csv:
            click.echo(csv_line(ServiceLevelDocument.__struct_fields__))
        for level in report.levels:
            document = level_document(level)
            click.echo(csv_of(document) if options.as_csv else json_text(document, indent=None))
    else:
        wide_terminal().print(Group(*_parts(report)))


def _parts(report: ServiceLevelReport) -> list[RenderableType]:
    if not report.levels:
        return [Text(tr("No patch is under a rule."))]
    counts = tally(report.levels)
    said = tr(", ").join(f"{counts[verdict]} {tr(verdict.value)}" for verdict in LevelVerdict if counts[verdict])
    parts: list[RenderableType] = [Text(said, style="bold"), _table(report)]
    notes = []
    if report.denied:
        notes.append(tr("{number} denied PCs are counted nowhere.", number=report.denied))
    if report.withdrawn:
        notes.append(tr("{number} withdrawn patches are not in this.", number=report.withdrawn))
    return [*parts, *(Text(note, style="dim") for note in notes)]


def _table(report: ServiceLevelReport) -> FactTable:
    table = FactTable()
    table.column(tr("patch"), least=PATCH_CELLS)
    table.column(tr("rule"), least=PATCH_CELLS)
    table.column(tr("asked for"), tr("deadline"), tr("verdict"))
    table.column(
        tr("in time"),
        tr("of"),
        tr("late"),
        tr("still missing"),
        tr("excepted"),
        tr("silent"),
        tr("unknown"),
        right=True,
    )
    for level in report.levels:
        table.row(
            printable(str(level.patch.ref)),
            printable(level.rule.name),
            rule_words(level),
            utc_minute(level.deadline),
            Text(tr(level.verdict.value), style=_STYLES[level.verdict]),
            percent_down(level.share),
            f"{level.applicable:,}",
            f"{level.late:,}",
            f"{level.missing:,}",
            f"{level.excepted:,}",
            f"{level.silent:,}",
            f"{level.unknown:,}",
        )
    return table
