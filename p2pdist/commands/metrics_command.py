"""`p2pdist metrics`: figures of this PC for a monitoring system."""

import click

from p2pdist.commands.metrics_figures import pc_figures
from p2pdist.commands.options import ask_here, home_option
from p2pdist.local_api.messages import LIMITER, PEERS, PLAN, STATUS, AnswerT, Command, Question
from p2pdist.settings import EndpointHome
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.exposition import exposition


@click.command("metrics")
@home_option
def metrics_command(home: EndpointHome) -> None:
    """Print figures of this PC in the format of Prometheus: patches, bytes by source, limits, neighbours, disk.

    Other users than root are told those of `status` and `plan` alone.

    \b
    Example, for the textfile collector of node-exporter, each minute:
      p2pdist metrics > /var/lib/node-exporter/p.prom.new && mv /var/lib/node-exporter/p.prom{.new,}
    """
    status, plan = ask_here(home, STATUS), ask_here(home, PLAN)
    figures = pc_figures(status, plan, _if_allowed(home, LIMITER), _if_allowed(home, PEERS))
    click.echo(exposition(figures), nl=False)


def _if_allowed(home: EndpointHome, command: Command[Question, AnswerT]) -> AnswerT | None:
    """Return an answer; None for whom the daemon tells it not."""
    try:
        return ask_here(home, command)
    except UserError as error:
        if error.kind in (FaultKind.REFUSED, FaultKind.NOT_RUNNING):  # the socket of root cannot be reached either
            return None
        raise
