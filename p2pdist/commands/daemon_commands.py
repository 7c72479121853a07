"""`p2pdist enrol` and `run`: this PC becomes one of a server's, and its daemon."""

import contextlib
import errno
import socket
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

import click
import trio

from p2pdist.commands.options import anew_options, home_option, pinned_root, root_pin_option
from p2pdist.commands.token_input import read_token, token_file_option
from p2pdist.local_api.messages import Enrolled
from p2pdist.pc import process_memory, system
from p2pdist.pc.chosen_address import load_address, save_address
from p2pdist.settings import EndpointHome, default_home
from p2pdist.shared.clock import SystemClock
from p2pdist.shared.console import json_option, print_json
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import InvalidIdentifierError, parse_ip_address
from p2pdist.shared.language import tr

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


@click.command("enrol")
@home_option
@token_file_option
@click.argument("token", required=False, metavar="")  # hidden: arguments can be read by every user of the PC
@address_option
@click.option("--force", is_flag=True, help="Enrol again although this home is enrolled already.")
@root_pin_option
@anew_options
@json_option
def enrol_command(
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
    from p2pdist.identity.enrolment import enrol
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
                    lambda: enrol(
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


@click.command("run")
@home_option
@address_option
def run_command(home: EndpointHome, address: str | None) -> None:
    """Run the daemon in the foreground; SIGTERM or Ctrl-C stops it cleanly.

    \b
    Example:
      p2pdist run
    """
    process_memory.leave_out(*process_memory.OF_TERMINALS)
    # the daemon's libraries take a while to load; other commands must not wait for them
    from p2pdist.daemon.composition import run_daemon

    process_memory.keep_small()
    system.give_way()
    trio.run(run_daemon, home, address or load_address(home.chosen_address))
