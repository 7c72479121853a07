"""What the hello to the server says of this PC: its name, its addresses, and how well it could fetch for its site."""

from dataclasses import dataclass

from p2pdist.pc import network_look, system
from p2pdist.pc.network import Medium
from p2pdist.pc.own_addresses import addresses_to_tell

_NOT_WIRED = frozenset({Medium.WIFI, Medium.VPN, Medium.METERED})


@dataclass(frozen=True)
class LocalFacts:
    """The state of this PC at one time, for the hello to the server."""

    hostname: str
    addresses: tuple[str, ...]
    """Own addresses as `addresses_to_tell` chose them; the one that reaches the server comes first."""
    on_mains: bool
    wired: bool
    uptime_seconds: int


UNKNOWN = LocalFacts("unnamed", (), on_mains=True, wired=True, uptime_seconds=0)
"""Stands in before the first `read_local_facts`."""


def read_local_facts(
    server: tuple[str, int],
    now: float,
    *,
    fixed_address: str | None = None,
    former_address: str | None = None,
    medium: Medium | None = None,
) -> LocalFacts:
    """Return the facts at ``now``: the addresses towards ``server``, a host and a port, or the fixed one alone.

    ``former_address`` is the one that was in use before; ``medium`` is the kind of network by the settings, if they
    say. Blocking: for milliseconds, or as long as the lookup of a name takes. Raises `OSError` when the system does
    not tell.
    """
    if fixed_address is None:
        addresses = addresses_to_tell(system.addresses_by_card(), network_look.hardware(), server, former_address)
    else:
        addresses = (fixed_address,)
    state = network_look.network_state(next(iter(addresses), None), medium)
    return LocalFacts(
        hostname=system.hostname(),
        addresses=addresses,
        on_mains=state.battery is None or not state.battery.supplies,
        wired=state.medium not in _NOT_WIRED,
        uptime_seconds=max(0, int(now - system.boot_time())),
    )
