"""Every message between the daemon and its network part, with the cap of every field. Pure.

The network part may be taken over by whoever it speaks with, so the daemon decodes its messages as strictly as those
that come from the wire. Both are of one release. A message with a ``call`` number is answered by one that has the same
number.
"""

from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from p2pdist.neighbours.finder import DiscoveryEvent
from p2pdist.neighbours.known_peer import Announcement
from p2pdist.origin.connection import OriginEvent
from p2pdist.shared.errors import FaultKind
from p2pdist.shared.identifiers import parse_torrent_hash
from p2pdist.shared.manifest.documents import MAX_TARGETS_ROLE_BYTES, MAX_TORRENT_BYTES
from p2pdist.shared.printable_text import printable
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.bitfield import BitfieldError, pack, unpack
from p2pdist.shared.wire.codec import DecodeError, Record
from p2pdist.shared.wire.enrolment import Pem
from p2pdist.shared.wire.fields import (
    MAX_PIECE_BYTES,
    MAX_PIECES,
    Address,
    Bitfield,
    ByteCount,
    Hash,
    OptionalHash,
    PieceNumber,
    Port,
    Text,
)
from p2pdist.shared.wire.messages import ControlHello, FromEndpoint, News
from p2pdist.transfer.faults import TransferFault
from p2pdist.transfer.torrent_engine import EngineEvent, PeerSnapshot, PieceOutcome, SwarmIdentity, TransferSnapshot
from p2pdist.trust.http_answers import MAX_HTTP_DETAIL_CHARS, HttpFailure

MAX_HTTP_BODY_BYTES = MAX_TARGETS_ROLE_BYTES  # the largest document that is asked for
MAX_URL_CHARS = 8_000  # an address, and the names of a batch of targets
MAX_MESSAGE_BYTES = max(MAX_HTTP_BODY_BYTES, MAX_TORRENT_BYTES) + (64 << 10)  # one document and its envelope
MAX_EVENTS_PER_MESSAGE = 64
MAX_PEERS_PER_TORRENT = 200  # over the engine's cap on connections
MAX_WORDS_CHARS = 1_000  # words for `p2pdist status`

Call = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]
Problem = Annotated[str, msgspec.Meta(max_length=MAX_WORDS_CHARS)]
ServerHost = Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
Window = Literal["origin", "pieces", "discovery"]
"""Streams of messages that must not be dropped: at most `MAX_ON_THE_WAY` of each are on their way, see `Taken`."""
MAX_ON_THE_WAY = 64


class PartMessage(Record, frozen=True, tag_field="t", tag=True):
    """Base of every message."""


# --- daemon → network part --------------------------------------------------------------


class PartIdentity(Record, frozen=True):
    """What the network part shows to the server and to neighbours, and by which authorities it checks them. PEM."""

    control_ca: Pem
    control_certificate: Pem
    swarm_ca: Pem
    swarm_certificate: Pem
    key: Pem

    def swarm(self) -> SwarmIdentity:
        """Return the part that the swarm needs."""
        return SwarmIdentity(self.swarm_ca, self.swarm_certificate, self.key)


class Start(PartMessage, frozen=True):
    """The first message: opens the LAN listener. Answered by `Started` or `NotStarted`."""

    listen_address: Address
    listen_port: Annotated[int, msgspec.Meta(ge=0, le=65_535)]
    local_address: Address | None
    """The own address to use for everything, or None for all."""
    server_address: ServerHost
    origin_port: Port
    identity: PartIdentity


class UseServer(PartMessage, frozen=True):
    """Where to look for the server, from the next attempt to connect on."""

    server_address: ServerHost
    origin_port: Port
    at_once: bool = False
    """Whether that attempt comes now, as part of the last one: only where none is under way."""


class Introduce(PartMessage, frozen=True):
    """What to tell the server of this PC from now on. The first one starts the connection."""

    hello: ControlHello


class Announce(PartMessage, frozen=True):
    """What to tell the neighbours by mDNS from now on. The first one starts discovery."""

    announcement: Announcement


class UseIdentity(PartMessage, frozen=True):
    """Renewed certificates, for all later handshakes."""

    identity: PartIdentity


class Reconnect(PartMessage, frozen=True):
    """Connect to the server anew."""


class ToOrigin(PartMessage, frozen=True):
    """Send this to the server; it is dropped while there is no connection."""

    message: FromEndpoint


