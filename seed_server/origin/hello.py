"""The first message of a connection: whether its protocol is spoken here, and what is kept of it."""

from msgspec.structs import replace

from p2pdist.shared.wire.channels import Hello, decode_hello, protocol_of_hello
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.features import PC_FEATURES, no_common_protocol, understood
from p2pdist.shared.wire.messages import ControlHello
from seed_server.origin.connection import RefusedError


def hello_of(body: bytes) -> Hello:
    """Return the hello of a protocol that is spoken here. Raises `RefusedError`, with what to upgrade."""
    try:
        hello = decode_hello(body)
    except DecodeError as error:
        unspoken = no_common_protocol(protocol) if (protocol := protocol_of_hello(body)) is not None else ""
        raise RefusedError(unspoken or f"the first message is no hello: {error}") from error
    if unspoken := no_common_protocol(hello.protocol):
        raise RefusedError(unspoken)
    if isinstance(hello, ControlHello):  # the names of features are the same words for all, in memory for all that time
        return replace(hello, features=understood(hello.features, PC_FEATURES))
    return hello
