"""The server's addresses as PCs know them: one more before the server moves, one less when it has. Blocking.

The list is signed with the offline profiles key: whoever has taken over the server moves no PC.
"""

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.servers import SERVERS_TARGET, ServerList, encode_servers
from p2pdist.shared.server_address import ServerAddress, canonical
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.repository import Repository
from seed_server.signing.servers import AddressChange, changed_list
from seed_server.store.moved_mark import check_takes_changes, mark_moved, moved_to, take_back
from seed_server.store.serve_lock import not_serving

if TYPE_CHECKING:
    from seed_server.store.database import Database
    from seed_server.store.known_servers import Uninformed

MOST_NAMES = 4  # of PCs, in one sentence

log = lazy_log()


@dataclass(frozen=True)
class MoveState:
    """Which addresses PCs are told, and who knows them."""

    addresses: tuple[ServerAddress, ...]
    number: int
    """Of the signed list; 0: there is none, PCs know the address that they enrolled with."""
    own: ServerAddress
    """That of the settings."""
    everyone: int
    """PCs that are not denied."""
    informed: int
    """Those of them that have this list."""
    uninformed: tuple["Uninformed", ...]
    """The others by name, or the first of them."""
    moved_to: str
    """Where the server of this home is now, in words; empty: here."""

    @property
    def lacking(self) -> int:
        """How many do not have the list."""
        return self.everyone - self.informed if self.number else 0


def own_address(settings: ServerSettings) -> ServerAddress:
    """Return the address in the settings."""
    return canonical(ServerAddress(settings.address, settings.web_port, settings.origin_port))


def read_move(
    context: Context, *, most: int | None, database: "Database | None" = None, repository: Repository | None = None
) -> MoveState:
    """Return how the addresses stand, with ``most`` names of PCs that lack the list; None: all. Raises `UserError`."""
    own = own_address(context.settings())
    signed = (repository or context.repository()).servers()
    left = moved_to(context.home)
    if signed is None:
        return MoveState((own,), 0, own, 0, 0, (), left)
    if database is not None:
        return _counted(database, signed, own, most, left)
    with context.state_as_it_is() as opened:
        return _counted(opened, signed, own, most, left)


def _counted(database: "Database", signed: ServerList, own: ServerAddress, most: int | None, left: str) -> MoveState:
    informed, everyone = database.informed_count(signed.number)
    wanted = everyone if most is None else most
    some = tuple(database.uninformed(signed.number, wanted)) if informed < everyone and wanted else ()
    return MoveState(signed.addresses, signed.number, own, everyone, informed, some, left)


def uninformed_words(state: MoveState) -> str:
    """Return some names of who lacks the list, for a sentence."""
    names = ", ".join(pc.hostname for pc in state.uninformed[:MOST_NAMES])
    return names + (", …" if state.lacking > MOST_NAMES else "")


@operation("profiles", when_left=True)
def change_addresses(
    context: Context, actor: Actor, change: AddressChange, keys: OfflineKeys, *, even_if: int = 0
) -> ServerList:
    """Sign the addresses after ``change``; a running server shows a certificate for them, and tells PCs at once.

    To finish, all PCs but ``even_if`` of them have to know the present list. In a home that was left, one can only
    cancel. Writes the repository. Needs the profiles key. Raises `UserError`: BAD_INPUT, NOT_SET_UP, REFUSED (key, PCs
    that do not know it, or would not look where the server is), STORAGE, BUSY.
    """
    key, deed = keys.load("profiles"), Deed("change addresses")
    repository = context.repository(context.recorded(actor, deed))
    with repository.locked():
        signed = addresses_after(context, change, even_if)
        deed.subject = str(signed.addresses[-1])
        deed.details = {"addresses": "; ".join(map(str, signed.addresses)), "list": str(signed.number)}
        data, now = encode_servers(signed), context.clock.now()
        repository.change_document("profiles", SERVERS_TARGET, data, key=key, now=now)
    if change.cancel:
        take_back(context.home)
    log.info("the server's addresses", addresses=[str(one) for one in signed.addresses], number=signed.number)
    return signed


@operation("profiles", when_left=True)
def leave_home(context: Context, actor: Actor) -> str:
    """Note that the server runs elsewhere from now on, so that nobody serves from here; return where, in words.

    Raises `UserError`: REFUSED while a server runs here or where PCs are told no other address; STORAGE, BUSY.
    """
    state = read_move(context, most=0)
    others = [address for address in state.addresses if address != state.own]
    if not others:
        raise UserError(
            f"PCs are told no other address of this server than {state.own}. First run 'seed-server move --to "
            "ADDRESS', and let PCs hear of it.",
            FaultKind.REFUSED,
        )
    day = dt.datetime.fromtimestamp(context.clock.now(), dt.UTC)
    words = f"to {others[-1]}, on {day:%Y-%m-%d}"
    busy = (
        f"A seed server is running on {context.home.root}. Stop it first: what PCs tell it after a copy was made would "
        "be lost."
    )
    with not_serving(context.home, busy), context.announced(actor, Deed("leave home", str(others[-1]))):
        mark_moved(context.home, words)
    return words


def addresses_after(context: Context, change: AddressChange, even_if: int) -> ServerList:
    """Return the list after ``change``. Raises as `change_addresses`."""
    if not change.cancel:
        check_takes_changes(context.home)
    state = read_move(context, most=MOST_NAMES)
    if change.finish and state.lacking > even_if:
        raise UserError(
            f"{state.lacking} of {state.everyone} PCs do not know {state.addresses[-1]} yet: "
            f"{uninformed_words(state)}. They would not find the server any more, until somebody runs 'p2pdist server "
            f"set' there. 'seed-server move --names' lists them; --even-if {state.lacking} does it all the same.",
            FaultKind.REFUSED,
        )
    signed = context.repository().servers()
    return changed_list(signed, state.own, change, context.clock.now())
