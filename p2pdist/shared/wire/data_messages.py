"""The messages of the data connection: see `wire.messages`. Pure."""

from typing import Annotated

import msgspec

from p2pdist.shared.coded_pieces import MAX_PREFIX_RANGES, Codec
from p2pdist.shared.wire.codec import Message
from p2pdist.shared.wire.fields import MAX_BYTE_COUNT, MAX_PIECE_BYTES, Hash, Instance, OptionalHash, PieceNumber

RangeOffset = Annotated[int, msgspec.Meta(ge=0, le=MAX_BYTE_COUNT)]
RangeLength = Annotated[int, msgspec.Meta(ge=1, le=MAX_BYTE_COUNT)]


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


class CodedPiece(Message, frozen=True, tag="coded"):
    """One piece as `coded_pieces` has it, in the place of a `Piece`. Feature ``coded_pieces``."""

    torrent: Hash
    piece: PieceNumber
    codec: Codec
    length_bytes: Annotated[int, msgspec.Meta(ge=1, le=MAX_PIECE_BYTES)]
    """Of the piece."""
    data: Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_PIECE_BYTES)]
    base: OptionalHash = ""
    """SHA-256 of the payload that the prefix is of: the endpoint has told of it with `Bases`; empty: no prefix."""
    ranges: Annotated[tuple[tuple[RangeOffset, RangeLength], ...], msgspec.Meta(max_length=MAX_PREFIX_RANGES)] = ()
    """Offset and length in the base of each stretch of the prefix, in their order."""
