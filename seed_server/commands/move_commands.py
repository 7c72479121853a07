"""`seed-server move`: which addresses PCs are told, one more, one less."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.text import Text

from p2pdist.shared.console import PORTS, json_option, print_json
from p2pdist.shared.language import tr
from p2pdist.shared.printable_text import printable
from p2pdist.shared.server_address import ServerAddress
from p2pdist.shared.tables import ADDRESS_CELLS, ID_CELLS, NAME_CELLS, FactTable
from p2pdist.shared.terminal import terminal
from seed_server.answers.moving import MoveDocument, ServerAddressDocument, UninformedDocument
from seed_server.commands.options import (
    actor_of,
    home_option,
    offline_keys_of,
    offline_option,
    passphrase_option,
    prepare_option,
)
from seed_server.commands.signing_commands import show_prepared
from seed_server.commands.texts import utc_minute
from seed_server.fleet import moving, preparing
from seed_server.fleet.context import Context
from seed_server.fleet.moving import MoveState
from seed_server.signing.servers import AddressChange
from seed_server.store.count_rows import MAX_PAGE_ROWS

MOST_SHOWN = 20


@dataclass(frozen=True)
class WantedMove:
    """What the options say."""

    to: str | None
    web_port: int | None
    origin_port: int | None
    finish: bool
    cancel: bool
    leave: bool
    even_if: int

    def change(self, own: ServerAddress) -> AddressChange | None:
        """Return what becomes of the addresses; None: nothing. ``own`` has the ports that are not given."""
        if self.to is not None:
            return AddressChange(
                ServerAddress(self.to, self.web_port or own.web_port, self.origin_port or own.origin_port)
            )
        return AddressChange(finish=self.finish, cancel=self.cancel) if self.finish or self.cancel else None


def move_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say what is wanted; the command gets them as ``wanted``. One of them, or none."""

    @click.option("--to", "to", metavar="ADDRESS", help="Tell PCs this address too: a host name or an IP address.")
    @click.option("--web-port", type=PORTS, help="Its web port; by default as it is here.")
    @click.option("--origin-port", type=PORTS, help="Its origin port; by default as it is here.")
    @click.option("--leave", is_flag=True, help="Serve no more from this home: the server runs elsewhere from now on.")
    @click.option("--finish", is_flag=True, help="Take the former addresses away.")
    @click.option(
        "--even-if", metavar="N", type=click.IntRange(0), default=0, help="Finish although N PCs do not know."
    )
    @click.option("--cancel", is_flag=True, help="Take the newest address away, and serve from this home again.")
    @functools.wraps(command)
    def with_wanted(*arguments: Any, **options: Any) -> None:
        said = {field.name: options.pop(field.name) for field in fields(WantedMove)}
        wanted = WantedMove(**said)
        if sum((wanted.to is not None, wanted.leave, wanted.finish, wanted.cancel)) > 1:
            raise click.UsageError("Give one of --to, --leave, --finish and --cancel.")
        if wanted.to is None and (wanted.web_port or wanted.origin_port):
            raise click.UsageError("A port goes with --to.")
        if wanted.even_if and not wanted.finish:
            raise click.UsageError("--even-if goes with --finish.")
        command(*arguments, wanted=wanted, **options)

    return with_wanted


