"""The messages of the data connection: see `wire.messages`. Pure."""

from typing import Annotated

import msgspec

from p2pdist.shared.wire.codec import Message
from p2pdist.shared.wire.fields import MAX_PIECE_BYTES, Hash, Instance, PieceNumber


class DataHello(Message, frozen=True, tag="data"):
    """First frame of the data connection, from the endpoint. It is the only frame in this direction."""

    protocol: int
    instance: Instance
    """As in the hello of the control connection: it belongs to that one."""
    large_packets_lost: bool
    """Here and in the last day, a TLS handshake did not end because full packets, and only these, were missing."""


class Piece(Message, frozen=True, tag="piece"):
    """One piece, from the server. Sending it grants the lease."""

    torrent: Hash
    piece: PieceNumber
    data: Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_PIECE_BYTES)]
