"""Shows what PCs did with patches, as a table, as CSV, or as JSON: never more of it in memory than a page."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice

import click
from rich.console import Group
from rich.text import Text

from p2pdist.shared.console import ExitCode, json_text, print_json, say, say_error
from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.state_words import STATE_STYLES, state_word
from p2pdist.shared.tables import NAME_CELLS, PATCH_CELLS, SITE_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.csv_text import csv_line
from seed_server.answers.history import HistoryPageDocument
from seed_server.answers.history_documents import history_document
from seed_server.commands.history_options import HistoryOptions
from seed_server.commands.paging import end_of_rows, next_page, text_of
from seed_server.commands.texts import utc_minute
from seed_server.fleet.context import Context
from seed_server.fleet.history_queries import HistoryPlace, HistoryReader
from seed_server.store.event_rows import HistoryRow

EVENTS_OF_A_PAGE = 40
CSV_HEADINGS = (
    "at", "endpoint_id", "hostname", "site", "patch_id", "version", "state", "install", "because",
)  # fmt: skip


def show_history(context: Context, command: Sequence[str], options: HistoryOptions, *, archives_only: bool) -> None:
    """Print what is asked for: a page as a table or a document, all of it as CSV or in lines.

    Ends with 1 where an archive could not be read. ``command`` is what was typed, without options. Raises `UserError`.
    """
    reader = HistoryReader(context, options.asked(), archives_only=archives_only)
    rows = reader.rows(HistoryPlace.read(text_of(options.after)) if options.after else None)
    if options.as_lines or options.as_csv:
        _print_rows(rows, options)
    else:
        _print_page(reader, rows, [*command, *options.words()], options)
    for problem in reader.problems:
        say_error(problem)
    if reader.removed and not options.as_json:
        months = ", ".join(reader.removed)
        click.echo(tr("Removed after their time, and not in this: {months}", months=months), err=True)
    if reader.problems:
        raise SystemExit(ExitCode.FAILED)


def _print_rows(rows: Iterator[tuple[HistoryPlace, HistoryRow]], options: HistoryOptions) -> None:
    if options.as_csv:
        click.echo(csv_line(CSV_HEADINGS))
    for count, (place, row) in enumerate(rows, 1):
        click.echo(_csv(row) if options.as_csv else json_text(history_document(row), indent=None))
        if count == options.size:
            if next(rows, None) is not None:
                click.echo(tr("more behind: --after {place}", place=str(place)), err=True)
            return


def _print_page(
    reader: HistoryReader,
    rows: Iterator[tuple[HistoryPlace, HistoryRow]],
    command: Sequence[str],
    options: HistoryOptions,
) -> None:
    size = options.size or EVENTS_OF_A_PAGE
    found = list(islice(rows, size + 1))
    shown, following = found[:size], str(found[size - 1][0]) if len(found) > size else ""
    if options.as_json:
        print_json(
            HistoryPageDocument(
                rows=tuple(history_document(row) for _, row in shown),
                next=following or None,
                unread=tuple(reader.problems),
                removed=tuple(reader.removed),
            )
        )
    elif shown:
        more = next_page(command, size=options.size, after=following) if following else ""
        wide_terminal().print(Group(_table([row for _, row in shown]), *end_of_rows(len(shown), None, more)))
    elif not reader.problems:
        say("Nothing of that kind is known here.")


def _table(rows: Sequence[HistoryRow]) -> FactTable:
    table = FactTable()
    table.column(tr("when"))
    table.column(tr("host"), least=NAME_CELLS)
    table.column(tr("site"), least=SITE_CELLS)
    table.column(tr("patch"), least=PATCH_CELLS)
    table.column(tr("came to"))
    explained = any(row.because for row in rows)
    table.sentences(*([tr("because")] if explained else []))
    for row in rows:
        host = printable(row.hostname or row.endpoint_id or "?")
        patch = f"{row.patch_id}@{row.version}" if row.patch_id else "?"
        why, state = printable(row.because), row.install or row.state
        below = Text.assemble((f"{host}, {patch}: ", "bold"), why) if why else None
        table.row(
            utc_minute(row.at),
            host,
            "?" if row.site is None else printable(row.site),
            printable(patch),
            Text(state_word(state), style=STATE_STYLES.get(state, "")),
            sentences=[why] if explained else [],
            below=below,
        )
    return table


def _csv(row: HistoryRow) -> str:
    at = datetime.fromtimestamp(row.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    site = "?" if row.site is None else row.site
    return csv_line(
        (at, row.endpoint_id, row.hostname, site, row.patch_id, row.version, row.state, row.install, row.because)
    )
