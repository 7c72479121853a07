"""Another address of the same server, for a PC that missed that it moved. Key and id stay."""

from dataclasses import replace

from p2pdist.identity.last_server import save_last_server
from p2pdist.identity.store import Identity, save_identity
from p2pdist.settings import EndpointHome
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.server_address import ServerAddress, address_problem


def own_address(identity: Identity) -> ServerAddress:
    """Return the address that ``identity`` has."""
    return ServerAddress(identity.server_address, identity.web_port, identity.origin_port)


def with_address(identity: Identity, address: ServerAddress) -> Identity:
    """Return ``identity`` with another address of its server."""
    return replace(identity, server_address=address.host, web_port=address.web_port, origin_port=address.origin_port)


def checked_address(address: ServerAddress) -> ServerAddress:
    """Return ``address`` if there may be a server. Raises `UserError` (BAD_INPUT)."""
    if problem := address_problem(address):
        raise UserError(
            f"That is no address of a seed server: {problem}. Give a name or an IP address, without port or https://.",
            FaultKind.BAD_INPUT,
        )
    return address


def store_address(identity: Identity, address: ServerAddress) -> Identity:
    """Store ``address`` in the identity's home and return the new identity. Blocking. Raises `UserError` (STORAGE).

    The next start looks there first, wherever the server answered last.
    """
    changed = with_address(identity, address)
    save_identity(changed)
    save_last_server(EndpointHome(identity.home).last_server, address)
    return changed
