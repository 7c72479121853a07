"""`p2pdist server`: where this PC looks for its server, and where to look instead."""

import click
import trio
from rich.console import Group, RenderableType
from rich.text import Text

from p2pdist.commands.options import ask, ask_here, check_enrolled, home_option
from p2pdist.local_api.messages import SERVER, SET_SERVER
from p2pdist.local_api.server_answers import KnownServerAddress, ServerAnswer, ServerOrder
from p2pdist.pc.chosen_address import load_address
from p2pdist.settings import EndpointHome
from p2pdist.shared.console import PORTS, json_option, print_json
from p2pdist.shared.default_group import DefaultGroup
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.language import in_words, tr
from p2pdist.shared.tables import ADDRESS_CELLS, FactTable
from p2pdist.shared.terminal import terminal


class ServerGroup(DefaultGroup):
    """``server --json`` is ``server show --json``."""

    default = "show"


@click.group("server", cls=ServerGroup)
def server_group() -> None:
    """Show at which addresses this PC looks for its server, or look elsewhere. Without a command, it is `server show`.

    \b
    Examples:
      p2pdist server
      p2pdist server set patches.example.com      when the server has moved and this PC has missed it
    """


@server_group.command("show", short_help="Show where the server is looked for.")
@home_option
@json_option
def show_command(home: EndpointHome, as_json: bool) -> None:
    """Show at which addresses this PC looks for its server, which is used, and why others are not.

    \b
    Example:
      p2pdist server
    """
    answer = ask_here(home, SERVER)
    if as_json:
        print_json(answer)
    else:
        terminal().print(server_view(answer))


@server_group.command("set", short_help="Look for the server at another address.")
@home_option
@click.argument("address")
@click.option("--web-port", type=PORTS, help="Its web port; by default as it was.")
@click.option("--origin-port", type=PORTS, help="Its origin port; by default as it was.")
@click.option("--force", is_flag=True, help="Also where the server does not answer there now.")
@json_option
def set_command(
    home: EndpointHome, address: str, web_port: int | None, origin_port: int | None, force: bool, as_json: bool
) -> None:
    """Look for the server at ADDRESS, a name or an IP address: for a PC that missed that it moved.

    This PC keeps its key, its id and all that it has; it is not enrolled again. Before anything is changed, the server
    has to answer there with a certificate of the authority that this PC knows. A running daemon connects at once.

    \b
    Example:
      p2pdist server set patches.example.com
    """
    check_enrolled(home)
    order = ServerOrder(address, web_port, origin_port)
    answer = trio.run(_set, home, order, force)
    if as_json:
        print_json(answer)
        return
    first = answer.addresses[0]
    click.echo(tr("This PC looks for {server} at {address} now.", server=answer.server, address=_shown(first)))


async def _set(home: EndpointHome, order: ServerOrder, force: bool) -> ServerAnswer:
    # what it connects with takes a while to load; other commands must not wait for that
    from p2pdist.daemon.home_lock import hold_lock
    from p2pdist.identity.server_change import checked_address, own_address, store_address
    from p2pdist.identity.server_check import check_answers
    from p2pdist.identity.store import read_identity
    from p2pdist.shared.packet_size import use_safe_packets
    from p2pdist.shared.server_address import ServerAddress

    def wanted() -> ServerAddress:
        known = own_address(read_identity(home.root))
        return checked_address(
            ServerAddress(order.host, order.web_port or known.web_port, order.origin_port or known.origin_port)
        )

    if not force:
        use_safe_packets()
        await check_answers(read_identity(home.root), wanted(), load_address(home.chosen_address))
    try:
        return await ask(home, SET_SERVER, order)
    except UserError as error:
        if error.kind is not FaultKind.NOT_RUNNING:
            raise
    with hold_lock(home):
        identity = store_address(read_identity(home.root), wanted())
    place = KnownServerAddress(
        identity.server_address, identity.web_port, identity.origin_port, own=True, used=False, problem=None
    )
    return ServerAnswer(identity.server_name, tr("the daemon does not run"), [place])


def server_view(answer: ServerAnswer) -> RenderableType:
    """Show each address in the order of the attempts, and what came of the last one."""
    head = Text.assemble((f"{tr('server')} ", "dim"), f"{answer.server}: {in_words(answer.server_connection)}")
    table = FactTable()
    table.column(tr("address"), least=ADDRESS_CELLS, folds=True)
    table.column(tr("web port"), tr("origin port"), right=True)
    table.column(tr("state"))
    problems = []
    for address in answer.addresses:
        state = tr("used") if address.used else tr("failed") if address.problem else tr("not tried")
        table.row(address.host, str(address.web_port), str(address.origin_port), state)
        if address.problem and not address.used:
            problems.append(Text(f"{_shown(address)}: {in_words(address.problem)}", style="yellow"))
    return Group(head, table, *problems)


def _shown(address: KnownServerAddress) -> str:
    host = f"[{address.host}]" if ":" in address.host else address.host
    return tr("{host}, ports {web} and {origin}", host=host, web=address.web_port, origin=address.origin_port)
