"""The `p2pdist` command line: enrol, run, status, peers, limiter, why, and those of `patch_commands`."""

import contextlib
import errno
import socket
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import click
import trio
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bandwidth.core.quantities import bytes_text, duration_text
from bandwidth.core.units import BytesPerSecond
from bandwidth.pictures.terminal import RateChart
from p2pdist import __version__
from p2pdist.commands.limiter_view import line_view
from p2pdist.commands.options import anew_options, check_enrolled, home_option, pinned_root, root_pin_option
from p2pdist.commands.patch_commands import COMMANDS
from p2pdist.commands.token_input import read_token, token_file_option
from p2pdist.commands.views import asked_for, lan_view, why_view
from p2pdist.local_api.delivery_answers import (
    LimiterAnswer,
    NetworkPartStatus,
    PeersAnswer,
    StatusAnswer,
    StatusPatch,
)
from p2pdist.local_api.messages import LIMITER, PEERS, STATUS, WHY, AnswerT, Command, Enrolled, Question
from p2pdist.local_api.socket import ask_daemon
from p2pdist.pc import process_memory, system
from p2pdist.settings import EndpointHome
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.console import (
    STATE_STYLES,
    WIDE_COLUMNS,
    json_option,
    print_json,
    run_command_line,
    terminal,
)
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import InvalidIdentifierError, parse_ip_address
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
    help="Own address to listen on and connect from; by default the one that routes to the server.",
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
      p2pdist enrol --home /var/lib/p2pdist --token-file token.txt

    The token says which trust root to expect. A PC that has it from elsewhere, by --root-pin or by root_pin in its
    config.toml, refuses a token that says another.
    """
    from p2pdist.daemon.home_lock import hold_lock
    from p2pdist.identity.enrolment import enrol as enrol_endpoint
    from p2pdist.shared.packet_size import with_safe_packets

    _check_own(address)
    token_text = read_token(token, token_file)
    # a running daemon would go on with the former identity, and store it again when it renews it
    held = hold_lock(home) if "key" in anew and home.root.exists() else contextlib.nullcontext()
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
    if as_json:
        print_json(Enrolled(endpoint_id=identity.endpoint_id, server=identity.server_name))
    else:
        click.echo(f"Enrolled as {identity.endpoint_id} with {identity.server_name}.")
        own = f" --address {address}" if address else ""
        click.echo(f"Start the daemon with: p2pdist run --home {home.root}{own}")


@p2pdist.command(short_help="Run the daemon, in the foreground.")
@home_option
@address_option
def run(home: EndpointHome, address: str | None) -> None:
    """Run the daemon in the foreground; SIGTERM or Ctrl-C stops it cleanly.

    \b
    Example:
      p2pdist run --home /var/lib/p2pdist
    """
    # the daemon's libraries take a while to load; other commands must not wait for them
    from p2pdist.daemon.composition import run_daemon
    from p2pdist.pc import system

    process_memory.keep_small()
    system.give_way()
    trio.run(run_daemon, home, address)


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
    _show(home, STATUS, _status_view, as_json=as_json, watch=watch)


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
    _show(home, PEERS, _peers_view, as_json=as_json, watch=watch)


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
    check_enrolled(home)
    answer = asked_for(trio.run(ask_daemon, home.socket, WHY), patch, WhyReason.NOT_ROLLED_OUT)
    if as_json:
        print_json(answer)
    else:
        terminal().print(why_view(answer))


def _limiter_view(answer: LimiterAnswer, chart: RateChart | None) -> RenderableType:
    parts: list[RenderableType] = [line_view(answer)]
    line = answer.line
    if chart is not None and line is not None:
        chart.add(BytesPerSecond(line.rate), None if line.capacity is None else BytesPerSecond(line.capacity))
        parts += ["", chart]
    return Group(*parts, "", lan_view(answer))


def _show(
    home: EndpointHome,
    command: Command[Question, AnswerT],
    view: Callable[[AnswerT, int], RenderableType],
    *,
    as_json: bool,
    watch: bool,
) -> None:
    check_enrolled(home)
    show(
        lambda: trio.run(ask_daemon, home.socket, command),
        lambda answer: answer,
        view,
        as_json=as_json,
        watch=watch,
    )


def _status_view(status: StatusAnswer, columns: int) -> RenderableType:
    head = Text.assemble(
        ("endpoint ", "dim"), status.endpoint_id, ("  site ", "dim"), status.site or "not known yet",
        ("  server ", "dim"), f"{status.server}: {status.server_connection}",
    )  # fmt: skip
    parts: list[RenderableType] = [head, *_network_part(status.network_part)]
    parts += [Text(problem, style="yellow") for problem in status.problems]
    if not status.patches:
        parts.append(Text("No patches yet: the server has published none for this PC."))
        return Group(*parts)
    wide = columns >= WIDE_COLUMNS
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=not wide)
    for column in ("patch", "version"):
        table.add_column(column, overflow="fold")
    table.add_column("state", no_wrap=True)
    for column in ("done", "size", "from\norigin", "from\npeers", "wasted", "time"):
        table.add_column(column, justify="right", no_wrap=True)
    for patch in status.patches:
        table.add_row(
            patch.id,
            patch.version,
            _state(patch),
            _progress(patch.progress, bar=wide),
            bytes_text(patch.length_bytes),
            bytes_text(patch.bytes_from_origin),
            bytes_text(patch.bytes_from_peers),
            bytes_text(patch.bytes_wasted),
            duration_text(patch.seconds),
        )
    parts.append(table)
    for patch in status.patches:
        if patch.error:
            parts.append(Text(f"{patch.id} {patch.version}: {patch.error}", style="red"))
        elif patch.install in ("failed", "rolled_back", "retrying", "unproven", "restart_pending"):
            style = "red" if patch.install in ("failed", "rolled_back") else "yellow"
            parts.append(Text(f"{patch.id} {patch.version}: {patch.install_reason}", style=style))
        elif patch.path:
            parts.append(Text(f"{patch.id} {patch.version}: {patch.path}", style="dim"))
    return Group(*parts)


def _network_part(part: NetworkPartStatus | None) -> list[RenderableType]:
    """Return a line on who speaks with the network for this PC."""
    if part is None:
        return []
    own = f"a process of its own, as {part.user}" if part.separate else f"with the daemon's rights, as {part.user}"
    state = "" if part.running else ", not running now"
    note = f" ({part.note})" if part.note else ""
    return [Text.assemble(("network part ", "dim"), f"{own}{state}", (note, "dim"))]


def _state(patch: StatusPatch) -> Text:
    """Return how far a patch is: the state of its file, and once that is proven, of its installation."""
    state = patch.install if patch.state == "verified" and patch.install else patch.state
    return Text(state.replace("_", " "), style=STATE_STYLES.get(state, ""))


def _progress(share: float, *, bar: bool) -> RenderableType:
    percent = f"{int(share * 100)}%"  # rounded down: 100 % means all of it
    if not bar:
        return Text(percent)
    grid = Table.grid(padding=(0, 1))
    grid.add_row(ProgressBar(total=1.0, completed=share, width=10), f"{percent:>4}")
    return grid


def _peers_view(answer: PeersAnswer, columns: int) -> RenderableType:
    if not answer.peers:
        return Text("No neighbours known yet: none has announced itself by mDNS, and the server has named none.")
    wide = columns >= WIDE_COLUMNS
    table = Table(box=None, pad_edge=False, header_style="bold", collapse_padding=not wide)
    for column in ("endpoint", "address", "source"):
        table.add_column(column, no_wrap=True)
    table.add_column("state")
    for column in ("received", "sent"):
        table.add_column(column, justify="right", no_wrap=True)
    for peer in answer.peers:
        connected = Text("connected", style="green")
        host = f"[{peer.address}]" if ":" in peer.address else peer.address
        table.add_row(
            peer.endpoint_id if wide else peer.endpoint_id[:9] + "…",
            f"{host}:{peer.port}",
            "+".join(peer.sources),
            connected if peer.connected else Text(f"{'not connected: ' if wide else ''}{peer.reason}", style="dim"),
            bytes_text(peer.bytes_received),
            bytes_text(peer.bytes_sent),
        )
    return table


for _command in COMMANDS:
    p2pdist.add_command(_command)


def main() -> None:
    """Entry point of the console script."""
    run_command_line(p2pdist)
