"""Where the server is: its addresses, signed by the offline ``profiles`` role: a stolen server moves no PC. Pure."""

from typing import Annotated, Literal

import msgspec

from p2pdist.shared.server_address import ServerAddress, address_problem
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Document

SERVERS_TARGET = "profiles/servers"
MAX_SERVERS = 8  # of one server: two lines, names inside and outside, and those of a move; a PC tries them in turn
MAX_SERVERS_BYTES = 4 << 10  # MAX_SERVERS of the longest names
MAX_LIST_NUMBER = 1 << 40


class ServerList(Document, frozen=True):
    """All addresses of the server, in the order in which PCs try them."""

    format: Literal[1]
    number: Annotated[int, msgspec.Meta(ge=1, le=MAX_LIST_NUMBER)]
    """Higher with each change, and also the time of it: PCs say which one they have."""
    addresses: Annotated[tuple[ServerAddress, ...], msgspec.Meta(min_length=1, max_length=MAX_SERVERS)]


def encode_servers(servers: ServerList) -> bytes:
    """Return the list as a TUF target's bytes."""
    return codec.encode(servers)


def decode_servers(data: bytes) -> ServerList:
    """Return a checked list. Raises `DecodeError`, also for what is no address, or is there twice."""
    servers: ServerList = codec.decode(data, ServerList, max_bytes=MAX_SERVERS_BYTES)
    for address in servers.addresses:
        if problem := address_problem(address):
            raise DecodeError(problem)
    if len(set(servers.addresses)) < len(servers.addresses):
        raise DecodeError("an address is there twice")
    return servers
