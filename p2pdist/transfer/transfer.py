"""One patch on its way to this endpoint: what is known of it, and what it asks the origin for."""

import math
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import trio

from p2pdist.shared.backoff import Backoff
from p2pdist.shared.identifiers import PatchRef, Sha256Hex, TorrentHash
from p2pdist.shared.lan_patience import LAN_STALL_SECONDS, lan_patience_seconds
from p2pdist.shared.manifest.documents import Payload
from p2pdist.shared.wire.bitfield import PieceSet, all_pieces, pack
from p2pdist.shared.wire.fields import MAX_BYTE_COUNT
from p2pdist.shared.wire.messages import PatchState, Want
from p2pdist.transfer.fault_log import FaultLog
from p2pdist.transfer.faults import TransferFault
from p2pdist.transfer.made_torrents import SharedTorrent
from p2pdist.transfer.places import places_of, refs_of
from p2pdist.transfer.states import TRANSITIONS, LanActivity, TransferEvent, TransferRecord
from p2pdist.transfer.torrent_engine import WASTED, PieceOutcome, TransferSnapshot
from p2pdist.trust.catalogue import CataloguePatch

RETRY_SECONDS = 5.0  # after a full disk and the like
LONGEST_RETRY_SECONDS = 3_600.0  # each try reads the whole file: this spares a faulty disk
ACTIVE_STEP_SECONDS = 0.5
STALLED_STEP_SECONDS = 2.0  # bytes are missing and none come: that may last for days
IDLE_STEP_SECONDS = 10.0  # nothing moves: do not wake the processor for it


