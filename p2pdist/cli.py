"""The `p2pdist` command line: enrol, run, status, peers."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import platformdirs
import trio
from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from p2pdist import __version__
from p2pdist.console import human_bytes, human_seconds, print_json, run_command_line, terminal
from p2pdist.edges import local_facts
from p2pdist.edges.local_socket import ask_daemon
from p2pdist.errors import ExitCode, UserError
from p2pdist.identifiers import InvalidIdentifierError, parse_ip_address
from p2pdist.settings import EndpointHome

WATCH_SECONDS = 1.0
STATE_STYLES = {"verified": "green", "failed": "red", "fetching": "cyan", "checking": "cyan", "verifying": "cyan"}


def _home(_context: click.Context, _parameter: click.Parameter, value: Path) -> EndpointHome:
    return EndpointHome(value.absolute())


def _address(_context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return parse_ip_address(value)
    except InvalidIdentifierError as error:
        raise click.BadParameter(str(error)) from error


home_option = click.option(
    "--home",
    envvar="P2PDIST_HOME",
    type=click.Path(path_type=Path, file_okay=False),
    default=lambda: Path(platformdirs.site_data_dir("p2pdist", appauthor=False)),
    callback=_home,
    show_default="P2PDIST_HOME, else the system's data directory",
    help="This endpoint's home directory.",
)
address_option = click.option(
    "--address",
    metavar="IP",
    callback=_address,
    help="Own address to listen on and connect from; by default the one that routes to the server.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object for tools.")
watch_option = click.option("--watch", is_flag=True, help="Keep showing it until Ctrl-C.")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="p2pdist")
def p2pdist() -> None:
    """Get signed patches to this PC and share them with its neighbours.

    \b
    Examples:
      p2pdist enrol p2pd-…          once, with the token from your operator
      p2pdist run                   the daemon, in the foreground
      p2pdist status --watch        how far each patch is
      p2pdist peers                 which neighbours it swaps with, or why not

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not enrolled, 4 daemon not running, 5 refused,
    6 server unreachable, 7 bad input, 8 storage, 9 in use.
    """


@p2pdist.command()
@home_option
@click.argument("token")
@address_option
@click.option("--force", is_flag=True, help="Enrol again although this home is enrolled already.")
@json_option
def enrol(home: EndpointHome, token: str, address: str | None, force: bool, as_json: bool) -> None:
    """Enrol this PC with the TOKEN that `seed-server token` printed.

    \b
    Example:
      p2pdist enrol --home /var/lib/p2pdist p2pd-3q2-7w…
    """
    from p2pdist.edges.enrolment import enrol as enrol_endpoint

    identity = trio.run(
        lambda: enrol_endpoint(
            home.root,
            token,
            hostname=local_facts.hostname(),
            now=time.time(),
            local_address=address,
            force=force,
        )
    )
    if as_json:
        print_json({"endpoint_id": identity.endpoint_id, "server": identity.server_name})
    else:
        click.echo(f"Enrolled as {identity.endpoint_id} with {identity.server_name}.")
        click.echo(f"Start the daemon with: p2pdist run --home {home.root}")


@p2pdist.command()
@home_option
@address_option
def run(home: EndpointHome, address: str | None) -> None:
    """Run the daemon in the foreground; SIGTERM or Ctrl-C stops it cleanly.

    \b
    Example:
      p2pdist run --home /var/lib/p2pdist
    """
    from p2pdist.daemon import run_daemon  # the daemon's libraries take a while to load; status must not wait for them

    trio.run(run_daemon, home, address)


@p2pdist.command()
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
    _show(home, "status", _status_view, as_json=as_json, watch=watch)


@p2pdist.command()
@home_option
@json_option
@watch_option
def peers(home: EndpointHome, as_json: bool, watch: bool) -> None:
    """Show each neighbour, how it became known, and whether it is connected or why not.

    \b
    Example:
      p2pdist peers --watch
    """
    _show(home, "peers", _peers_view, as_json=as_json, watch=watch)


def _show(
    home: EndpointHome, command: str, view: Callable[[dict[str, Any]], RenderableType], *, as_json: bool, watch: bool
) -> None:
    def ask() -> dict[str, Any]:
        return trio.run(ask_daemon, home.socket, command)

    try:
        enrolled = home.enrolment.exists()
    except PermissionError:  # another user's: what is asked next says so, if it does not matter
        enrolled = True
    if not enrolled:
        raise UserError(
            f"This PC is not enrolled in {home.root}. Ask your operator for a token, then run: p2pdist enrol TOKEN",
            ExitCode.NOT_SET_UP,
        )
    if not watch:
        answer = ask()
        if as_json:
            print_json(answer)
        else:
            terminal().print(view(answer))
        return
    try:
        if as_json:
            while True:
                print_json(ask())
                time.sleep(WATCH_SECONDS)
        with Live(view(ask()), console=terminal(), auto_refresh=False) as live:
            while True:
                time.sleep(WATCH_SECONDS)
                live.update(view(ask()), refresh=True)
    except KeyboardInterrupt:
        return


def _status_view(status: dict[str, Any]) -> RenderableType:
    head = Text.assemble(
        ("endpoint ", "dim"), status["endpoint_id"], ("  site ", "dim"), status["site"] or "not known yet",
        ("  server ", "dim"), f"{status['server']}: {status['server_connection']}",
    )  # fmt: skip
    parts: list[RenderableType] = [head]
    parts += [Text(problem, style="yellow") for problem in status["problems"]]
    if not status["patches"]:
        parts.append(Text("No patches yet: the server has published none for this PC."))
        return Group(*parts)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("patch", "version", "state"):
        table.add_column(column)
    table.add_column("progress", min_width=16)
    for column in ("size", "from origin", "from peers", "wasted", "time"):
        table.add_column(column, justify="right")
    for patch in status["patches"]:
        table.add_row(
            patch["id"],
            patch["version"],
            Text(patch["state"], style=STATE_STYLES.get(patch["state"], "")),
            _progress(patch["progress"]),
            human_bytes(patch["length_bytes"]),
            human_bytes(patch["bytes_from_origin"]),
            human_bytes(patch["bytes_from_peers"]),
            human_bytes(patch["bytes_wasted"]),
            human_seconds(patch["seconds"]),
        )
    parts.append(table)
    for patch in status["patches"]:
        if patch["error"]:
            parts.append(Text(f"{patch['id']} {patch['version']}: {patch['error']}", style="red"))
        elif patch["path"]:
            parts.append(Text(f"{patch['id']} {patch['version']}: {patch['path']}", style="dim"))
    return Group(*parts)


def _progress(share: float) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(ProgressBar(total=1.0, completed=share, width=10), f"{share:4.0%}")
    return grid


def _peers_view(answer: dict[str, Any]) -> RenderableType:
    if not answer["peers"]:
        return Text("No neighbours known yet: none has announced itself by mDNS, and the server has named none.")
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("endpoint", "address", "source", "state", "reason"):
        table.add_column(column)
    for column in ("received", "sent"):
        table.add_column(column, justify="right")
    for peer in answer["peers"]:
        connected = peer["connected"]
        table.add_row(
            peer["endpoint_id"],
            f"{peer['address']}:{peer['port']}",
            "+".join(peer["sources"]),
            Text("connected" if connected else "not connected", style="green" if connected else "dim"),
            peer["reason"] or "",
            human_bytes(peer["bytes_received"]),
            human_bytes(peer["bytes_sent"]),
        )
    return table


def main() -> None:
    """Entry point of the console script."""
    run_command_line(p2pdist)
