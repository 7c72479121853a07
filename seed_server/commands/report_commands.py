"""`seed-server report`: what happened, for whoever has to account for it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from p2pdist.shared.console import json_option
from seed_server.commands.completing import endpoint_names, patch_names, site_names
from seed_server.commands.history_options import HistoryOptions, history_options
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import actor_of, home_option
from seed_server.commands.paging import paging_options
from seed_server.fleet.context import Context
from seed_server.reporting.compliance import COMPLIANCE_DAYS, MOST_COMPLIANCE_DAYS
from seed_server.reporting.missing_pcs import SILENT_DAYS

MOST_LEVEL_DAYS = 3_650
MOST_SILENT_DAYS = 365
FOLLOW_UP_STATES = ("told", "ticket", "visit", "retired")


@click.group("report")
def report_group() -> None:
    """Account for what happened: service levels, who is missing, what a patch did, and each PC's history.

    \b
    Examples:
      seed-server report sla --page levels.html
      seed-server report missing office --site leeds
      seed-server report patch office@1.2
      seed-server report history --patch office --since 2026-01
    """


_page_option = click.option(
    "--page",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a page to print, one file of HTML in the language of the screens.",
)
_csv_option = click.option("--csv", "as_csv", is_flag=True, help="Print all of it as CSV.")
_lines_option = click.option("--json-lines", "as_lines", is_flag=True, help="Print all, one JSON document a line.")


def _silent_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--silent-days",
        default=SILENT_DAYS,
        metavar="DAYS",
        show_default=True,
        type=click.IntRange(1, MOST_SILENT_DAYS),
        help="Who was not seen for so long is silent.",
    )(command)


@report_group.command("sla", cls=LookingCommand, short_help="Whether patches came to enough PCs in time.")
@home_option
@click.option("--patch", default="", metavar="ID[@V]", help="Only this patch.", shell_complete=patch_names)
@click.option("--rule", default="", metavar="NAME", help="Only this rule of server.toml.")
@click.option(
    "--days",
    default=90,
    metavar="DAYS",
    show_default=True,
    type=click.IntRange(0, MOST_LEVEL_DAYS),
    help="Only patches that were published in the last days; 0: all.",
)
@click.option("--replaced", is_flag=True, help="Also patches in whose place something newer is.")
@_silent_option
@_csv_option
@_lines_option
@_page_option
@json_option
def sla_command(context: Context, **given: Any) -> None:
    """Show whether patches came to enough PCs in time, by the rules [[sla]] of server.toml.

    The share is of all PCs to which a patch applies. PCs that an exception holds back, and silent ones, are shown, and
    not left out; PCs that have said nothing of a patch are counted by themselves, and may leave a verdict open.

    \b
    Examples:
      seed-server report sla
      seed-server report sla --rule critical --days 365 --csv > critical.csv
      seed-server --language ja report sla --page levels.html
    """
    from seed_server.commands.report_levels_view import LevelsOptions, show_levels

    show_levels(context, LevelsOptions(**given))


@report_group.command("compliance", cls=LookingCommand, short_help="How large a part is done, day by day.")
@home_option
@click.option(
    "--days",
    default=COMPLIANCE_DAYS,
    metavar="DAYS",
    show_default=True,
    type=click.IntRange(1, MOST_COMPLIANCE_DAYS),
    help="The last days.",
)
@json_option
def compliance_command(context: Context, days: int, as_json: bool) -> None:
    """Show how large a part of PCs and patches was done at the end of each day, by rules too where there are any.

    It is of the PCs and patches of now; a PC that has said nothing of a patch counts as one that lacks it.

    \b
    Examples:
      seed-server report compliance
      seed-server report compliance --days 90 --json
    """
    from seed_server.commands.report_compliance_view import show_compliance

    show_compliance(context, days, as_json=as_json)


@report_group.command("missing", cls=LookingCommand, short_help="Which PCs lack a patch, why, and what could be done.")
@home_option
@click.argument("patch", default="", metavar="[PATCH]", shell_complete=patch_names)
@click.option("--site", default="", metavar="NAME", help="Only PCs seen last at this site.", shell_complete=site_names)
@click.option("--reason", default="", metavar="CODE", help="Only PCs that lack it for this reason, as --json has it.")
@click.option("--owner", default="", metavar="NAME", help="Only PCs about which this one is to be asked.")
@_silent_option
@paging_options("PCs")
@_csv_option
@_lines_option
@_page_option
@json_option
def missing_command(context: Context, **given: Any) -> None:
    """Show which PCs lack PATCH, or any patch that is offered: why, since when, whom to ask, and what could be done.

    Each PC has exactly one reason: what has to go before any other can. Denied PCs are shown too.

    \b
    Examples:
      seed-server report missing
      seed-server report missing office --reason silent --csv > silent.csv
      seed-server report missing office@1.2 --site leeds --page leeds.html
    """
    from seed_server.commands.report_missing_view import MissingOptions, show_missing

    show_missing(context, MissingOptions(**given))


@report_group.command("follow-up", short_help="Say what is done about a PC that lacks patches.")
@home_option
@click.argument("endpoint", metavar="PC", shell_complete=endpoint_names)
@click.option("--state", metavar="STATE", type=click.Choice([*FOLLOW_UP_STATES, "none"]), required=True,
              help="told, ticket, visit, retired; none: nothing any more.")  # fmt: skip
@click.option("--patch", default="", metavar="ID[@V]", help="Only for this patch.", shell_complete=patch_names)
@click.option("--note", default="", metavar="TEXT", help="A ticket's number, or a sentence.")
@json_option
def follow_up_command(context: Context, endpoint: str, state: str, patch: str, note: str, as_json: bool) -> None:
    """Say what is done about a PC that lacks patches: `report missing` shows it beside the PC.

    It ends by itself, for each patch, when the PC has it.

    \b
    Examples:
      seed-server report follow-up till-07 --state ticket --note "IT-4711"
      seed-server report follow-up till-07 --patch office --state none
    """
    from seed_server.commands.report_missing_view import show_follow_up

    show_follow_up(context, actor_of(context), endpoint, state, patch=patch, note=note, as_json=as_json)


@report_group.command("patch", cls=LookingCommand, short_help="What a patch is, who needs it, what it did.")
@home_option
@click.argument("patch", metavar="PATCH", shell_complete=patch_names)
@_silent_option
@_page_option
@json_option
def patch_command(context: Context, patch: str, silent_days: int, page: Path | None, as_json: bool) -> None:
    """Explain a patch: what it mends, who needs it, what it did, what went wrong, and who decided what.

    \b
    Examples:
      seed-server report patch office
      seed-server --language ja report patch office@1.2 --page office.html
    """
    from seed_server.commands.report_patch_view import show_patch

    show_patch(context, patch, silent_days=silent_days, page=page, as_json=as_json)


@report_group.command("history", cls=LookingCommand, short_help="Which patch, when, on which PC.")
@home_option
@history_options
def history_command(context: Context, **given: Any) -> None:
    """Show what PCs did with patches and when: in the months that are in the database, and in the archives of those
    from before, as one. PCs that were forgotten since have their names still.

    By month, then by PC in the order of enrolment, then by time. --csv and --json-lines print all; the others a page.
    Ends with 1 where an archive cannot be read: then it says which, and the rest is shown.

    \b
    Examples:
      seed-server report history --endpoint pc-17
      seed-server report history --patch office@1.2 --since 2026-03 --until 2026-05 --csv > office.csv
      seed-server report history --site leeds --since 2026-11-30T08:00 --json-lines
    """
    from seed_server.commands.history_view import show_history

    show_history(context, ["seed-server", "report", "history"], HistoryOptions(**given), archives_only=False)
