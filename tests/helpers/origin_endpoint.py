"""An endpoint's side of the origin port: its connections, byte by byte, and what it says on them."""

import contextlib
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgpack
import trio

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire import bitfield
from p2pdist.shared.wire.channels import (
    UnknownKind,
    decode_from_server,
    decode_on_data_connection,
    encode_message,
)
from p2pdist.shared.wire.codec import Message
from p2pdist.shared.wire.data_messages import Piece
from p2pdist.shared.wire.enrolment import Certificates
from p2pdist.shared.wire.fields import MAX_DATA_FRAME_BYTES
from p2pdist.shared.wire.frames import FrameDecoder, encode_frame
from p2pdist.shared.wire.messages import PROTOCOL_VERSION, ControlHello, Goodbye, PieceStored, Want, Welcome
from p2pdist.shared.wire.pings import echo_frame, ping_number
from seed_server.store.database import ServedPayload

INSTANCE = "0" * 32
Stream = trio.SSLStream[trio.SocketStream]
M = TypeVar("M")


@dataclass(frozen=True)
class Ping:
    """A ping of the server's."""

    number: int


class Closed(Exception):  # noqa: N818 - an event more than an error
    """The server closed the connection; ``args[0]`` is the reason it gave, if any."""


@dataclass
class Connection:
    """An endpoint's end of a connection; ``received_bytes`` counts application bytes."""

    stream: Stream
    data: bool = False
    decoder: FrameDecoder = field(default_factory=lambda: FrameDecoder(max_bytes=MAX_DATA_FRAME_BYTES))
    bodies: list[bytes] = field(default_factory=list)
    received_bytes: int = 0
    sending: trio.Lock = field(default_factory=trio.Lock)

    async def send(self, message: Message) -> None:
        await self.send_raw(encode_frame(encode_message(message), max_bytes=MAX_DATA_FRAME_BYTES))

    async def echo(self, ping: Ping) -> None:
        await self.send_raw(echo_frame(ping.number))

    async def send_raw(self, data: bytes) -> None:
        with contextlib.suppress(trio.BrokenResourceError):  # what the server has said shows when it is read
            async with self.sending:
                await self.stream.send_all(data)

    async def send_eof(self) -> None:
        await self.stream.transport_stream.send_eof()

    async def receive(self) -> Message | Ping:
        """Return the next message. Raises `Closed`."""
        while not self.bodies:
            try:
                data = await self.stream.receive_some()
            except trio.BrokenResourceError as error:
                raise Closed("") from error
            if not data:
                raise Closed("")
            self.received_bytes += len(data)
            self.bodies = self.decoder.feed(bytes(data))
        body = self.bodies.pop(0)
        if not self.data and (number := ping_number(body)) is not None:
            return Ping(number)
        message: Message | UnknownKind = decode_on_data_connection(body) if self.data else decode_from_server(body)
        assert not isinstance(message, UnknownKind)
        if isinstance(message, Goodbye):
            raise Closed(message.reason)
        return message

    async def expect(self, kind: type[M]) -> M:
        """Return the next message of this kind, and answer pings until then."""
        while True:
            message = await self.receive()
            if isinstance(message, kind):
                return message
            if isinstance(message, Ping):
                await self.echo(message)

    async def closed(self) -> str:
        """Wait for the end and return the reason that the server gave."""
        try:
            while True:
                await self.receive()
        except Closed as end:
            return str(end)

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self.stream)


@dataclass(frozen=True)
class Identity:
    """An endpoint's key and certificates."""

    endpoint: EndpointId
    key_pem: bytes
    certificates: Certificates
    local_address: str


@dataclass
class Endpoint:
    """An enrolled endpoint with both connections open."""

    identity: Identity
    welcome: Welcome
    control: Connection
    data: Connection
    have: int = 0

    async def want(self, patch: ServedPayload, **changes: Any) -> None:
        await self.control.send(want(patch, have=self.have, **changes))

    async def aclose(self) -> None:
        await self.control.aclose()
        await self.data.aclose()


def want(
    patch: ServedPayload, *, have: int = 0, lan_have: int = 0, stalled: bool = False, can_fetch: bool = True
) -> Want:
    count = patch.piece_count
    return Want(
        torrent=patch.torrent_hash,
        have=bitfield.pack(have, count),
        lan_have=bitfield.pack(lan_have, count),
        lan_stalled=stalled,
        can_fetch=can_fetch,
    )


def hello(address: str, **changes: Any) -> ControlHello:
    values: dict[str, Any] = {
        "protocol": PROTOCOL_VERSION,
        "software": "test",
        "hostname": "pc",
        "addresses": [address],
        "lan_port": 7691,
        "on_mains": True,
        "wired": True,
        "uptime_seconds": 1,
        "instance": INSTANCE,
    }
    return ControlHello(**(values | changes))


def unknown_want(torrent: str = "00" * 32) -> Want:
    return Want(torrent=torrent, have=b"\0", lan_have=b"\0", lan_stalled=False, can_fetch=True)


def frame(message: Message) -> bytes:
    return encode_frame(encode_message(message), max_bytes=1 << 24)


def packed(value: object) -> bytes:
    return encode_frame(msgpack.packb(value), max_bytes=1 << 24)


async def keep_fetching(endpoint: Endpoint) -> None:
    """Confirm every piece and answer every ping, until a connection ends."""

    async def answer() -> None:
        while True:
            await endpoint.control.expect(Welcome)

    async def confirm() -> None:
        while True:
            piece = await endpoint.data.expect(Piece)
            await endpoint.control.send(PieceStored(torrent=piece.torrent, piece=piece.piece))

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            nursery.start_soon(confirm)
    except* (Closed, trio.ClosedResourceError, trio.BrokenResourceError):
        pass
