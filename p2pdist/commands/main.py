"""The `p2pdist` command line: enrol, run, status, peers, limiter, why, those of `patch_commands`, agent, doctor."""

import contextlib
import errno
import socket
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import click
import trio
from rich.console import Group, RenderableType
from rich.text import Text

from bandwidth.core.units import BytesPerSecond
from bandwidth.pictures.terminal import RateChart
from p2pdist import __version__
from p2pdist.commands.agent_command import agent_command
from p2pdist.commands.doctor_command import doctor_command
from p2pdist.commands.limiter_view import line_view
from p2pdist.commands.options import (
    anew_options,
    ask_here,
    home_option,
    pinned_root,
    root_pin_option,
)
from p2pdist.commands.patch_commands import COMMANDS
from p2pdist.commands.status_view import peers_view, status_view
from p2pdist.commands.token_input import read_token, token_file_option
from p2pdist.commands.views import asked_for, lan_view, why_view
from p2pdist.local_api.delivery_answers import (
    LimiterAnswer,
)
from p2pdist.local_api.messages import LIMITER, PEERS, STATUS, WHY, AnswerT, Command, Enrolled, Question
from p2pdist.pc import process_memory, system
from p2pdist.pc.chosen_address import load_address, save_address
from p2pdist.settings import EndpointHome, default_home
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.console import (
    json_option,
    print_json,
    run_command_line,
    terminal,
    with_language,
)
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import InvalidIdentifierError, PatchRef, given_name, parse_ip_address
from p2pdist.shared.language import tr
from p2pdist.shared.logs import configure_log
from p2pdist.shared.watching import WATCH_SECONDS, show, watch_option
from p2pdist.status.reasons import WhyReason

if TYPE_CHECKING:
    from p2pdist.identity.enrolment import Anew