class AddTorrent(PartMessage, frozen=True):
    """See `TorrentEngine.add`. Answered by `Done` or `Failed`."""

    call: Call
    torrent: Annotated[bytes, msgspec.Meta(max_length=MAX_TORRENT_BYTES)]
    torrent_hash: Hash
    assume_complete: bool


class RemoveTorrent(PartMessage, frozen=True):
    """See `TorrentEngine.remove`. Answered by `Done`."""

    call: Call
    torrent_hash: Hash
    delete_files: bool


class CheckTorrent(PartMessage, frozen=True):
    """See `TorrentEngine.recheck`. Answered by `Done` or `Failed`."""

    call: Call
    torrent_hash: Hash


class ConnectPeer(PartMessage, frozen=True):
    """See `TorrentEngine.connect_peer`."""

    torrent_hash: Hash
    address: Address
    port: Port


class LimitLan(PartMessage, frozen=True):
    """See `TorrentEngine.limit_lan`."""

    upload: ByteCount | None
    download: ByteCount | None
    serve: bool


class SetMoving(PartMessage, frozen=True):
    """See `TorrentEngine.set_moving`."""

    moving: bool


class Refresh(PartMessage, frozen=True):
    """Send a `Snapshot` of each torrent that has changed, then `Done`."""

    call: Call


class CountLan(PartMessage, frozen=True):
    """Answered by `LanBytes`."""

    call: Call


class HttpRequest(PartMessage, frozen=True):
    """One request to the seed server's web port. Answered by `HttpDone` or `HttpBroke`."""

    call: Call
    url: Annotated[str, msgspec.Meta(max_length=MAX_URL_CHARS)]
    body: Annotated[bytes, msgspec.Meta(max_length=MAX_HTTP_BODY_BYTES)] | None
    """A JSON document to POST; None for a GET."""
    max_bytes: Annotated[int, msgspec.Meta(ge=0, le=MAX_HTTP_BODY_BYTES)]


class Abandon(PartMessage, frozen=True):
    """Nobody waits for the answer to this call any more."""

    call: Call


class Taken(PartMessage, frozen=True):
    """The daemon has acted on one more message of a window: one more may be sent."""

    window: Window


class AreYouAlive(PartMessage, frozen=True):
    """Answered by `Done`: the network part's event loop is alive."""

    call: Call


class EndProcess(PartMessage, frozen=True):
    """Finish what is being written, say goodbye, and end."""


ToPart: TypeAlias = (
    Start | UseServer | Introduce | Announce | UseIdentity | Reconnect | ToOrigin | AddTorrent | RemoveTorrent
    | CheckTorrent | ConnectPeer | LimitLan | SetMoving | Refresh | CountLan | HttpRequest | Abandon | Taken
    | AreYouAlive | EndProcess
)  # fmt: skip


# --- network part → daemon --------------------------------------------------------------


class Started(PartMessage, frozen=True):
    """The LAN listener is open."""

    listen_port: Port


class NotStarted(PartMessage, frozen=True):
    """The LAN listener could not be opened; the process ends."""

    kind: FaultKind
    text: Problem


class Done(PartMessage, frozen=True):
    """The call has been carried out."""

    call: Call


class Failed(PartMessage, frozen=True):
    """The call could not be carried out; the words are for people."""

    call: Call
    kind: FaultKind
    text: Problem


class Snapshot(PartMessage, frozen=True):
    """A torrent's `TransferSnapshot`, with its sets of pieces as bitfields."""

    torrent_hash: Hash
    phase: Literal["checking", "downloading", "complete", "error"]
    piece_count: Annotated[int, msgspec.Meta(ge=1, le=MAX_PIECES)]
    have: Bitfield
    lan_have: Bitfield
    bytes_from_peers: ByteCount
    bytes_to_peers: ByteCount
    bytes_wasted: ByteCount
    progress: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
    peers: Annotated[tuple[PeerSnapshot, ...], msgspec.Meta(max_length=MAX_PEERS_PER_TORRENT)]
    fault: TransferFault | None

    @classmethod
    def of(cls, snapshot: TransferSnapshot) -> "Snapshot":
        """Return the message that carries ``snapshot``."""
        return cls(
            torrent_hash=snapshot.torrent_hash,
            phase=snapshot.phase,
            piece_count=snapshot.piece_count,
            have=pack(snapshot.have, snapshot.piece_count),
            lan_have=pack(snapshot.lan_have, snapshot.piece_count),
            bytes_from_peers=snapshot.bytes_from_peers,
            bytes_to_peers=snapshot.bytes_to_peers,
            bytes_wasted=snapshot.bytes_wasted,
            progress=snapshot.progress,
            peers=snapshot.peers[:MAX_PEERS_PER_TORRENT],
            fault=snapshot.fault,
        )

    def unpacked(self) -> TransferSnapshot:
        """Return what the message carries. Raises `DecodeError` where its bitfields do not fit its number of pieces."""
        try:
            have, lan_have = unpack(self.have, self.piece_count), unpack(self.lan_have, self.piece_count)
        except BitfieldError as error:
            raise DecodeError(str(error)) from error
        return TransferSnapshot(
            torrent_hash=parse_torrent_hash(self.torrent_hash),
            phase=self.phase,
            piece_count=self.piece_count,
            have=have,
            lan_have=lan_have,
            bytes_from_peers=self.bytes_from_peers,
            bytes_to_peers=self.bytes_to_peers,
            bytes_wasted=self.bytes_wasted,
            progress=self.progress,
            peers=self.peers,
            fault=self.fault,
        )


