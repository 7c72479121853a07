"""What an address of the server may look like. Pure."""

import ipaddress

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.server_address import is_host_name, is_ip_address


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
