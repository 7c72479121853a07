"""Encode and decode what goes over each channel of the origin protocol. Pure.

Whatever a sender writes, the texts of a decoded message are one line of visible
signs: they end up in logs, databases and on terminals.
"""

import typing
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from p2pdist.shared.printable_text import printable
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Message
from p2pdist.shared.wire.data_messages import CodedPiece, DataHello, Piece
from p2pdist.shared.wire.fields import MAX_CONTROL_FRAME_BYTES, MAX_DATA_FRAME_BYTES
from p2pdist.shared.wire.messages import ControlHello, FromEndpoint, FromServer, Goodbye

MAX_KIND_CHARS = 64  # of an unknown kind's name: it is logged

T = TypeVar("T")

Hello: TypeAlias = ControlHello | DataHello
OnDataConnection: TypeAlias = Piece | CodedPiece | Goodbye

_KINDS = frozenset(
    kind.__struct_config__.tag
    for channel in (Hello, FromEndpoint, FromServer, OnDataConnection)
    for kind in typing.get_args(channel)
)


@dataclass(frozen=True, slots=True)
class UnknownKind:
    """A control message of a kind that this release does not know; a newer one may have it."""

    name: str


def encode_message(message: Message) -> bytes:
    """Return the frame body of ``message``."""
    return codec.encode(message)


def decode_hello(body: bytes) -> Hello:
    """Return the first message of a connection. Raises `DecodeError`."""
    return codec.decode(body, Hello, max_bytes=MAX_CONTROL_FRAME_BYTES, each_text=printable)


def protocol_of_hello(body: bytes) -> int | None:
    """Return the protocol of a hello that cannot be decoded, as those of long ago; None: it names none."""
    try:
        raw = codec.unpack(body, max_bytes=MAX_CONTROL_FRAME_BYTES)
    except DecodeError:
        return None
    protocol = raw.get("protocol") if isinstance(raw, dict) and raw.get("t") in ("hello", "data") else None
    return protocol if type(protocol) is int else None


def decode_from_endpoint(body: bytes) -> FromEndpoint | UnknownKind:
    """Return a control message of an endpoint, after its hello. Raises `DecodeError`."""
    message: FromEndpoint | UnknownKind = _decode_control(body, FromEndpoint)
    return message


def decode_from_server(body: bytes) -> FromServer | UnknownKind:
    """Return a control message of the server. Raises `DecodeError`."""
    message: FromServer | UnknownKind = _decode_control(body, FromServer)
    return message


def decode_on_data_connection(body: bytes) -> OnDataConnection:
    """Return a message of the server on the data connection. Raises `DecodeError`."""
    return codec.decode(body, OnDataConnection, max_bytes=MAX_DATA_FRAME_BYTES, each_text=printable)


def _decode_control(body: bytes, channel: type[T] | Any) -> T | UnknownKind:
    raw = codec.unpack(body, max_bytes=MAX_CONTROL_FRAME_BYTES)
    kind = raw.get("t") if isinstance(raw, dict) else None
    if isinstance(kind, str) and kind not in _KINDS:
        return UnknownKind(printable(kind[:MAX_KIND_CHARS]))
    message: T = codec.convert(raw, channel, each_text=printable)
    return message