class LanBytes(PartMessage, frozen=True):
    """Bytes received from and sent to neighbours since the process started, protocol overhead included."""

    call: Call
    received: ByteCount
    sent: ByteCount


class HttpDone(PartMessage, frozen=True):
    """The server's answer."""

    call: Call
    status: Annotated[int, msgspec.Meta(ge=100, le=999)]
    body: Annotated[bytes, msgspec.Meta(max_length=MAX_HTTP_BODY_BYTES)]


class HttpBroke(PartMessage, frozen=True):
    """The server gave no complete answer: the fields of an `HttpError`."""

    call: Call
    failure: HttpFailure
    server: Text
    detail: Annotated[str, msgspec.Meta(max_length=MAX_HTTP_DETAIL_CHARS)]


class FromEngine(PartMessage, frozen=True):
    """What the torrent engine reports."""

    events: Annotated[tuple[EngineEvent, ...], msgspec.Meta(max_length=MAX_EVENTS_PER_MESSAGE)]


class FromOrigin(PartMessage, frozen=True):
    """What the server says, or the end of a connection. In the window ``origin``."""

    event: OriginEvent | News
    connected: bool
    status: Problem
    """One line on the connection, for people."""


class PieceArrived(PartMessage, frozen=True):
    """What became of a piece from the origin. In the window ``pieces``."""

    torrent: Hash
    piece: PieceNumber
    size_bytes: Annotated[int, msgspec.Meta(ge=1, le=MAX_PIECE_BYTES)]
    """What crossed the line."""
    outcome: PieceOutcome
    built_bytes: Annotated[int, msgspec.Meta(ge=0, le=MAX_PIECE_BYTES)] = 0
    """By how much the piece is longer than that: it was coded."""
    base: OptionalHash = ""
    """SHA-256 of the payload whose bytes it was coded with; empty: with none."""
    problem: Problem = ""
    """Why it could not be decoded, in words."""


class FromDiscovery(PartMessage, frozen=True):
    """A neighbour that mDNS has found or lost. In the window ``discovery``."""

    event: DiscoveryEvent


class DiscoveryState(PartMessage, frozen=True):
    """Why mDNS does not work; empty while it does."""

    problem: Problem


FromPart: TypeAlias = (
    Started | NotStarted | Done | Failed | Snapshot | LanBytes | HttpDone | HttpBroke | FromEngine | FromOrigin
    | PieceArrived | FromDiscovery | DiscoveryState
)  # fmt: skip

_FROM_PART: Final = msgspec.msgpack.Decoder(FromPart)


def decode_to_part(body: bytes) -> ToPart:
    """Return a message of the daemon. Raises `DecodeError`."""
    return codec.decode(body, ToPart, max_bytes=MAX_MESSAGE_BYTES)


def decode_from_part(body: bytes) -> FromPart:
    """Return a message of the network part. Raises `DecodeError`."""
    if len(body) > MAX_MESSAGE_BYTES:
        raise DecodeError(f"{len(body)} bytes are over the cap of {MAX_MESSAGE_BYTES}")
    try:
        # keeps nothing of another shape: else five megabytes of empty lists would take 700
        message = _FROM_PART.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise DecodeError(printable(str(error)[: codec.MAX_DECODE_ERROR_CHARS])) from error
    return codec.convert(msgspec.to_builtins(message, builtin_types=(bytes,)), FromPart, each_text=printable)
