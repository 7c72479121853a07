"""The way of one patch on one endpoint, from known to verified: a state table and its record. Pure."""

import enum
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Annotated

import msgspec

from bandwidth.core.state_table import StateTable
from p2pdist.shared.identifiers import PatchRef, PieceIndex, TorrentHash
from p2pdist.shared.lan_patience import LAN_STALL_SECONDS
from p2pdist.shared.wire.beginnings import beginning
from p2pdist.shared.wire.codec import KeptState
from p2pdist.shared.wire.fields import MAX_HOLDINGS
from p2pdist.shared.wire.messages import Holdings, PatchState, PieceRejected, PieceStored, PieceUndecoded, Want
from p2pdist.transfer.torrent_engine.reports import PieceOutcome

MAX_FAILED_PROOFS = 3  # wrong so often, the cause is the disk or the memory, not the network
DISK_MARGIN_BYTES = 64 << 20  # left free beside the payload: logs, records and other programs
MAX_TRANSFER_RECORDS = 4_000


class TransferEvent(enum.Enum):
    """What can happen to a transfer."""

    ADDED = "its torrent was added"
    CHECKED = "the bytes on disk were checked"
    COMPLETED = "all pieces are there"
    PROVEN = "the whole file has its SHA-256"
    DISPROVEN = "the whole file has another SHA-256"
    DAMAGED = "bytes on disk changed afterwards"
    FAILED = "it cannot go on by itself"
    RETRIED = "the cause of the failure may be gone"
    LEFT_ALONE = "it is to be fetched by itself: its parcel does not come, or what came in one is gone"
    RENAMED = "its bytes belong to another patch now"


_STEPS: dict[tuple[PatchState, TransferEvent], PatchState] = {
    ("waiting", TransferEvent.ADDED): "checking",
    ("waiting", TransferEvent.FAILED): "failed",
    ("checking", TransferEvent.CHECKED): "fetching",
    ("checking", TransferEvent.COMPLETED): "verifying",
    ("checking", TransferEvent.FAILED): "failed",
    ("fetching", TransferEvent.COMPLETED): "verifying",
    ("fetching", TransferEvent.DAMAGED): "checking",
    ("fetching", TransferEvent.LEFT_ALONE): "waiting",
    ("checking", TransferEvent.LEFT_ALONE): "waiting",
    ("fetching", TransferEvent.FAILED): "failed",
    ("verifying", TransferEvent.PROVEN): "verified",
    ("verifying", TransferEvent.DISPROVEN): "checking",
    ("verifying", TransferEvent.DAMAGED): "checking",
    ("verifying", TransferEvent.FAILED): "failed",
    ("verified", TransferEvent.DAMAGED): "checking",
    ("verified", TransferEvent.RENAMED): "verifying",
    ("failed", TransferEvent.RETRIED): "waiting",
}
TRANSITIONS = StateTable[PatchState, TransferEvent]("a transfer", "waiting", _STEPS)


class Place(KeptState, frozen=True):
    """Where the proven file of one patch is, below ``patches/``."""

    patch_id: str
    version: str
    file_name: str

    @property
    def ref(self) -> PatchRef:
        """Which patch it is."""
        return PatchRef(self.patch_id, self.version)


class TransferRecord(KeptState, frozen=True):
    """What is kept on disk of one transfer; counts are payload bytes since the patch was first seen."""

    patch_id: str
    version: str
    sha256: str
    torrent_hash: str
    first_seen_at: float
    """Seconds since 1970, UTC."""
    verified_at: float | None
    verified_mtime_ns: int | None
    """Modification time of the proven file: while that has not changed, a start does not hash the file again."""
    bytes_from_origin: Annotated[int, msgspec.Meta(ge=0)]
    bytes_from_peers: Annotated[int, msgspec.Meta(ge=0)]
    bytes_wasted: Annotated[int, msgspec.Meta(ge=0)]
    verified_ctime_ns: int | None = None
    """Its change time after it was published, for the same purpose: only the kernel sets it, on every write and rename.

    None: not known, so that a start hashes the file.
    """
    verified_inode: int | None = None
    """Which file it was: its name is in a directory where the network part may rename."""
    spared: bool = False
    """Whether it was proven here, and has left to make room: what is needed of it is fetched anew."""
    bytes_built: Annotated[int, msgspec.Meta(ge=0)] = 0
    """What of the pieces from the origin did not cross the line: they were coded."""
    built_of: str = ""
    """The version whose bytes they were coded by last; empty: none."""
    base: bool = False
    """Whether it is rolled out no more, and its file stays in the cache, for something newer to be built of it."""
    places: tuple[Place, ...] = ()
    """Where the file is or will be: of each patch with these bytes, this one first."""

    @property
    def ref(self) -> PatchRef:
        """Which patch it is."""
        return PatchRef(self.patch_id, self.version)


class TransferRecords(KeptState, frozen=True):
    """The file that holds every `TransferRecord`."""

    records: Annotated[list[TransferRecord], msgspec.Meta(max_length=MAX_TRANSFER_RECORDS)]


@dataclass(frozen=True)
class LanActivity:
    """Notices when the LAN has stopped delivering to this endpoint.

    Only whole, proven pieces count: bytes that lead to none are as good as none.
    """

    pieces: int
    changed_at: float

    def observe(self, pieces: int, now: float) -> "LanActivity":
        """Return the state after a look at how many pieces have come from neighbours."""
        if pieces <= self.pieces:
            return self
        return replace(self, pieces=pieces, changed_at=now)

    def stalled(self, now: float, patience_seconds: float = LAN_STALL_SECONDS) -> bool:
        """Whether no piece has come from the LAN for ``patience_seconds``."""
        return now - self.changed_at >= patience_seconds


def seconds_taken(record: TransferRecord, now: float) -> float:
    """Return the time from first seen to verified, or to ``now`` until it is verified; never negative."""
    return max(0.0, (record.verified_at if record.verified_at is not None else now) - record.first_seen_at)


def giving_up(torrent: TorrentHash) -> Want:
    """Return what tells the origin that this PC has nothing of ``torrent`` any more, and wants nothing."""
    return Want(torrent=torrent, have=b"", lan_have=b"", lan_stalled=False, can_fetch=False, given_up=True)


def verdict(
    torrent: TorrentHash, piece: PieceIndex, outcome: PieceOutcome, base: str
) -> PieceStored | PieceRejected | PieceUndecoded | None:
    """Return what the origin is told of a piece from it, which was coded by ``base`` (empty: by none).

    None: nothing, as the fault is on this PC. The next `Want` says that it cannot fetch.
    """
    if outcome == "not_stored":
        return None
    if outcome == "undecoded":
        return PieceUndecoded(torrent=torrent, piece=piece, base=base)
    return (PieceRejected if outcome == "rejected" else PieceStored)(torrent=torrent, piece=piece)


def whole_torrents(torrents: Iterable[TorrentHash]) -> Iterator[Holdings]:
    """Yield the messages that tell the origin that all of ``torrents`` is here."""
    ordered = sorted(torrents)  # PCs that have the same say so in the same bytes
    for at in range(0, len(ordered), MAX_HOLDINGS):
        some = ordered[at : at + MAX_HOLDINGS]
        yield Holdings(torrents=b"".join(map(beginning, some)))
