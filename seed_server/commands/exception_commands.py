"""`seed-server exception`: hold patches back from some PCs until a day."""

import click
from rich.text import Text

from p2pdist.shared.console import json_option, print_json, say
from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.tables import NAME_CELLS, FactTable
from p2pdist.shared.terminal import wide_terminal
from seed_server.answers.rollout_documents import exception_document
from seed_server.commands.completing import exception_numbers, patch_names
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import actor_of, home_option
from seed_server.commands.texts import utc_minute
from seed_server.fleet import exception_operations, queries, rollout_queries
from seed_server.fleet.context import Context


@click.group("exception")
def exception_group() -> None:
    """Hold patches back from some PCs until a day. Each exception ends by itself, and has an owner and a reason."""


@exception_group.command("add", short_help="Hold a patch back.")
@home_option
@click.option(
    "--patch", default="", metavar="ID[@V]", help="Which patch; every one when not given.", shell_complete=patch_names
)
@click.option("--who", required=True, metavar="EXPR", help='Which PCs; "" for all.')
@click.option("--until", required=True, metavar="DATE", help="Its last day (UTC), in 180 days at most: 2026-12-24.")
@click.option("--reason", required=True, metavar="TEXT", help="Why, in one line; the PCs show it.")
@click.option("--owner", required=True, metavar="NAME", help="Whom to ask about it.")
@json_option
def add_command(context: Context, patch: str, who: str, until: str, reason: str, owner: str, as_json: bool) -> None:
    """Hold a patch back from the PCs for which an expression holds.

    \b
    Example:
      seed-server exception add --patch acme --who '"till" in tags' --until 2026-12-24 \\
          --reason "Christmas trade" --owner "Store IT"
    """
    ends_at = exception_operations.end_of_day(until)
    row = exception_operations.add_exception(
        context, actor_of(context), who=who, until=ends_at, reason=reason, owner=owner, patch=patch
    )
    if as_json:
        print_json(exception_document(row))
    else:
        say(f"Exception {row.number} holds until {utc_minute(row.ends_at)}.")
        if patch and not any(offer.manifest.ref.matches(patch) for offer in queries.read_offers(context)):
            say(f"No {patch} is published here yet: it holds nothing back until one is.")


@exception_group.command("list", cls=LookingCommand, short_help="List the exceptions.")
@home_option
@click.option("--all", "everything", is_flag=True, help="Those that are over, too.")
@json_option
def list_command(context: Context, everything: bool, as_json: bool) -> None:
    """List the exceptions that hold PCs back now, the newest first.

    \b
    Example:
      seed-server exception list --all
    """
    found = rollout_queries.read_exceptions(context, holding=not everything)
    if as_json:
        print_json([exception_document(row) for row in found])
        return
    if not found:
        say("No exception holds PCs back.")
        return
    table = FactTable()
    table.column(tr("exception"), tr("patch"), least=NAME_CELLS, folds=True)
    table.column(tr("until"), tr("owner"))
    table.sentences(tr("reason"))
    for row in found:
        said = Text(f"{printable(row.reason)} ({printable(row.expression) or tr('every PC')})")
        until = utc_minute(row.ends_at if row.ended_at is None else row.ended_at)
        patch = row.patch or tr("every patch")
        below = Text.assemble((f"{row.number}: ", "bold"), said)
        table.row(str(row.number), patch, until, printable(row.owner), sentences=[said], below=below)
    wide_terminal().print(table)


@exception_group.command("end", short_help="End an exception now.")
@home_option
@click.argument("number", type=int, metavar="EXCEPTION", shell_complete=exception_numbers)
@json_option
def end_command(context: Context, number: int, as_json: bool) -> None:
    """End an exception before its day.

    \b
    Example:
      seed-server exception end 3
    """
    row = exception_operations.end_exception(context, actor_of(context), number)
    if as_json:
        print_json(exception_document(row))
    else:
        say(f"Exception {row.number} has ended.")
