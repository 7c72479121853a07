"""`seed-server sites` and `site`: how fast sites are sent to, and why; what a site's line did."""

from pathlib import Path

import click

from p2pdist.shared.console import json_option
from p2pdist.shared.watching import watch_option
from seed_server.commands.completing import site_names
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import home_option
from seed_server.fleet.context import Context
from seed_server.reporting.line_history import MOST_HOURS


@click.command("sites", cls=LookingCommand)
@home_option
@json_option
@watch_option
def sites_command(context: Context, as_json: bool, watch: bool) -> None:
    """Show how fast each site is sent to, what binds, how long each reason held, and WAN bytes ÷ file.

    \b
    Examples:
      seed-server sites --watch
      seed-server sites --json | jq '.sites[] | select(.active) | {site, rate, reason}'
    """
    from seed_server.commands import sites_view

    sites_view.show_sites(context, as_json=as_json, watch=watch)


@click.group("site")
def site_group() -> None:
    """Look at one site: what limits it now, and what its line did.

    \b
    Examples:
      seed-server site why leeds
      seed-server site history leeds --hours 168 --picture leeds.svg
    """


@site_group.command("why", cls=LookingCommand, short_help="Say what limits a site now.")
@home_option
@click.argument("site", metavar="SITE", shell_complete=site_names)
@json_option
def why_command(context: Context, site: str, as_json: bool) -> None:
    """Say in one sentence what limits a site now, or what did last, and how long ago that was.

    \b
    Example:
      seed-server site why leeds
    """
    from seed_server.commands.site_history_view import show_why

    show_why(context, site, as_json=as_json)


@site_group.command("history", cls=LookingCommand, short_help="Show what a site's line did.")
@home_option
@click.argument("site", metavar="SITE", shell_complete=site_names)
@click.option(
    "--hours", default=24, metavar="N", show_default=True, type=click.IntRange(1, MOST_HOURS), help="The last hours."
)
@click.option("--picture", type=click.Path(path_type=Path), metavar="FILE", help="Draw it here: .svg.")
@json_option
def history_command(context: Context, site: str, hours: int, picture: Path | None, as_json: bool) -> None:
    """Show what was sent to a site, what limited it for how long, and how business fared beside it.

    Ten minutes each are kept for eight days, and hours for ninety. What the server has not watched is missing.

    \b
    Examples:
      seed-server site history leeds
      seed-server site history leeds --hours 168 --json
      seed-server site history leeds --picture leeds.svg
    """
    from seed_server.commands.site_history_view import show_history

    show_history(context, site, hours, as_json=as_json, file=picture)
