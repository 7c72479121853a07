"""Shows who lacks patches and why: as a table, CSV, JSON, or a page; and what is done about it."""

import shlex
from pathlib import Path

import click
from msgspec import Struct
from msgspec.structs import replace
from rich.console import Group, RenderableType
from rich.text import Text

from p2pdist.shared.console import json_text, print_json, say
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import span, tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import NAME_CELLS, PATCH_CELLS, SITE_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.csv_text import csv_line, csv_of
from seed_server.commands.paging import end_of_rows, next_page, text_of
from seed_server.commands.report_levels_view import one_form
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.names import hint_of
from seed_server.reporting.answering import missing_document, missing_page_document
from seed_server.reporting.documents import FollowUpDocument, MissingDocument
from seed_server.reporting.follow_up_operations import follow_up
from seed_server.reporting.missing_pcs import MISSING_CODES, SILENT_DAYS, FollowUp
from seed_server.reporting.missing_queries import (
    MISSING_OF_A_PAGE,
    MissingPc,
    MissingQuestion,
    MissingReport,
    all_missing,
    read_missing,
)
from seed_server.reporting.page_making import missing_page
from seed_server.reporting.pages import write_page
from seed_server.reporting.words import follow_up_words, said_words

MOST_ROWS_OF_A_PAGE = 20_000  # of a printed one: hundreds of sheets; more is a question for a program


class MissingOptions(Struct, frozen=True):
    """What was given for `report missing`."""

    patch: str
    site: str
    reason: str
    owner: str
    silent_days: int
    size: int
    after: str
    as_csv: bool
    as_lines: bool
    page: Path | None
    as_json: bool

    def question(self) -> MissingQuestion:
        """Return what they ask for. Raises `UserError` (BAD_INPUT) for a reason that there is not."""
        if self.reason and self.reason not in MISSING_CODES:
            raise UserError(
                f"There is no reason {self.reason[:40]!r}.{hint_of(self.reason, MISSING_CODES)} There are "
                f"{', '.join(MISSING_CODES)}.",
                FaultKind.BAD_INPUT,
            )
        return MissingQuestion(
            patch=text_of(self.patch),
            site=text_of(self.site),
            reason=self.reason,
            silent_days=self.silent_days,
            size=self.size or MISSING_OF_A_PAGE,
            after=text_of(self.after),
            owner=text_of(self.owner),
        )

    def words(self) -> list[str]:
        """Return the command that asks for the same."""
        days = "" if self.silent_days == SILENT_DAYS else str(self.silent_days)
        given = (("--site", self.site), ("--reason", self.reason), ("--owner", self.owner), ("--silent-days", days))
        words = [word for option, value in given if value for word in (option, value)]
        return ["seed-server", "report", "missing", *([self.patch] if self.patch else []), *words]


def show_missing(context: Context, options: MissingOptions, *, most_rows: int = MOST_ROWS_OF_A_PAGE) -> None:
    """Print what is asked for. Raises `UserError`; BAD_INPUT where a page to print had more than ``most_rows``."""
    one_form(as_csv=options.as_csv, as_lines=options.as_lines, page=options.page, as_json=options.as_json)
    question = options.question()
    if options.as_csv or options.as_lines:
        _print_rows(context, question, options)
        return
    report = read_missing(context, question)
    if options.page is not None:
        _write(context, question, report, options.page, most_rows)
    elif options.as_json:
        print_json(missing_page_document(report))
    else:
        wide_terminal().print(Group(*_parts(report, options)))


def _write(context: Context, question: MissingQuestion, report: MissingReport, path: Path, most: int) -> None:
    if report.total > most:
        raise UserError(
            f"{report.total} rows are too many to print. Ask for one patch, site or reason, or for --csv.",
            FaultKind.BAD_INPUT,
        )
    rows = list(all_missing(context, replace_size(question, 0)))
    write_page(path, missing_page(report, rows))
    say(f"Written: {path}")


def replace_size(question: MissingQuestion, size: int) -> MissingQuestion:
    """Return the same question with pages of another size; 0: all at once."""
    return MissingQuestion(
        question.patch, question.site, question.reason, question.silent_days, size, question.after, question.owner
    )


def _print_rows(context: Context, question: MissingQuestion, options: MissingOptions) -> None:
    now = context.clock.now()
    if options.as_csv:
        click.echo(csv_line(MissingDocument.__struct_fields__))
    for row in all_missing(context, replace_size(question, options.size)):
        document = missing_document(row, now)
        if options.as_csv:
            click.echo(csv_of(replace(document, age_seconds=round(document.age_seconds))))
        else:
            click.echo(json_text(document, indent=None))


def _parts(report: MissingReport, options: MissingOptions) -> list[RenderableType]:
    if not report.total:
        return [Text(tr("No PC lacks any of it."))]
    counts = FactTable()
    counts.column(tr("why"))
    counts.column(tr("PCs"), right=True)
    for reason, count in report.counts.items():
        counts.row(tr(reason.value), f"{count:,}")
    more = next_page(options.words(), size=options.size, after=report.after) if report.after else ""
    parts: list[RenderableType] = [counts]
    if report.follow_ups:
        parts.append(Text(tr("{number} of them are followed up.", number=report.follow_ups), style="dim"))
    return [*parts, Text(), _table(report), *end_of_rows(len(report.rows), report.total, more)]


def _table(report: MissingReport) -> FactTable:
    table = FactTable()
    table.column(tr("host"), least=NAME_CELLS)
    table.column(tr("site"), least=SITE_CELLS)
    if len(report.patches) > 1:
        table.column(tr("patch"), least=PATCH_CELLS)
    table.column(tr("why"))
    table.column(tr("lacking for"), tr("seen"), right=True)
    table.column(tr("ask"), least=NAME_CELLS)
    table.sentences(tr("what could be done"))
    for row in report.rows:
        said = _said(row)
        name = printable(row.pc.hostname or row.pc.endpoint_id)
        patch = [printable(str(row.patch.ref))] if len(report.patches) > 1 else []
        seen = tr("never")
        if row.pc.last_seen_at:
            seen = (
                tr("now") if row.pc.connected and report.serving else span(max(0.0, report.now - row.pc.last_seen_at))
            )
        table.row(
            name,
            printable(row.pc.site),
            *patch,
            tr(row.reason.value),
            span(max(0.0, report.now - row.since)),
            seen,
            printable(row.owner),
            sentences=[said],
            below=Text.assemble((f"{name}: ", "bold"), said),
        )
    return table


def _said(row: MissingPc) -> str:
    parts = [tr(row.proposal.value), printable(said_words(row)), printable(follow_up_words(row))]
    return "; ".join(filter(None, parts))


def show_follow_up(
    context: Context, actor: Actor, endpoint: str, state: str, *, patch: str, note: str, as_json: bool
) -> None:
    """Say what is done about a PC. Raises `UserError`."""
    meant = None if state == "none" else FollowUp(state)
    row, patches = follow_up(context, actor, text_of(endpoint), meant, patch=text_of(patch), note=text_of(note))
    name = row.hostname or row.endpoint_id
    if as_json:
        print_json(
            FollowUpDocument(
                endpoint_id=row.endpoint_id,
                hostname=row.hostname,
                follow_up=None if meant is None else meant.value,
                patches=tuple(patches),
            )
        )
    elif meant is None:
        say(f"Nothing is done about {printable(name)} any more, for {len(patches)} patches.")
    else:
        say(
            f"{printable(name)}: {meant.value}, for {len(patches)} patches. It ends by itself when the PC has them. "
            f"'seed-server report follow-up {shlex.quote(printable(name))} --state none' ends it now."
        )
