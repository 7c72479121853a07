"""The signed list of this server's addresses, as it is and as it becomes when the server moves. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.servers import MAX_SERVERS, ServerList
from p2pdist.shared.server_address import ServerAddress, address_problem


@dataclass(frozen=True)
class AddressChange:
    """What becomes of the addresses: exactly one of the three."""

    add: ServerAddress | None = None
    """One more: PCs are told while the others still work."""
    finish: bool = False
    """All but the last one go."""
    cancel: bool = False
    """The last one goes."""

    @property
    def purpose(self) -> str:
        """What it is for, for people and the audit log."""
        if self.add is not None:
            return f"tell PCs the server's address {self.add}"
        return "take the server's former addresses away" if self.finish else "take the server's new address away"


def changed_list(present: ServerList | None, own: ServerAddress, change: AddressChange) -> ServerList:
    """Return the list after ``change``; ``own`` is the address in the settings, which counts until there is a list.

    Raises `UserError` (BAD_INPUT) where that cannot be.
    """
    before = (own,) if present is None else present.addresses
    if change.add is not None:
        after = _with(before, change.add)
    elif len(before) < 2:
        raise UserError(
            f"PCs know one address of this server: {before[0]}. There is nothing to finish or to cancel; 'seed-server "
            "move --to ADDRESS' adds one.",
            FaultKind.BAD_INPUT,
        )
    else:
        after = before[-1:] if change.finish else before[:-1]
    return ServerList(format=1, number=1 if present is None else present.number + 1, addresses=tuple(after))


def _with(before: Sequence[ServerAddress], new: ServerAddress) -> Sequence[ServerAddress]:
    if problem := address_problem(new):
        raise UserError(
            f"PCs cannot reach that: {problem}. Give a host name or an IP address, without port or https://.",
            FaultKind.BAD_INPUT,
        )
    if new in before:
        raise UserError(f"PCs are told {new} already. 'seed-server move' shows who knows it.", FaultKind.BAD_INPUT)
    if len(before) >= MAX_SERVERS:
        raise UserError(
            f"PCs are told {len(before)} addresses, as many as can be. Finish or cancel a move first.",
            FaultKind.BAD_INPUT,
        )
    return (*before, new)
