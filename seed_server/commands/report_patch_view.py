"""Explains a patch on a terminal, as JSON, or on a page: the same parts in the same order."""

from pathlib import Path

from rich.console import Group, RenderableType
from rich.text import Text

from p2pdist.shared.console import print_json, say
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import NAME_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.commands.paging import text_of
from seed_server.commands.report_levels_view import one_form
from seed_server.fleet.context import Context
from seed_server.reporting.answering import patch_document
from seed_server.reporting.intelligence_queries import kev_dates
from seed_server.reporting.page_making import patch_page
from seed_server.reporting.pages import PageSection, PageTable, write_page
from seed_server.reporting.patch_report import read_patch_report

_STYLES = {"good": "green", "bad": "red", "open": "yellow"}


def show_patch(context: Context, patch: str, *, silent_days: int, page: Path | None, as_json: bool) -> None:
    """Print what is asked for. Raises `UserError`."""
    one_form(as_csv=False, as_lines=False, page=page, as_json=as_json)
    report = read_patch_report(context, text_of(patch), silent_days=silent_days, kev=kev_dates(context))
    if as_json:
        print_json(patch_document(report))
        return
    made = patch_page(report)
    if page is not None:
        write_page(page, made)
        say(f"Written: {page}")
        return
    parts: list[RenderableType] = [Text(printable(made.title), style="bold")]
    for section in made.sections:
        parts += [Text(), *_section(section)]
    wide_terminal().print(Group(*parts))


def _section(section: PageSection) -> list[RenderableType]:
    parts: list[RenderableType] = [Text(printable(section.heading), style="bold")]
    parts += [Text(printable(sentence)) for sentence in section.sentences]
    parts += [Text.assemble((f"{printable(name)}: ", "dim"), printable(value)) for name, value in section.facts]
    if section.table is not None:
        parts.append(_table(section.table))
    return parts


def _table(table: PageTable) -> FactTable:
    shown = FactTable()
    # what stands last is mostly a sentence
    facts = len(table.headings) - (len(table.headings) - 1 not in table.numbers)
    for place, heading in enumerate(table.headings[:facts]):
        shown.column(heading, right=place in table.numbers, least=None if place in table.numbers else NAME_CELLS)
    shown.sentences(*table.headings[facts:])
    for row in table.rows:
        cells = [Text(printable(cell.text), style=_STYLES.get(cell.tone, "")) for cell in row]
        shown.row(*cells[:facts], sentences=cells[facts:])
    return shown
