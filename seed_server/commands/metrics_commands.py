"""`seed-server metrics`: figures for a monitoring system."""

import click

from seed_server.commands.looking import LookingCommand
from seed_server.commands.options import home_option
from seed_server.fleet.context import Context


@click.command("metrics", cls=LookingCommand)
@home_option
def metrics_command(context: Context) -> None:
    """Print figures of the fleet in the format of Prometheus: PCs, patches, rollouts, lines, expiries, disk.

    \b
    Example, for the textfile collector of node-exporter, each minute:
      seed-server metrics > /var/lib/node-exporter/p.prom.new && mv /var/lib/node-exporter/p.prom{.new,}
    """
    from seed_server.automation.metrics import metrics_text

    click.echo(metrics_text(context), nl=False)
