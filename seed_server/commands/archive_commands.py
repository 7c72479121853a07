"""`seed-server archive`: months that have left the database, whether they are whole, and what holds them."""

from typing import Any

import click

from p2pdist.shared.console import ExitCode, json_option, print_json, say
from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.history import (
    ArchivesDocument,
    ArchiveVerifyDocument,
)
from seed_server.answers.history_documents import archive_document, legal_hold_document
from seed_server.commands.history_options import HistoryOptions, history_options
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import actor_of, home_needing
from seed_server.commands.texts import utc_minute
from seed_server.fleet import legal_holds
from seed_server.fleet.archives import Archive, FileState, list_archives
from seed_server.fleet.context import Context
from seed_server.fleet.roles import WHOLE_FLEET

_home_option = home_needing("audit", WHOLE_FLEET)
_FAULTS = frozenset({"changed", "missing", "unknown"})


@click.group("archive")
def archive_group() -> None:
    """Months of what PCs did that have left the database: list, verify and search their files, and hold what would go
    after its time.

    \b
    Examples:
      seed-server archive list
      seed-server archive verify
      seed-server archive search --endpoint pc-17 --since 2025-01
      seed-server archive hold --reason "case 17"
    """


@archive_group.command("list", cls=LookingCommand, short_help="List archived months, and legal holds.")
@_home_option
@json_option
def list_command(context: Context, as_json: bool) -> None:
    """List archived months, whether their files are there, and legal holds.

    \b
    Example:
      seed-server archive list
    """
    found = list_archives(context, check=False)
    holds = legal_holds.read_legal_holds(context)
    if as_json:
        archives, held = tuple(map(archive_document, found)), tuple(map(legal_hold_document, holds))
        print_json(ArchivesDocument(archives=archives, holds=held))
        return
    if found:
        wide_terminal().print(_table(found))
    else:
        say("No month is archived yet.")
    for hold in holds:
        if hold.released_at is None:
            click.echo(
                tr(
                    "Held since {time} by {who} ({number}): {reason}",
                    time=utc_minute(hold.begun_at),
                    who=printable(hold.begun_by),
                    number=hold.number,
                    reason=printable(hold.reason),
                )
            )


@archive_group.command("verify", cls=LookingCommand, short_help="Verify archives against the audit log.")
@_home_option
@json_option
def verify_command(context: Context, as_json: bool) -> None:
    """Compute the hash of each archive, and hold it to the one in the audit log. Ends with 1 unless all are intact.

    Intact: as the audit log says. Changed: it is not. Missing: it is not there. Unknown: the audit log says nothing of
    it. Whether the audit log itself is whole, 'seed-server audit verify' says.

    \b
    Example:
      seed-server archive verify && seed-server audit verify
    """
    found = list_archives(context, check=True)
    faults = [one for one in found if one.state in _FAULTS]
    if as_json:
        print_json(ArchiveVerifyDocument(whole=not faults, archives=tuple(map(archive_document, found))))
    elif faults:
        wide_terminal().print(_table(faults))
        say("These archives are NOT what the audit log vouches for. Restore them from a backup.")
    else:
        intact = sum(one.state == "intact" for one in found)
        click.echo(tr("All {number} archives are what the audit log vouches for.", number=intact))
    if faults:
        raise SystemExit(ExitCode.FAILED)


@archive_group.command("search", cls=LookingCommand, short_help="Search archived months.")
@_home_option
@history_options
def search_command(context: Context, **given: Any) -> None:
    """Show what PCs did with patches in months that have left the database. 'seed-server report history' shows the
    months in the database too.

    A file is read only if it is what the audit log vouches for. Ends with 1 where one is not.

    \b
    Example:
      seed-server archive search --patch office --site leeds --since 2025-01 --until 2025-06 --csv
    """
    from seed_server.commands.history_view import show_history

    show_history(context, ["seed-server", "archive", "search"], HistoryOptions(**given), archives_only=True)


@archive_group.command("hold", short_help="Keep all that happened until this is released.")
@_home_option
@click.option("--reason", required=True, metavar="TEXT", help="Why: it is in the audit log.")
@json_option
def hold_command(context: Context, reason: str, as_json: bool) -> None:
    """Keep all that happened, whatever [retention] in server.toml says, until every hold is released.

    Months still move from the database into archives: nothing is lost by that.

    \b
    Example:
      seed-server archive hold --reason "case 17"
    """
    held = legal_holds.hold_history(context, actor_of(context), reason)
    if as_json:
        print_json(legal_hold_document(held))
        return
    click.echo(
        tr("Nothing goes after its time now. To end that: seed-server archive release {number}", number=held.number)
    )


@archive_group.command("release", short_help="Release a legal hold.")
@_home_option
@click.argument("number", type=click.IntRange(1, 1 << 31), metavar="NUMBER")
@click.option("--reason", default="", metavar="TEXT", help="Why: it is in the audit log.")
@json_option
def release_command(context: Context, number: int, reason: str, as_json: bool) -> None:
    """Release legal hold NUMBER. When no other one holds, what has had its time goes, as [retention] says.

    \b
    Example:
      seed-server archive release 1 --reason "the case is closed"
    """
    released = legal_holds.release_history(context, actor_of(context), number, reason)
    if as_json:
        print_json(legal_hold_document(released))
    else:
        click.echo(tr("Legal hold {number} is released.", number=number))


def _table(found: list[Archive]) -> FactTable:
    table = FactTable()
    table.column(tr("month"), tr("file"), tr("state"))
    table.column(tr("events"), tr("bytes"), right=True)
    table.column(tr("archived"))
    for one in found:
        at = utc_minute(one.archived_at) if one.archived_at else "?"
        table.row(one.month or "?", printable(one.file), _words(one.state), f"{one.events:,}", f"{one.bytes:,}", at)
    return table


def _words(state: FileState) -> str:
    return {
        "present": tr("present"),
        "intact": tr("intact"),
        "changed": tr("changed"),
        "missing": tr("missing"),
        "unknown": tr("unknown"),
        "removed": tr("removed"),
    }[state]
