"""What the operator should know though no command failed: `status` and `sites` say it, with the command that mends it.

A running server writes the same to its log, which nobody reads. Blocking.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import UserError
from seed_server.fleet.context import Context
from seed_server.line.site_map_file import load_sites
from seed_server.signing.role_policy import RoleExpiry, expiring_offline
from seed_server.store.rows import EndpointRow


@dataclass(frozen=True)
class FleetProblem:
    """One thing that is wrong, or will be."""

    text: str
    """What is so, in one or two sentences of English."""
    mend: str
    """The command or the file that mends it."""
    urgent: bool = True
    """Whether it harms already."""


def fleet_problems(context: Context, endpoints: Iterable[EndpointRow], *, serving: bool) -> list[FleetProblem]:
    """Return what is wrong with the server's files and connections now, the worst first."""
    now = context.clock.now()
    found = [*site_map_problems(context)]
    with contextlib.suppress(UserError):  # why the repository cannot be read is said by whoever shows the patches
        found += expiry_problems(context.repository().expiries(), now)
    found += connection_problems(endpoints, serving=serving)
    return sorted(found, key=lambda problem: not problem.urgent)


def site_map_problems(context: Context) -> list[FleetProblem]:
    """Return what is wrong with ``sites.toml``."""
    try:
        load_sites(context.home)
    except UserError as error:
        return [
            FleetProblem(
                f"The site map cannot be used; a running server keeps the last good one. {error.message}",
                f"correct {context.home.sites}",
            )
        ]
    return []


def expiry_problems(expiries: Iterable[RoleExpiry], now: float) -> list[FleetProblem]:
    """Return the first offline role that ends within `OFFLINE_WARNING_SECONDS`, or has ended; the others end later."""
    for expiry in expiring_offline(expiries, now):
        left = expiry.expires_at - now
        days = int(left / DAY_SECONDS)
        if left <= 0:
            text = f"The signed {expiry.role} metadata has expired: PCs refuse whatever is new."
        elif days < 2:
            text = f"The signed {expiry.role} metadata expires within two days; then PCs refuse whatever is new."
        else:
            text = f"The signed {expiry.role} metadata expires in {days} days; then PCs refuse whatever is new."
        return [FleetProblem(text, "seed-server renew", urgent=left <= 0)]
    return []


def connection_problems(endpoints: Iterable[EndpointRow], *, serving: bool) -> list[FleetProblem]:
    """Return what is odd about who is connected: nobody is, or PCs refuse what this server has signed."""
    allowed = [endpoint for endpoint in endpoints if not endpoint.denied and not endpoint.pending]
    if not serving or not allowed:
        return []
    connected = [endpoint for endpoint in allowed if endpoint.connected]
    if not connected:
        return [
            FleetProblem(
                f"No PC is connected ({len(allowed)} enrolled). Check the address and the ports in server.toml, and "
                "the firewall before them.",
                "p2pdist status, on a PC: it says why",
            )
        ]
    refusing = [endpoint for endpoint in connected if endpoint.refuses]
    if not refusing:
        return []
    return [
        FleetProblem(
            f"PCs refuse what this server has signed ({len(refusing)} of {len(connected)} connected), so nothing new "
            f"arrives there. {refusing[0].hostname} says: {refusing[0].refuses}",
            "seed-server endpoints",
        )
    ]
