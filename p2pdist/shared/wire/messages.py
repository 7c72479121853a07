"""Every message of the origin protocol, with the cap of every field. Pure.

`docs/protocol.md` describes the same in prose. An endpoint opens two TLS connections to the origin port: one for
control, one for data. The first frame on each is a hello. On the wire a message is a msgpack map whose key ``t`` names
its kind. Those of the data connection are in `wire.data_messages`, those of parcels in `wire.parcel`; `wire.channels`
encodes and decodes all of them. Pings are not messages: see `wire.pings`.

A field that is added has a default, and is sent only to who has its feature: see
`wire.features`.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

from bandwidth.core.units import LARGEST_PACKET_BYTES, SMALLEST_PACKET_BYTES
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.ring_facts import ToldFacts
from p2pdist.shared.wire.codec import Extensible, Message
from p2pdist.shared.wire.custody import CustodyTold, CustodyWanted
from p2pdist.shared.wire.fields import (
    DEFAULT_REPORT_SECONDS,
    HELD_BYTES,
    MAX_ADDRESSES,
    MAX_BASES,
    MAX_COPIES,
    MAX_HOLDERS,
    MAX_HOLDINGS,
    MAX_METADATA_VERSION,
    MAX_NEWS_MESSAGE_BYTES,
    MAX_PATCHES_PER_REPORT,
    MAX_SITE_PEERS,
    MAX_TEMPLATE_ITEMS,
    MAX_TOLD_TIMESTAMP_BYTES,
    Address,
    Bitfield,
    ByteCount,
    EndpointIdText,
    Features,
    Hash,
    Instance,
    Label,
    LanPort,
    OptionalHash,
    PaceSeconds,
    PieceNumber,
    Serial,
    ServerTime,
    ShortText,
    Text,
)
from p2pdist.shared.wire.inventory import InventoryPart, InventoryStated, InventoryWanted
from p2pdist.shared.wire.line_messages import LinkReport, LinkWatch, SiteLimit
from p2pdist.shared.wire.neighbours_seen import NeighboursSeen
from p2pdist.shared.wire.news_torrent import NewsTorrent
from p2pdist.shared.wire.parcel import Parcels, ParcelsWanted
from p2pdist.shared.wire.pc_findings import PcFindings
from p2pdist.shared.wire.signed_files import SignedFilePart, SignedWanted, TrustTold, TrustWanted
from p2pdist.shared.wire.spare_copies import SpareCopies, SpareWanted
from p2pdist.shared.wire.witness import AuditAlarm, Consistency, ConsistencyWanted

PROTOCOL_VERSION = 6
OLDEST_PROTOCOL = 5  # of release 0.2.0, which knows no features

PatchState: TypeAlias = Literal["waiting", "checking", "fetching", "verifying", "verified", "failed"]

InstallState: TypeAlias = Literal[
    "", "not_applicable", "waiting", "installing", "unproven", "restart_pending", "installed", "retrying",
    "rolled_back", "failed",
]  # fmt: skip
"""The state of a patch's installation; empty when there is nothing to install, or not yet."""


# --- endpoint → seed server, control connection ---------------------------------------


class ControlHello(Message, frozen=True, tag="hello"):
    """First frame of the control connection."""

    protocol: int
    software: Text
    hostname: Text
    addresses: Annotated[list[Address], msgspec.Meta(max_length=MAX_ADDRESSES)]
    """Of the card that leads to the server, the one in use first; among sites behind one router they choose."""
    lan_port: LanPort
    """The port of its BitTorrent listener (TLS)."""
    on_mains: bool
    wired: bool
    uptime_seconds: Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
    instance: Instance
    """The same in each hello of one run of the daemon."""
    features: Features = ()


