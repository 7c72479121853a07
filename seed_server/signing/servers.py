"""The signed list of this server's addresses, as it is and as it becomes when the server moves. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.manifest.servers import MAX_SERVERS, ServerList
from p2pdist.shared.server_address import ServerAddress, address_problem, canonical, is_loopback


@dataclass(frozen=True)
class AddressChange:
    """What becomes of the addresses: exactly one of the three."""

    add: ServerAddress | None = None
    """One more: PCs are told while the others still work."""
    finish: bool = False
    """All but the last one go."""
    cancel: bool = False
    """The last one goes; where it is the only one, that in the settings comes back."""

    @property
    def purpose(self) -> str:
        """What it is for, for people and the audit log."""
        if self.add is not None:
            return f"tell PCs the server's address {self.add}"
        return "take the server's former addresses away" if self.finish else "take the server's new address away"


def changed_list(present: ServerList | None, own: ServerAddress, change: AddressChange, now: float) -> ServerList:
    """Return the list after ``change``; ``own`` is the address in the settings, which counts until there is a list.

    Its number is also the time: a server that was restored from a backup gives none that PCs have of another list.
    Raises `UserError`: BAD_INPUT where that cannot be, REFUSED where PCs would not look for the server where it is.
    """
    before = (own,) if present is None else present.addresses
    after = _with(before, change.add) if change.add is not None else _without(before, own, change)
    number = max(0 if present is None else present.number, int(now) - 1) + 1
    return ServerList(format=1, number=number, addresses=tuple(after))


def takes_back(present: ServerList | None, own: ServerAddress, after: ServerList) -> bool:
    """Whether ``after`` is what cancelling makes of the present list."""
    before = (own,) if present is None else present.addresses
    return after.addresses == _cancelled(before, own)


def _cancelled(before: Sequence[ServerAddress], own: ServerAddress) -> Sequence[ServerAddress]:
    return tuple(before[:-1]) or (own,)


def _without(before: Sequence[ServerAddress], own: ServerAddress, change: AddressChange) -> Sequence[ServerAddress]:
    after = before[-1:] if change.finish else _cancelled(before, own)
    if after == tuple(before):
        raise UserError(
            f"PCs know one address of this server: {before[0]}. There is nothing to finish or to cancel; 'seed-server "
            "move --to ADDRESS' adds one.",
            FaultKind.BAD_INPUT,
        )
    if own in before and own not in after:
        raise UserError(
            f"server.toml has {own}, and PCs would not look there any more. If the server is at {after[-1]} now, say "
            "so in server.toml first.",
            FaultKind.REFUSED,
        )
    return after


def _with(before: Sequence[ServerAddress], wanted: ServerAddress) -> Sequence[ServerAddress]:
    new = canonical(wanted)
    if problem := address_problem(new):
        raise UserError(
            f"PCs cannot reach that: {problem}. Give a host name or an IP address, without port or https://.",
            FaultKind.BAD_INPUT,
        )
    if is_loopback(new.host) and not any(is_loopback(address.host) for address in before):
        raise UserError(
            f"{new.host} leads each PC to itself. Give a host name or an IP address by which PCs reach the server.",
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