@dataclass(eq=False)
class ParcelPart:
    """Where in a parcel a patch's file comes."""

    shared: SharedTorrent
    offset: int
    length_bytes: int
    origin_bytes: int = 0
    """How many of its bytes came from the origin."""

    @property
    def progress(self) -> float:
        """Share of the pieces with bytes of it that are here, 0 to 1."""
        piece_bytes, snapshot = self.shared.told.piece_bytes, self.shared.snapshot
        if snapshot is None:
            return 0.0
        pieces = range(self.offset // piece_bytes, (self.offset + self.length_bytes - 1) // piece_bytes + 1)
        return sum(snapshot.have >> piece & 1 for piece in pieces) / len(pieces)


@dataclass
class Transfer:
    """One patch on its way."""

    patches: tuple[CataloguePatch, ...]
    """The patches that have these bytes: the first is the one that `record` is of."""
    record: TransferRecord
    state: PatchState
    """Changed by `move` and `fail` alone."""
    activity: LanActivity
    fault: TransferFault | None = None
    """Why it failed the last time; kept until it has started again."""
    fault_log: FaultLog = field(default_factory=FaultLog)
    """That of all transfers."""
    origin_error: str = ""
    """Why the origin cannot serve it, while it cannot."""
    in_engine: bool = False
    snapshot: TransferSnapshot | None = None
    engine_peer_bytes: int = 0
    """How much of the engine's counter of bytes from peers is in the record already."""
    engine_wasted_bytes: int = 0
    origin_pieces: PieceSet = 0
    """Pieces that came from the origin."""
    origin_piece_at: float = -math.inf
    """When the last piece came from the origin, on trio's clock."""
    failed_proofs: int = 0
    retry_at: float = 0.0
    retries: Backoff = field(default_factory=lambda: Backoff(RETRY_SECONDS, LONGEST_RETRY_SECONDS))
    kept_looked: bool | None = None
    """Whether its file was looked for among those kept for a rollback; None: not yet begun."""
    proving: trio.CancelScope = field(default_factory=trio.CancelScope)
    wanted: Want | None = None
    """The last `Want` that was sent; only one that differs is sent."""
    part: ParcelPart | None = None
    """Where it comes, while it comes in a parcel."""
    alone: bool = False
    """Whether it is fetched by itself whatever the server has in parcels."""
    held: bool = False
    """Whether it waits for what the server says of parcels."""
    queued: bool = False
    """Whether it waits for others, as of the last step; else one that waits is about to begin."""
    admitted: bool = False
    """Whether it may take room on the disk: the quota has let it begin."""
    room_wait: str = ""
    """Why it may take no room on the disk now, in words; empty: it may, or has not asked yet."""
    moved: bool = False
    """Whether its state has changed since the records were written."""

    @property
    def patch(self) -> CataloguePatch:
        """The patch that `record` is of."""
        return self.patches[0]

    @property
    def urgency(self) -> int:
        """The lowest goes first: as urgent as the most urgent of its patches."""
        return min(patch.urgency for patch in self.patches)

    @property
    def turn(self) -> tuple[int, int]:
        """Sorts the transfers that go first to the front."""
        return self.urgency, self.patch.entry.sequence

    @property
    def ref(self) -> PatchRef:
        """Which patch it is."""
        return self.record.ref

    @property
    def payload(self) -> Payload:
        """The file that is fetched."""
        return self.patch.payload

    @property
    def torrent_hash(self) -> TorrentHash:
        """The torrent that carries it."""
        return TorrentHash(self.payload.torrent_hash)  # checked when the manifest was decoded

    @property
    def sha256(self) -> Sha256Hex:
        """What the whole file must hash to."""
        return Sha256Hex(self.payload.sha256)

    @property
    def is_here(self) -> bool:
        """Whether its proven file is on this PC."""
        return self.state == "verified" and not self.record.spared

    @property
    def takes_room(self) -> bool:
        """Whether its file takes room, or will soon."""
        begun = self.state != "waiting" or self.admitted or self.record.verified_mtime_ns is not None
        return begun and not self.record.spared

    @property
    def progress(self) -> float:
        """Share of the file that is on disk, 0 to 1."""
        if self.state in ("verified", "verifying"):
            return 1.0
        if self.part is not None:
            return self.part.progress
        return self.snapshot.progress if self.snapshot else 0.0

    @property
    def swapped(self) -> TransferSnapshot | None:
        """The torrent that brings it: its own, or its parcel's."""
        return self.snapshot if self.part is None else self.part.shared.snapshot

    @property
    def lan_pieces(self) -> int:
        """How many of the pieces on disk did not come from the origin."""
        return (self.snapshot.have & ~self.origin_pieces).bit_count() if self.snapshot else 0

    @property
    def neighbour_piece_at(self) -> float:
        """When the last piece came from a neighbour, on trio's clock."""
        if self.part is not None:
            activity, came = self.part.shared.activity, bool(self.part.shared.activity.pieces)
        else:
            activity, came = self.activity, bool(self.record.bytes_from_peers)
        return activity.changed_at if came else -math.inf

    def observe(self, snapshot: TransferSnapshot, now: float) -> None:
        """Take over what the engine says: what is here, and what has come since the last look."""
        self.snapshot = snapshot
        self.activity = self.activity.observe(self.lan_pieces, now)
        record = self.record
        self.record = msgspec.structs.replace(
            record,
            bytes_from_peers=counted(record.bytes_from_peers, snapshot.bytes_from_peers - self.engine_peer_bytes),
            bytes_wasted=counted(record.bytes_wasted, snapshot.bytes_wasted - self.engine_wasted_bytes),
        )
        self.engine_peer_bytes = snapshot.bytes_from_peers
        self.engine_wasted_bytes = snapshot.bytes_wasted

    def count(self, size: int, outcome: PieceOutcome, built: int, built_of: str) -> None:
        """Count a piece: ``size`` bytes crossed the line, ``built`` did not, by a base of version ``built_of``."""
        record = self.record
        self.record = msgspec.structs.replace(
            record,
            bytes_from_origin=counted(record.bytes_from_origin, size),
            bytes_wasted=counted(record.bytes_wasted, size if outcome in WASTED else 0),
            bytes_built=counted(record.bytes_built, built),
            built_of=(built_of if built else "") or record.built_of,
        )

    def lan_stalled(self, now: float) -> bool:
        """Whether neighbours have brought nothing for so long that the line is the better way."""
        if self.part is not None:
            return self.part.shared.activity.stalled(now)
        piece_bytes = self.payload.length_bytes // self.snapshot.piece_count if self.snapshot else 0
        return self.activity.stalled(now, lan_patience_seconds(piece_bytes))

    def busy(self, now: float) -> bool:
        """Whether it makes progress; one that waits for bytes that do not come must not hold up the others."""
        if self.state == "fetching":
            return not self.lan_stalled(now) or now - self.origin_piece_at < LAN_STALL_SECONDS
        return self.state in ("checking", "verifying")

    def added(self, snapshot: TransferSnapshot, now: float) -> None:
        """Note that the engine has its torrent from now on."""
        self.in_engine = True
        self.engine_peer_bytes = self.engine_wasted_bytes = 0
        self.observe(snapshot, now)

    def begin_parcelled(self, part: ParcelPart) -> None:
        """Let it come in a parcel from now on; it was waiting."""
        self.part, self.held, self.fault = part, False, None
        self.move(TransferEvent.ADDED)
        self.move(TransferEvent.CHECKED)

    def fetch_alone(self) -> None:
        """Let it be fetched by itself from now on: it comes in no parcel any more."""
        self.part, self.alone = None, True
        self.move(TransferEvent.LEFT_ALONE)

    def move(self, event: TransferEvent) -> None:
        """Take the step of the state table."""
        self.state = TRANSITIONS.after(self.state, event)
        self.moved = True

    def give_up_file(self) -> None:
        """Note that its file has left this PC to make room."""
        self.record = msgspec.structs.replace(self.record, spared=True, verified_mtime_ns=None, verified_inode=None)
        self.in_engine, self.admitted, self.snapshot, self.wanted, self.moved = False, False, None, None, True

    def failed(self, fault: TransferFault, now: float) -> None:
        """Remember why it cannot go on, and when to try again: later after each failure in a row."""
        self.fault = fault
        self.retries = self.retries.failed()
        self.retry_at = now + self.retries.delay_seconds(1.0)

    def fail(self, fault: TransferFault, now: float) -> None:
        """Stop, as `failed` says, and log why."""
        self.failed(fault, now)
        self.move(TransferEvent.FAILED)
        self.fault_log.failed(self.record.patch_id, fault, now)

    def retry_soon(self, now: float) -> None:
        """Try again after the shortest time, however often it has failed."""
        self.retries = self.retries.succeeded()
        self.retry_at = now + RETRY_SECONDS

    def verified_path(self, directory: Path, patch: CataloguePatch | None = None) -> str:
        """Return where the file of ``patch`` (None: the first) is, once proven, below the ``patches`` directory."""
        one = self.patch if patch is None else patch
        # asked for every patch at each look: pathlib takes ten times as long
        return os.sep.join((str(directory), *one.ref, one.payload.file_name))  # noqa: PTH118

    @property
    def placed(self) -> list[CataloguePatch]:
        """Those of `patches` for which the file has a place, or gets one when it is proven."""
        refs = refs_of(self.record)
        return [patch for patch in self.patches if patch.ref in refs]

    def record_of(self, patch: CataloguePatch) -> TransferRecord:
        """Return the record for one of `patches`: only the first has fetched what came."""
        if patch is self.patch:
            return self.record
        ref = patch.ref
        return msgspec.structs.replace(
            self.record,
            patch_id=ref.patch_id,
            version=ref.version,
            bytes_from_origin=0,
            bytes_from_peers=0,
            bytes_wasted=0,
            bytes_built=0,
            built_of="",
        )

    def want(self, snapshot: TransferSnapshot, now: float, *, can_fetch: bool) -> Want:
        """Return the message that asks the origin for leases; ``now`` is trio's clock."""
        incomplete = self.state == "fetching"
        # what neighbours have of a file that is complete here changes nothing
        lan_have = snapshot.lan_have if snapshot.have != all_pieces(snapshot.piece_count) else 0
        return Want(
            torrent=self.torrent_hash,
            have=pack(snapshot.have, snapshot.piece_count),
            lan_have=pack(lan_have, snapshot.piece_count),
            lan_stalled=incomplete and self.lan_stalled(now),
            can_fetch=incomplete and can_fetch,
        )


def new_record(patches: Sequence[CataloguePatch], wall_time: float) -> TransferRecord:
    """Return the record of the first of ``patches``, which have the same bytes, and are first seen now."""
    patch, payload = patches[0], patches[0].payload
    return TransferRecord(
        patch_id=patch.manifest.patch_id,
        version=patch.manifest.version,
        sha256=payload.sha256,
        torrent_hash=payload.torrent_hash,
        first_seen_at=wall_time,
        verified_at=None,
        verified_mtime_ns=None,
        bytes_from_origin=0,
        bytes_from_peers=0,
        bytes_wasted=0,
        places=places_of(patches),
    )


def counted(total: int, more: int) -> int:
    """Return the sum: never more than the server accepts in a report, whatever the network part says."""
    return min(total + more, MAX_BYTE_COUNT)


def with_proof_of(record: TransferRecord, proven: TransferRecord) -> TransferRecord:
    """Return ``record`` with the proof of the same bytes under another name, also where they have left."""
    return msgspec.structs.replace(
        record,
        verified_at=proven.verified_at if proven.spared else record.verified_at,
        verified_mtime_ns=proven.verified_mtime_ns,
        verified_inode=proven.verified_inode,
        spared=proven.spared,
    )


def step_seconds(transfers: Collection[Transfer], now: float) -> float:
    """Return how long to wait before the next step when nothing happens; ``now`` is trio's clock."""
    if any(transfer.busy(now) for transfer in transfers):
        return ACTIVE_STEP_SECONDS
    unfinished = any(transfer.state not in ("verified", "failed") for transfer in transfers)
    longest = STALLED_STEP_SECONDS if unfinished else IDLE_STEP_SECONDS
    retries = (max(0.0, transfer.retry_at - now) for transfer in transfers if transfer.state == "failed")
    return min((longest, *retries))