class Want(Message, frozen=True, tag="want"):
    """Asks for leases on a torrent's pieces, and says what the LAN has. Replaces the previous `Want`."""

    torrent: Hash
    have: Bitfield
    """Pieces on this endpoint's disk."""
    lan_have: Bitfield
    """Pieces that this endpoint's connected LAN peers hold."""
    lan_stalled: bool
    """True when no piece has come from the LAN for `lan_patience.lan_patience_seconds`."""
    can_fetch: bool
    """False when the profile, the battery or the disk forbids fetching from the origin."""
    given_up: bool = False
    """This endpoint has nothing of it any more, and wants nothing: the other fields say as much."""


class Holdings(Message, frozen=True, tag="holdings"):
    """The endpoint has all of these torrents: instead of a `Want` for each. What it said of others stays."""

    torrents: Annotated[bytes, msgspec.Meta(max_length=MAX_HOLDINGS * HELD_BYTES)]
    """The first `HELD_BYTES` of each one's hash, one after the other."""


class Helping(Message, frozen=True, tag="helping"):
    """How far this endpoint helps its neighbours, of all torrents. Until it says so it is in full."""

    how: Literal["full", "less", "none"]
    """less: its processor is busy, and others shall fetch before it. none: it serves nobody, and what it alone has the
    others still need from the origin."""


class PieceStored(Message, frozen=True, tag="stored"):
    """A piece from the origin passed its hash check: the lease is fulfilled."""

    torrent: Hash
    piece: PieceNumber


class PieceRejected(Message, frozen=True, tag="rejected"):
    """A piece from the origin failed its hash check: the lease is void."""

    torrent: Hash
    piece: PieceNumber


class PieceUndecoded(Message, frozen=True, tag="undecoded"):
    """A coded piece could not be decoded, or failed its hash check: the lease is void, and it is to be sent whole.

    The bytes of its base are not what they should be, or it was damaged on its way. Feature ``coded_pieces``.
    """

    torrent: Hash
    piece: PieceNumber
    base: OptionalHash = ""
    """As in the `CodedPiece`; the endpoint counts it no more."""


class Bases(Message, frozen=True, tag="bases"):
    """The payloads of which this endpoint has the bytes, also former versions: pieces may be coded by them.

    Replaces what it said before. Feature ``coded_pieces``.
    """

    payloads: Annotated[bytes, msgspec.Meta(max_length=MAX_BASES * HELD_BYTES)]
    """The first `HELD_BYTES` of each one's SHA-256, one after the other."""


class PatchReport(Extensible, frozen=True):
    """The state of one patch on an endpoint. Counts are payload bytes since the patch was first seen."""

    patch_id: ShortText
    version: ShortText
    state: PatchState
    progress: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
    bytes_from_origin: ByteCount
    bytes_from_peers: ByteCount
    bytes_wasted: ByteCount
    seconds: Annotated[float, msgspec.Meta(ge=0.0, le=1e10)]
    """From the time it was first seen until it was verified, or until now."""
    error: Text
    install: InstallState = ""
    install_reason: Text = ""
    """What the installation waits for, or what has failed, in words."""
    install_output: Text = ""
    """The end of what its installer wrote, in one line, where it is not installed for that; else empty."""
    bytes_built: ByteCount = 0
    """What of the pieces from the origin did not cross the line: it was made here of bytes that were here, and by
    compression. ``bytes_from_origin`` has what crossed it."""

    @property
    def ref(self) -> PatchRef:
        """The patch that this is about."""
        return PatchRef(self.patch_id, self.version)


class Report(Message, frozen=True, tag="report"):
    """The state of every patch that changed since the last report."""

    patches: Annotated[list[PatchReport], msgspec.Meta(max_length=MAX_PATCHES_PER_REPORT)]
    refuses: Text
    """Why the endpoint accepts nothing new that this server has signed, in words; empty: it does."""
    serial: Serial = 0
    """Counts the reports of this run of the daemon; 0: not counted."""
    connection: Serial = 0
    """As the server has named this one; 0: it has not, or this was meant for an earlier one."""


