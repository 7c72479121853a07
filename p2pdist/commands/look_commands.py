"""`p2pdist status`, `peers`, `limiter` and `why`: what the daemon answers."""

from collections.abc import Callable

import click
from rich.console import Group, RenderableType
from rich.text import Text

from bandwidth.core.units import BytesPerSecond
from bandwidth.pictures.terminal import RateChart
from p2pdist.commands.completing import patch_names
from p2pdist.commands.limiter_view import line_view
from p2pdist.commands.options import ask_here, home_option
from p2pdist.commands.status_view import peers_view, status_view
from p2pdist.commands.views import asked_for, lan_view, why_view
from p2pdist.local_api.delivery_answers import LimiterAnswer
from p2pdist.local_api.messages import LIMITER, PEERS, STATUS, WHY, AnswerT, Command, Question
from p2pdist.settings import EndpointHome
from p2pdist.shared.console import json_option, print_json
from p2pdist.shared.identifiers import PatchRef, given_name
from p2pdist.shared.language import tr
from p2pdist.shared.terminal import terminal
from p2pdist.shared.watching import WATCH_SECONDS, show, watch_option
from p2pdist.status.reasons import WhyReason


@click.command("status")
@home_option
@json_option
@watch_option
def status_command(home: EndpointHome, as_json: bool, watch: bool) -> None:
    """Show each patch: state, progress, where its bytes came from.

    \b
    Examples:
      p2pdist status
      p2pdist status --json | jq '.patches[] | select(.state != "verified")'
    """
    _show(home, STATUS, status_view, as_json=as_json, watch=watch)


@click.command("peers")
@home_option
@json_option
@watch_option
def peers_command(home: EndpointHome, as_json: bool, watch: bool) -> None:
    """Show each neighbour, how it became known, and whether it is connected or why not.

    \b
    Example:
      p2pdist peers --watch
    """
    _show(home, PEERS, lambda answer, _columns: peers_view(answer), as_json=as_json, watch=watch)


@click.command("limiter")
@home_option
@json_option
@watch_option
def limiter_command(home: EndpointHome, as_json: bool, watch: bool) -> None:
    """Show the site's and the LAN's rates, the binding limit and its reason, and the time spent under each reason.

    \b
    Examples:
      p2pdist limiter --watch
      p2pdist limiter --json | jq .upload.reason
    """
    chart = RateChart(look_seconds=WATCH_SECONDS) if watch else None
    _show(home, LIMITER, lambda answer, _: _limiter_view(answer, chart), as_json=as_json, watch=watch)


@click.command("why")
@home_option
@click.argument("patch", shell_complete=patch_names)
@json_option
def why_command(home: EndpointHome, patch: str, as_json: bool) -> None:
    """Say why PATCH (an id, or ID@VERSION) is not here or not installed yet, and the time spent waiting for what.

    \b
    Example:
      p2pdist why KB5031455
    """
    given_name(PatchRef.named, patch)
    answer = asked_for(ask_here(home, WHY), patch, WhyReason.NOT_ROLLED_OUT)
    if as_json:
        print_json(answer)
    else:
        terminal().print(why_view(answer))


def _limiter_view(answer: LimiterAnswer, chart: RateChart | None) -> RenderableType:
    parts: list[RenderableType] = [line_view(answer)]
    if chart is not None:  # of what is used: what is allowed stands above it
        chart.add(BytesPerSecond(answer.download.used), None)
        parts += ["", Text(tr("from neighbours, as measured"), style="dim"), chart]
    return Group(*parts, "", lan_view(answer))


def _show(
    home: EndpointHome,
    command: Command[Question, AnswerT],
    view: Callable[[AnswerT, int], RenderableType],
    *,
    as_json: bool,
    watch: bool,
) -> None:
    show(
        lambda: ask_here(home, command),
        lambda answer: answer,
        view,
        as_json=as_json,
        watch=watch,
    )
