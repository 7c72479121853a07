"""Shows which PCs an expression is true of, as a table, as CSV, or as JSON."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from msgspec import Struct
from rich.console import Group, RenderableType
from rich.text import Text

from p2pdist.shared.console import ExitCode, json_text, print_json
from p2pdist.shared.language import span, tr, trn
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import NAME_CELLS, SITE_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.csv_text import csv_line
from seed_server.answers.inventory import (
    InventoryRowDocument,
)
from seed_server.answers.inventory_documents import inventory_document, inventory_row_document
from seed_server.commands.paging import end_of_rows, next_page, text_of
from seed_server.fleet.context import Context
from seed_server.fleet.endpoint_pages import PCS_OF_A_PAGE
from seed_server.fleet.inventory_queries import (
    InventoryAnswer,
    InventoryQuestion,
    PackageCount,
    ask_inventory,
    pcs_behind,
)

if TYPE_CHECKING:
    from seed_server.store.inventory_sets import InventoriedPc

MOST_ROWS_AT_ONCE = 100_000  # of --csv and --json-lines at once
VALUE_CELLS = 10


class InventoryOptions(Struct, frozen=True):
    """What was given for `inventory`."""

    expression: str
    site: str
    columns: str | None
    count_only: bool
    of_unknown: bool
    package: str
    max_days: int
    seconds: int
    size: int
    after: str
    as_csv: bool
    as_lines: bool
    as_json: bool

    def question(self) -> InventoryQuestion:
        """Return what they ask for. Raises `click.UsageError`."""
        if self.as_csv + self.as_lines + self.as_json > 1:
            raise click.UsageError("--csv, --json and --json-lines are three: give one of them.")
        if (self.count_only or self.package) and (self.as_csv or self.as_lines or self.of_unknown):
            raise click.UsageError("--count and --packages print no PCs: leave out --csv, --json-lines and --unknown.")
        columns = None if self.columns is None else text_of(self.columns).split(",")
        return InventoryQuestion(
            text_of(self.expression),
            text_of(self.site),
            None if columns is None else tuple(filter(None, map(str.strip, columns))),
            text_of(self.package),
            self.max_days,
            self.seconds,
        )

    def words(self) -> list[str]:
        """Return the command that asks for the same."""
        given = (
            ("--site", self.site),
            ("--columns", self.columns or ""),
            ("--max-age", str(self.max_days) if self.max_days != InventoryQuestion().max_days else ""),
        )
        words = [word for option, value in given if value for word in (option, value)]
        return ["seed-server", "inventory", self.expression, *words, *(["--unknown"] if self.of_unknown else [])]


def show_inventory(context: Context, options: InventoryOptions, *, most_rows: int = MOST_ROWS_AT_ONCE) -> None:
    """Print what is asked for. Raises `UserError`.

    Ends with 1 where all are asked for, and are more than ``most_rows``: then it says where it has ended.
    """
    found, now = ask_inventory(context, options.question()), context.clock.now()
    pcs = pcs_behind(found.unknown if options.of_unknown else found.true, text_of(options.after))
    if options.as_csv or options.as_lines:
        _print_rows(found, pcs, options, most_rows)
        return
    size = 0 if options.count_only or options.package else options.size or PCS_OF_A_PAGE
    shown = pcs[:size]
    following = str(shown[-1].number) if shown and len(pcs) > size else ""
    if options.as_json:
        print_json(inventory_document(found, shown, following, options.question(), of_unknown=options.of_unknown))
        return
    parts: list[RenderableType] = [_summary(found, options, now)]
    if found.package is not None:
        parts.append(_versions(found.package))
    if shown:
        of = len(found.unknown if options.of_unknown else found.true)
        more = next_page(options.words(), size=options.size, after=following) if following else ""
        parts += [_table(found, shown, options, now), *end_of_rows(len(shown), of, more)]
    wide_terminal().print(Group(*parts))


# --- for programs ------------------------------------------------------------------------


def _print_rows(found: InventoryAnswer, pcs: Sequence["InventoriedPc"], options: InventoryOptions, most: int) -> None:
    most = min(options.size or most, most)
    if options.as_csv:
        unknown = ["unknown"] if options.of_unknown else []
        click.echo(csv_line(["endpoint_id", "hostname", "site", "told_at", *unknown, *found.values]))
    for pc in pcs[:most]:
        row = inventory_row_document(found, pc, of_unknown=options.of_unknown)
        click.echo(_csv(row) if options.as_csv else json_text(row, indent=None))
    if len(pcs) > most:
        click.echo(tr("more behind: --after {place}", place=str(pcs[most - 1].number)), err=True)
        if not options.size:
            raise SystemExit(ExitCode.FAILED)


def _csv(row: InventoryRowDocument) -> str:
    at = "" if row.told_at is None else datetime.fromtimestamp(row.told_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    unknown = [] if row.unknown is None else [row.unknown]
    values = [value or "" for value in row.values.values()]
    return csv_line([row.endpoint_id, row.hostname, row.site or "", at, *unknown, *values])


# --- for people --------------------------------------------------------------------------


def _summary(found: InventoryAnswer, options: InventoryOptions, now: float) -> Text:
    lines = [
        trn(
            "Of {number} PC: true of {true}, false of {false}, not known of {unknown}.",
            "Of {number} PCs: true of {true}, false of {false}, not known of {unknown}.",
            found.total,
            true=len(found.true),
            false=found.false,
            unknown=len(found.unknown),
        )
    ]
    days = trn("{number} day", "{number} days", options.max_days)
    reasons = (
        (found.never, trn("{number} has told nothing", "{number} have told nothing", found.never)),
        (
            found.outdated,
            tr("{number} nothing within {days}", number=found.outdated, days=days),
        ),
        (
            len(found.withheld),
            trn(
                "{number} has its packages withheld by its administrator",
                "{number} have their packages withheld by their administrators",
                len(found.withheld),
            ),
        ),
        (
            found.incomplete,
            trn("{number} could not read all of it", "{number} could not read all of it", found.incomplete),
        ),
    )
    if said := [words for number, words in reasons if number]:
        lines.append(tr("Not known: {reasons}.", reasons=tr("; ").join(said)))
    if found.oldest_at is not None:
        lines.append(tr("What this goes by is at most {duration} old.", duration=span(max(0.0, now - found.oldest_at))))
    if not found.asked:
        lines.append(
            tr(
                "This server asks PCs for nothing (inventory_minutes = 0 in server.toml): what is known "
                "only gets older."
            )
        )
    return Text("\n".join(lines))


def _versions(package: PackageCount) -> FactTable:
    table = FactTable()
    table.column(tr("version"), least=NAME_CELLS)
    table.column(tr("rules"))
    table.column(tr("PCs"), right=True)
    for one in package.versions:
        table.row(printable(one.version), one.ecosystem.value, str(one.pcs))
    if package.without:
        table.row(tr("not installed"), "", str(package.without))
    if package.unknown:
        table.row(tr("not known"), "", str(package.unknown))
    return table


def _table(found: InventoryAnswer, pcs: Sequence["InventoriedPc"], options: InventoryOptions, now: float) -> FactTable:
    table = FactTable()
    table.column(tr("host"), least=NAME_CELLS)
    table.column(tr("site"), least=SITE_CELLS)
    for name in found.values:
        table.column(printable(name), least=VALUE_CELLS)
    table.column(tr("as it was"))
    if options.of_unknown:
        table.column(tr("why"))
    why = {
        "never": tr("told nothing"),
        "outdated": tr("too long ago"),
        "withheld": tr("withheld by its administrator"),
        "incomplete": tr("could not read all of it"),
    }
    for pc in pcs:
        values = [printable(of.get(pc.number, "-")) for of in found.values.values()]
        ago = "-" if pc.told_at is None else tr("{duration} ago", duration=span(max(0.0, now - pc.told_at)))
        unknown = [why[found.why_unknown(pc)]] if options.of_unknown else []
        table.row(printable(pc.hostname), printable(pc.site) or "-", *values, ago, *unknown)
    return table
