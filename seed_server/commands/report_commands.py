"""`seed-server report`: what happened, for whoever has to account for it."""

from typing import Any

import click

from seed_server.commands.history_options import HistoryOptions, history_options
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import home_option
from seed_server.fleet.context import Context


@click.group("report")
def report_group() -> None:
    """Account for what happened.

    \b
    Example:
      seed-server report history --patch office --since 2026-01
    """


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