class DiagnosisAnswer(Extensible, frozen=True):
    """A PC's answer to one item of a template."""

    label: Label
    applies: bool
    """Whether the item asks this PC at all."""
    needed: bool | None
    """Whether the PC needs it; None when the item does not ask this PC."""
    reason: Text
    """What decided, in words."""


class Diagnosis(Message, frozen=True, tag="diagnosis"):
    """All of a PC's answers to a template; they replace the previous ones. Sent when one of them has changed."""

    template: ShortText
    answers: Annotated[tuple[DiagnosisAnswer, ...], msgspec.Meta(min_length=1, max_length=MAX_TEMPLATE_ITEMS)]


class FactsChanged(Message, frozen=True, tag="facts"):
    """The facts of this PC by which rings choose; sent after the welcome, and when one changes. Feature ``facts``."""

    values: ToldFacts


class NewsWanted(Message, frozen=True, tag="news_wanted"):
    """Asks what has changed among the signed files since these versions. Answered by `News`."""

    root: Annotated[int, msgspec.Meta(ge=1, le=MAX_METADATA_VERSION)]
    snapshot: Annotated[int, msgspec.Meta(ge=0, le=MAX_METADATA_VERSION)]
    """0: none is known."""
    everything: bool = False
    """Also what this endpoint does not need, and keeps because the server has asked for it (`TrustWanted`)."""


# --- seed server → endpoint, control connection ---------------------------------------


class Pace(Message, frozen=True, tag="pace"):
    """How often this endpoint shall report, until the next one. Feature ``pace``."""

    report_seconds: PaceSeconds = DEFAULT_REPORT_SECONDS
    """Between two `Report` in which only counters have changed, or states that pass."""


class Welcome(Message, frozen=True, tag="welcome"):
    """Answer to `ControlHello`."""

    server_name: ShortText
    site: ShortText
    timestamp_version: Annotated[int, msgspec.Meta(ge=0)]
    """Version of the newest TUF timestamp metadata."""
    packet_bytes: Annotated[int, msgspec.Meta(ge=SMALLEST_PACKET_BYTES, le=LARGEST_PACKET_BYTES)]
    """Size of the IP packets on the data connection: small on a slow line, so that a VoIP packet waits less."""
    large_packets_lost: bool
    """Full packets do not get through to the endpoint, or to its site; ``packet_bytes`` takes that into account."""
    at: ServerTime
    """The server's time, seconds since 1970. A PC whose clock shows another opens no window; no clock is set by it."""
    features: Features = ()
    connection: Serial = 0
    """A number of this connection, for `Report`. Feature ``counted_reports``; the next field too."""
    recorded: Serial = 0
    """Of this run of the daemon, what was reported up to this serial is recorded here, and need not be said again."""
    pace: Pace | None = None
    """None: as `Pace` says of itself. Feature ``pace``."""


class SitePeer(Extensible, frozen=True):
    """Another endpoint of the same site that is connected to the server now."""

    endpoint_id: EndpointIdText
    address: Address
    port: LanPort


class SitePeers(Message, frozen=True, tag="peers"):
    """How this endpoint's list of neighbours changes. An endpoint that is in both lists has joined."""

    anew: bool
    """The list begins with this message: what was on it before does not count."""
    joined: Annotated[list[SitePeer], msgspec.Meta(max_length=MAX_SITE_PEERS)]
    """Also those whose address or port is another now."""
    left: Annotated[list[EndpointIdText], msgspec.Meta(max_length=MAX_SITE_PEERS)]


class Holders(Message, frozen=True, tag="holders"):
    """Who of the site has all of a torrent of at most `FEW_PIECES`; answer to a `Want` that sees it nowhere."""

    torrent: Hash
    endpoints: Annotated[list[EndpointIdText], msgspec.Meta(min_length=1, max_length=MAX_HOLDERS)]
    """The first one is to be asked first."""