@click.command("move")
@home_option
@move_options
@click.option("--names", is_flag=True, help="List all PCs that do not know, not only the first.")
@offline_option
@passphrase_option
@prepare_option
@json_option
def move_command(
    context: Context,
    wanted: WantedMove,
    names: bool,
    offline_keys: Path | None,
    passphrase: bytes | None,
    prepare: Path | None,
    as_json: bool,
) -> None:
    """Tell PCs another address of this server before it moves; without an option, show who knows it.

    \b
    Examples:
      seed-server move --to patches.example.com        PCs hear of it while the server is where it was
      seed-server move                                 who knows it by now, and who does not
      seed-server move --leave                         nobody serves from here any more: now copy the home
      seed-server move --finish                        on the new machine: the former address goes

    PCs try the addresses in turn and keep to the one that answers. The list is signed with the offline profiles key.
    """
    change = wanted.change(moving.own_address(context.settings()))
    if change is not None and prepare is not None:
        bundle = preparing.prepare_addresses(context, actor_of(context), change, prepare, even_if=wanted.even_if)
        show_prepared(bundle, prepare, as_json=as_json)
        return
    if change is not None:
        keys = offline_keys_of(context, offline_keys, passphrase, "profiles")
        moving.change_addresses(context, actor_of(context), change, keys, even_if=wanted.even_if)
    elif prepare is not None:
        raise click.UsageError("Give --to, --finish or --cancel, or leave out --prepare.")
    elif wanted.leave:
        moving.leave_home(context, actor_of(context))
    state = moving.read_move(context, most=None if names else MAX_PAGE_ROWS if as_json else MOST_SHOWN)
    if as_json:
        print_json(_document(state))
    else:
        terminal().print(move_view(state))


def _document(state: MoveState) -> MoveDocument:
    return MoveDocument(
        list=state.number,
        addresses=tuple(
            ServerAddressDocument(one.host, one.web_port, one.origin_port, one == state.own) for one in state.addresses
        ),
        pcs=state.everyone,
        informed=state.informed,
        uninformed=tuple(
            UninformedDocument(pc.endpoint_id, pc.hostname, pc.software or None, pc.connected, pc.last_seen_at or None)
            for pc in state.uninformed
        ),
        moved_to=state.moved_to or None,
    )


def move_view(state: MoveState) -> RenderableType:
    """Show the addresses, how many PCs know them, who does not, and what to do next."""
    table = FactTable()
    table.column(tr("address"), least=ADDRESS_CELLS, folds=True)
    table.column(tr("web port"), tr("origin port"), right=True)
    table.column(tr("place"))
    for one in state.addresses:
        place = tr("in server.toml") if one == state.own else tr("told to PCs")
        table.row(one.host, str(one.web_port), str(one.origin_port), place)
    parts: list[RenderableType] = [table]
    if state.moved_to:
        parts.append(Text(tr("The server of this home has moved: {where}.", where=state.moved_to), style="yellow"))
    if not state.number:
        parts.append(Text(tr("PCs know the address that they have enrolled with, and no other.")))
        return Group(*parts)
    parts.append(Text(tr("{informed} of {pcs} PCs know this list.", informed=state.informed, pcs=state.everyone)))
    if state.lacking:
        parts += [Text(tr("These do not:")), _uninformed(state)]
        if (more := state.lacking - len(state.uninformed)) > 0:
            parts.append(Text(tr("… and {count} more: --names", count=more), style="dim"))
    parts.append(Text(_next(state), style="dim"))
    return Group(*parts)


def _uninformed(state: MoveState) -> RenderableType:
    table = FactTable()
    table.column(tr("PC"), least=NAME_CELLS, folds=True)
    table.column(tr("endpoint"), least=ID_CELLS)
    table.column(tr("software"), tr("last seen"))
    for pc in state.uninformed:
        seen = tr("now") if pc.connected else utc_minute(pc.last_seen_at) if pc.last_seen_at else tr("never")
        table.row(printable(pc.hostname), pc.endpoint_id, printable(pc.software) or "–", seen)
    return table


def _next(state: MoveState) -> str:
    host = state.addresses[-1].host
    if len(state.addresses) == 1:
        if state.lacking:
            return tr("They are told on the PC itself: p2pdist server set {host}", host=host)
        return tr("PCs know one address of this server.")
    if state.lacking:
        return tr("Let them connect before the former address goes. On a PC: p2pdist server set {host}", host=host)
    return tr("All PCs know. When the server answers at {host}: seed-server move --finish", host=host)
