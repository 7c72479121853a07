"""The first message of a connection: whether its protocol is spoken here, and what is kept of it."""

from msgspec.structs import replace

from p2pdist.shared.wire.channels import Hello, decode_hello, protocol_of_hello
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.features import (
    NEIGHBOURS,
    PC_FEATURES,
    ignores_additions,
    no_common_protocol,
    understood,
)
from p2pdist.shared.wire.fields import Features
from p2pdist.shared.wire.messages import ControlHello
from seed_server.line.site_map import AUTOMATIC_PREFIX
from seed_server.origin.connection import RefusedError
from seed_server.settings.server_toml import ServerSettings


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


def told_features(protocol: int, site: str, settings: ServerSettings, features: Features) -> Features:
    """Return what a PC of a site is told that this server understands: ``features``, and what it wants to hear.

    Who is beside a PC is asked only in sites that the map names: an automatic one may be somebody's home.
    """
    if not ignores_additions(protocol):
        return ()
    asks = settings.unmanaged_neighbours and not site.startswith(AUTOMATIC_PREFIX)
    return (*features, NEIGHBOURS) if asks else features