class RepositoryChanged(Message, frozen=True, tag="changed"):
    """There is new TUF metadata: refresh."""

    timestamp_version: Annotated[int, msgspec.Meta(ge=0)]
    timestamp: Annotated[bytes, msgspec.Meta(max_length=MAX_TOLD_TIMESTAMP_BYTES)] = b""
    """Where nothing else has changed, the timestamp itself: there is nothing to ask for. Feature ``timestamp``."""
    root_version: Annotated[int, msgspec.Meta(ge=0, le=MAX_METADATA_VERSION)] = 0
    """With it, the version of the newest root."""


class News(Message, frozen=True, tag="news"):
    """Answer to `NewsWanted`, or what the endpoint would ask for as soon as it hears of a publication."""

    files: Annotated[bytes, msgspec.Meta(max_length=MAX_NEWS_MESSAGE_BYTES)]
    """A `trust_news.TrustNews`; empty where it is too large for here, or cannot be read: the web port has it."""
    torrent: NewsTorrent | None = None
    """What to fetch together with the neighbours instead: it holds the `TrustNews`."""
    root: Annotated[int, msgspec.Meta(ge=0, le=MAX_METADATA_VERSION)] = 0
    """Of news that nobody asked for: the version of the root since which they are; 0: they are an answer.

    They come in place of a `RepositoryChanged`, to who names the feature `unasked_news`.
    """
    snapshot: Annotated[int, msgspec.Meta(ge=0, le=MAX_METADATA_VERSION)] = 0
    """With it, the version of the snapshot since which they are."""
    timestamp_version: Annotated[int, msgspec.Meta(ge=0)] = 0
    """With it, as `RepositoryChanged` has it."""


class Unavailable(Message, frozen=True, tag="unavailable"):
    """The origin cannot serve this torrent: it is unknown, or damaged on the server's disk."""

    torrent: Hash
    reason: Text


class DataWanted(Message, frozen=True, tag="data_wanted"):
    """Open a data connection: pieces are to be sent to this endpoint. Sent to who names the feature `invites`."""


class OtherPc(Extensible, frozen=True):
    """A PC that shows the same identity as another one."""

    hostname: Text
    address: Address
    """Where the server sees it."""


class SharedIdentity(Message, frozen=True, tag="shared"):
    """Other PCs show this endpoint's identity too: a copied disk, or a stolen key. This one holds the connection."""

    others: Annotated[list[OtherPc], msgspec.Meta(max_length=MAX_COPIES)]
    """Empty: no longer."""


GoodbyeCause: TypeAlias = Literal["", "replaced", "shared_identity"]
"""replaced: by a newer connection with the same identity. shared_identity: another PC holds the connection."""


class Goodbye(Message, frozen=True, tag="goodbye"):
    """The last frame before a side closes the connection on purpose, with the cause in words."""

    reason: Text
    cause: GoodbyeCause
    """Where the other side does more about it than connect again."""
    others: Annotated[list[OtherPc], msgspec.Meta(max_length=MAX_COPIES)]
    """With shared_identity: who they are."""


FromEndpoint: TypeAlias = (
    Want | Holdings | Bases | ParcelsWanted | Helping | PieceStored | PieceRejected | PieceUndecoded | Report
    | LinkReport | Diagnosis | FactsChanged | NewsWanted | ConsistencyWanted | AuditAlarm | CustodyTold | PcFindings
    | TrustTold | SignedFilePart | SpareWanted | InventoryStated | InventoryPart | NeighboursSeen | Goodbye
)  # fmt: skip
FromServer: TypeAlias = (
    Welcome | SitePeers | Holders | RepositoryChanged | Pace | News | Parcels | Unavailable | DataWanted | LinkWatch
    | SiteLimit | SharedIdentity | Consistency | CustodyWanted | TrustWanted | SignedWanted | SpareCopies
    | InventoryWanted | Goodbye
)  # fmt: skip
