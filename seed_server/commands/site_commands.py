"""`seed-server sites`: how fast each site is sent to, and why."""

import click

from p2pdist.shared.console import json_option
from p2pdist.shared.watching import watch_option
from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import home_option
from seed_server.fleet.context import Context


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