def _address(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return parse_ip_address(value)
    except InvalidIdentifierError as error:
        raise click.BadParameter(str(error)) from error


def _check_own(address: str | None) -> None:
    """Raise `UserError` for an address that this PC does not have: else a failed connection would blame the server."""
    if address is None:
        return
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise UserError(
                    f"{address} is not an address of this PC. Give one of its own to --address, or leave it out.",
                    FaultKind.BAD_INPUT,
                ) from None


address_option = click.option(
    "--address",
    metavar="IP",
    callback=_address,
    help="Own address to listen on and connect from; by default the one given to enrol, else the one that routes to "
    "the server.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="p2pdist")
def p2pdist() -> None:
    """Get signed patches to this PC and share them with its neighbours.

    \b
    Examples:
      p2pdist enrol                 once; it asks for the token from your operator
      p2pdist run                   the daemon, in the foreground
      p2pdist status --watch        how far each patch is
      p2pdist peers                 which neighbours it swaps with, or why not
      p2pdist why KB5031455         why a patch is not here yet
      p2pdist limiter --watch       how fast it may share, and what binds it
      p2pdist plan                  what is to be installed, when, and what it waits for
      p2pdist posture               whether this PC is compliant
      p2pdist doctor                what is wrong here, and who can mend it

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not enrolled, 4 daemon not running, 5 refused,
    6 server unreachable, 7 bad input, 8 storage, 9 in use.
    """
    configure_log("warning")  # commands print what they did; `run` sets its own level


@p2pdist.command(short_help="Enrol this PC with a token.")
@home_option
@token_file_option
@click.argument("token", required=False, metavar="")  # hidden: arguments can be read by every user of the PC
@address_option
@click.option("--force", is_flag=True, help="Enrol again although this home is enrolled already.")
@root_pin_option
@anew_options
@json_option
def enrol(
    home: EndpointHome,
    token: str | None,
    token_file: str | None,
    address: str | None,
    force: bool,
    root_pin: str,
    anew: "AbstractSet[Anew]",
    as_json: bool,
) -> None:
    """Enrol this PC with the token that `seed-server token` printed; by default it is asked for.

    \b
    Examples:
      p2pdist enrol
      p2pdist enrol --token-file token.txt

    Where none is given, the token is that of the system's credential p2pdist.token, else that on the kernel's command
    line: p2pdist.token=TOKEN or p2pdist.token_file=FILE. What --address says, the daemon keeps to.

    The token says which trust root to expect. A PC that has it from elsewhere, by --root-pin or by root_pin in its
    config.toml, refuses a token that says another.
    """
    from p2pdist.daemon.home_lock import hold_lock
    from p2pdist.identity.enrolment import enrol as enrol_endpoint
    from p2pdist.shared.packet_size import with_safe_packets

    _check_own(address)
    token_text = read_token(token, token_file)
    # a running daemon would go on with the former identity, and store it again when it renews it
    held: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
    if "key" in anew and home.root.exists():
        held = hold_lock(home)
    try:
        with held:
            identity = trio.run(
                with_safe_packets(
                    lambda: enrol_endpoint(
                        home.root,
                        token_text,
                        hostname=system.hostname(),
                        now=SystemClock().now(),
                        local_address=address,
                        force=force,
                        anew=anew,
                        root_pin=pinned_root(home, root_pin),
                    )
                )
            )
    except PermissionError as error:
        raise UserError(
            f"{home.root} belongs to another user. Run this as the user that shall run the daemon.", FaultKind.STORAGE
        ) from error
    save_address(home.chosen_address, address)
    if as_json:
        print_json(Enrolled(endpoint_id=identity.endpoint_id, server=identity.server_name))
    else:
        click.echo(tr("Enrolled as {id} with {server}.", id=identity.endpoint_id, server=identity.server_name))
        at = "" if home.root == default_home() else f" --home {home.root}"
        click.echo(tr("Start the daemon with: {command}", command=f"p2pdist run{at}"))


@p2pdist.command(short_help="Run the daemon, in the foreground.")
@home_option
@address_option
def run(home: EndpointHome, address: str | None) -> None:
    """Run the daemon in the foreground; SIGTERM or Ctrl-C stops it cleanly.

    \b
    Example:
      p2pdist run
    """
    # the daemon's libraries take a while to load; other commands must not wait for them
    from p2pdist.daemon.composition import run_daemon
    from p2pdist.pc import system

    process_memory.keep_small()
    system.give_way()
    trio.run(run_daemon, home, address or load_address(home.chosen_address))


@p2pdist.command(short_help="Show each patch: state, progress, bytes by source.")
@home_option
@json_option
@watch_option
def status(home: EndpointHome, as_json: bool, watch: bool) -> None:
    """Show each patch: state, progress, where its bytes came from.

    \b
    Examples:
      p2pdist status
      p2pdist status --json | jq '.patches[] | select(.state != "verified")'
    """
    _show(home, STATUS, status_view, as_json=as_json, watch=watch)


@p2pdist.command(short_help="Show each neighbour: connected, or why not.")
@home_option
@json_option
@watch_option
def peers(home: EndpointHome, as_json: bool, watch: bool) -> None:
    """Show each neighbour, how it became known, and whether it is connected or why not.

    \b
    Example:
      p2pdist peers --watch
    """
    _show(home, PEERS, lambda answer, _columns: peers_view(answer), as_json=as_json, watch=watch)


@p2pdist.command(short_help="Show how fast it shares, and what binds it.")
@home_option
@json_option
@watch_option
def limiter(home: EndpointHome, as_json: bool, watch: bool) -> None:
    """Show the site's and the LAN's rates, the binding limit and its reason, and the time spent under each reason.

    \b
    Examples:
      p2pdist limiter --watch
      p2pdist limiter --json | jq .upload.reason
    """
    chart = RateChart(look_seconds=WATCH_SECONDS) if watch else None
    _show(home, LIMITER, lambda answer, _: _limiter_view(answer, chart), as_json=as_json, watch=watch)


@p2pdist.command(short_help="Say why a patch is not here, or not installed.")
@home_option
@click.argument("patch")
@json_option
def why(home: EndpointHome, patch: str, as_json: bool) -> None:
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


for _command in (*COMMANDS, agent_command, doctor_command):
    p2pdist.add_command(_command)
with_language(p2pdist)


def main() -> None:
    """Entry point of the console script."""
    run_command_line(p2pdist)
