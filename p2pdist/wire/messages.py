"""Every message of the origin protocol, with the cap of every field.

`docs/protocol.md` is the prose of this file. An endpoint opens two TLS
connections to the origin port: one for control, one for data. The first frame
on each is its hello. On the wire a message is a msgpack map whose key ``t``
names its kind.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

from p2pdist.wire import codec
from p2pdist.wire.codec import Record

PROTOCOL_VERSION = 1

MAX_PIECES = 65_536  # 10 GB at 256 KiB is 40 960; keeps a bitfield at 8 KiB
MAX_PIECE_BYTES = 4 << 20  # one piece is held whole in memory on either side
MAX_CONTROL_FRAME_BYTES = 256 << 10  # a report on every patch, or a full peer list, with room
MAX_DATA_FRAME_BYTES = MAX_PIECE_BYTES + 256  # one piece and its envelope
MAX_ADDRESSES = 16  # a PC with VPNs and containers; the rest cannot matter for the site
MAX_SITE_PEERS = 200  # more neighbours than libtorrent uses connections for
MAX_PATCHES_PER_REPORT = 256
MAX_TEXT_CHARS = 400

Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARS)]
Hash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$", max_length=64)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Address = Annotated[str, msgspec.Meta(min_length=2, max_length=45)]  # longest IPv6 text
Port = Annotated[int, msgspec.Meta(ge=1, le=65_535)]
PieceNumber = Annotated[int, msgspec.Meta(ge=0, lt=MAX_PIECES)]
Bitfield = Annotated[bytes, msgspec.Meta(max_length=MAX_PIECES // 8)]
ByteCount = Annotated[int, msgspec.Meta(ge=0, le=1 << 50)]
Nonce = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]

PatchState: TypeAlias = Literal["waiting", "checking", "fetching", "verifying", "verified", "failed"]


class Message(Record, frozen=True, tag_field="t"):
    """Base of every message."""


# --- endpoint → seed server, control connection ---------------------------------------


class ControlHello(Message, frozen=True, tag="hello"):
    """First frame of the control connection."""

    protocol: int
    software: Text
    hostname: Text
    addresses: Annotated[list[Address], msgspec.Meta(max_length=MAX_ADDRESSES)]
    """The endpoint's own addresses, best first; they decide its site."""
    lan_port: Port
    """Port of its TLS BitTorrent listener."""
    on_mains: bool
    wired: bool
    uptime_seconds: Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]


class Want(Message, frozen=True, tag="want"):
    """Asks for leases on a torrent's pieces and says what the LAN has; replaces the previous one."""

    torrent: Hash
    have: Bitfield
    """Pieces on this endpoint's disk."""
    lan_have: Bitfield
    """Pieces that this endpoint's connected LAN peers hold."""
    lan_stalled: bool
    """The LAN holds pieces that this endpoint lacks, yet none has arrived for a while."""
    can_fetch: bool
    """False when the profile, the battery or the disk forbids fetching from the origin."""


class PieceStored(Message, frozen=True, tag="stored"):
    """A piece from the origin passed its hash check: the lease is fulfilled."""

    torrent: Hash
    piece: PieceNumber


class PieceRejected(Message, frozen=True, tag="rejected"):
    """A piece from the origin failed its hash check: the lease is void."""

    torrent: Hash
    piece: PieceNumber


class PatchReport(Record, frozen=True):
    """One patch's state on an endpoint; counts are payload bytes, since the patch was first seen."""

    patch_id: Name
    version: Name
    state: PatchState
    progress: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
    bytes_from_origin: ByteCount
    bytes_from_peers: ByteCount
    bytes_wasted: ByteCount
    seconds: Annotated[float, msgspec.Meta(ge=0.0, le=1e10)]
    """From first seen to verified, or to now."""
    error: Text


class Report(Message, frozen=True, tag="report"):
    """The state of every patch that changed since the last report."""

    patches: Annotated[list[PatchReport], msgspec.Meta(max_length=MAX_PATCHES_PER_REPORT)]


class Pong(Message, frozen=True, tag="pong"):
    """Echo of a `Ping`, sent at once."""

    nonce: Nonce


# --- seed server → endpoint, control connection ---------------------------------------


class Welcome(Message, frozen=True, tag="welcome"):
    """Answer to `ControlHello`."""

    server_name: Name
    site: Name
    timestamp_version: Annotated[int, msgspec.Meta(ge=0)]
    """Version of the newest TUF timestamp metadata."""


class SitePeer(Record, frozen=True):
    """Another endpoint of the same site, connected to the server now."""

    endpoint_id: Annotated[str, msgspec.Meta(pattern="^[a-z2-7]{26}$", max_length=26)]
    address: Address
    port: Port


class SitePeers(Message, frozen=True, tag="peers"):
    """The whole peer list of the site; replaces the previous one."""

    peers: Annotated[list[SitePeer], msgspec.Meta(max_length=MAX_SITE_PEERS)]


class RepositoryChanged(Message, frozen=True, tag="changed"):
    """New TUF metadata is there: refresh."""

    timestamp_version: Annotated[int, msgspec.Meta(ge=0)]


class Unavailable(Message, frozen=True, tag="unavailable"):
    """The origin cannot serve this torrent (unknown, or damaged on its disk)."""

    torrent: Hash
    reason: Text


class Ping(Message, frozen=True, tag="ping"):
    """Round-trip probe and liveness check."""

    nonce: Nonce


class Goodbye(Message, frozen=True, tag="goodbye"):
    """Last frame before a side closes the connection on purpose, with the cause in words."""

    reason: Text


# --- data connection -------------------------------------------------------------------


class DataHello(Message, frozen=True, tag="data"):
    """First frame of the data connection, endpoint → server. Nothing follows it in this direction."""

    protocol: int


class Piece(Message, frozen=True, tag="piece"):
    """One leased piece, server → endpoint. Sending it is what grants the lease."""

    torrent: Hash
    piece: PieceNumber
    data: Annotated[bytes, msgspec.Meta(min_length=1, max_length=MAX_PIECE_BYTES)]


Hello: TypeAlias = ControlHello | DataHello
FromEndpoint: TypeAlias = Want | PieceStored | PieceRejected | Report | Pong | Goodbye
FromServer: TypeAlias = Welcome | SitePeers | RepositoryChanged | Unavailable | Ping | Goodbye
OnDataConnection: TypeAlias = Piece | Goodbye


def encode_message(message: Message) -> bytes:
    """Return the frame body of ``message``."""
    return codec.encode(message)


def decode_hello(body: bytes) -> Hello:
    """Return the first message of a connection. Raises `codec.DecodeError`."""
    return codec.decode(body, Hello, max_bytes=MAX_CONTROL_FRAME_BYTES)


def decode_from_endpoint(body: bytes) -> FromEndpoint:
    """Return a later control message of an endpoint. Raises `codec.DecodeError`."""
    return codec.decode(body, FromEndpoint, max_bytes=MAX_CONTROL_FRAME_BYTES)


def decode_from_server(body: bytes) -> FromServer:
    """Return a control message of the server. Raises `codec.DecodeError`."""
    return codec.decode(body, FromServer, max_bytes=MAX_CONTROL_FRAME_BYTES)


def decode_on_data_connection(body: bytes) -> OnDataConnection:
    """Return what the server sent on the data connection. Raises `codec.DecodeError`."""
    return codec.decode(body, OnDataConnection, max_bytes=MAX_DATA_FRAME_BYTES)
