"""What an address of the server, and a network, may look like. Pure."""

import ipaddress
from collections.abc import Iterable
from typing import TypeAlias

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.server_address import is_host_name, is_ip_address

IpAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network


def check_reachable(address: str, *, source: str) -> None:
    """Raise `UserError` (BAD_INPUT) for what cannot be a server's address to endpoints; ``source`` begins it."""
    if not is_ip_address(address) and not is_host_name(address):
        raise UserError(
            f"{source}: {address[:80]!r} is neither an IP address nor a host name. "
            "Give the address that endpoints can reach, without port or https://.",
            FaultKind.BAD_INPUT,
        )
    if is_ip_address(address) and ipaddress.ip_address(address).is_unspecified:
        raise UserError(
            f"{source}: endpoints cannot reach {address}. Give the address of one interface, "
            "and set listen_address in server.toml to listen on all.",
            FaultKind.BAD_INPUT,
        )


def networks_of(texts: Iterable[str], *, source: str) -> tuple[IpNetwork, ...]:
    """Return networks in CIDR notation. Raises `UserError` (BAD_INPUT), which begins with ``source``."""
    found: list[IpNetwork] = []
    for text in texts:
        try:
            found.append(ipaddress.ip_network(text.strip()))
        except ValueError as error:
            raise UserError(
                f"{source}: {text[:60]!r} is no network ({error}). Write it as 10.20.0.0/16 or 10.20.30.40.",
                FaultKind.BAD_INPUT,
            ) from error
    return tuple(found)
