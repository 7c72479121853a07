"""The engine's state of one torrent, updated by libtorrent's answers; libtorrent is not imported here."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import trio

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire.bitfield import PieceSet, all_pieces
from p2pdist.transfer.faults import TransferFault
from p2pdist.transfer.torrent_engine.peer_reasons import PeerReason
from p2pdist.transfer.torrent_engine.reports import (
    EngineEvent,
    PeerConnected,
    PeerGone,
    PeerRefused,
    PeerSnapshot,
    Phase,
    TorrentCompleted,
    TorrentDamaged,
    TorrentFailed,
    TransferSnapshot,
)
from p2pdist.transfer.torrent_file import TorrentFile

Activity: TypeAlias = Literal["checking", "downloading", "complete"]

_DIGITS = bytes.maketrans(b"\0\1", b"01")


@dataclass
class Counter:
    """A running count. It goes on when libtorrent's own count starts over, as it does when a torrent stops."""

    total: int = 0
    last: int = 0

    def read(self, value: int) -> None:
        """Update from libtorrent's count."""
        self.total += value - self.last if value >= self.last else value
        self.last = value


@dataclass(frozen=True)
class StatusFields:
    """A copy of the fields of libtorrent's torrent status that are used."""

    activity: Activity
    pieces: Sequence[bool]
    progress: float
    connections: int
    bytes_down: int
    bytes_up: int
    bytes_redundant: int
    bytes_failed: int


@dataclass
class TorrentState:
    """The state of one torrent. Each ``observe_*`` method updates it and returns the events that follow."""

    torrent_hash: TorrentHash
    file: TorrentFile
    activity: Activity = "checking"
    check_expected: bool = True
    """Whether a check is to begin. One that begins unexpectedly means that libtorrent has found damage on disk."""
    flushed: bool = False
    """Whether all pieces of a complete torrent are written to the file."""
    flushes: int = 0
    """How often libtorrent has flushed its memory to disk."""
    have: PieceSet = 0
    lan_have: PieceSet = 0
    progress: float = 0.0
    fault: TransferFault | None = None
    """Why it has stopped; None while it goes on."""
    connections: int = 0
    peers: dict[tuple[str, int], PeerSnapshot] = field(default_factory=dict)
    down: Counter = field(default_factory=Counter)
    up: Counter = field(default_factory=Counter)
    redundant: Counter = field(default_factory=Counter)
    failed: Counter = field(default_factory=Counter)
    done_since: float | None = None
    """Since when all of the neighbours have all; None: one of them lacks something."""
    changed: trio.Event = field(default_factory=trio.Event)
    """Set, and replaced by a new event, whenever something here has changed."""
    removed: bool = False

    @property
    def phase(self) -> Phase:
        """What `TransferSnapshot.phase` says."""
        if self.fault is not None:
            return "error"
        # the last pieces may still be in libtorrent's memory: a hash of the file would be wrong now
        return "downloading" if self.activity == "complete" and not self.flushed else self.activity

    def done_for(self, done: bool, now: float) -> float:
        """Note whether this PC and all neighbours have all, and return for how many seconds they have."""
        if not done:
            self.done_since = None
        elif self.done_since is None:
            self.done_since = now
        return 0.0 if self.done_since is None else now - self.done_since

    def wake(self) -> None:
        """Wake the tasks that wait for a change."""
        self.changed.set()
        self.changed = trio.Event()

    def assume_complete(self) -> None:
        """Start as complete, without a check."""
        self.activity = "complete"
        self.flushed = True
        self.check_expected = False
        self.progress = 1.0
        self.have = all_pieces(self.file.piece_count)

    def begin_check(self) -> None:
        """Record that a check begins."""
        self.check_expected = True
        self.activity = "checking"
        self.have = self.lan_have = 0
        self.progress = 0.0
        self.wake()

    def observe_activity(self, activity: Activity) -> list[EngineEvent]:
        """Record what libtorrent does with the torrent now."""
        before, self.activity = self.activity, activity
        events: list[EngineEvent] = []
        if activity == "checking":
            if not self.check_expected:
                events.append(TorrentDamaged(self.torrent_hash))
            if before != "checking":
                self.begin_check()
        else:
            self.check_expected = False
            if activity == "complete" and before != "complete":
                self.have = all_pieces(self.file.piece_count)
                self.flushed = False
        self.wake()
        return events

    def observe_flushed(self) -> list[EngineEvent]:
        """Record that libtorrent has flushed its memory to disk, or has failed to."""
        self.flushes += 1
        self.wake()
        if self.activity != "complete" or self.flushed or self.fault is not None:
            return []
        self.flushed = True
        return [TorrentCompleted(self.torrent_hash)]

    def observe_status(self, status: StatusFields) -> list[EngineEvent]:
        """Record libtorrent's status."""
        events = self.observe_activity(status.activity)
        if self.activity == "complete":
            self.have = all_pieces(self.file.piece_count)
        elif status.pieces:
            self.have = piece_set(status.pieces)
        self.progress = min(1.0, max(0.0, status.progress))
        self.connections = status.connections
        self.down.read(status.bytes_down)
        self.up.read(status.bytes_up)
        self.redundant.read(status.bytes_redundant)
        self.failed.read(status.bytes_failed)
        return events

    def observe_fault(self, fault: TransferFault) -> list[EngineEvent]:
        """Take in that the torrent has stopped; only the first fault counts."""
        if self.fault is not None:
            return []
        self.fault = fault
        self.wake()
        return [TorrentFailed(self.torrent_hash, fault)]

    def observe_peers(self, peers: Iterable[PeerSnapshot]) -> list[EngineEvent]:
        """Record the connected neighbours."""
        before = self.peers
        self.peers = {(peer.address, peer.port): peer for peer in peers}
        return [
            PeerConnected(self.torrent_hash, *place, opened_here=peer.opened_here, lacks=peer.lacks)
            for place, peer in self.peers.items()
            if place not in before
        ]

    def observe_peer_end(self, address: str, port: int, reason: PeerReason) -> EngineEvent:
        """Record that a connection has ended, or could not be established."""
        if self.peers.pop((address, port), None) is not None:
            return PeerGone(self.torrent_hash, address, port, reason)
        return PeerRefused(self.torrent_hash, address, port, reason)

    def snapshot(self) -> TransferSnapshot:
        """Return the state for the daemon."""
        complete = self.phase == "complete"
        return TransferSnapshot(
            torrent_hash=self.torrent_hash,
            phase=self.phase,
            piece_count=self.file.piece_count,
            have=self.have if self.fault is None else 0,
            lan_have=0 if complete else self.lan_have,
            bytes_from_peers=self.down.total,
            bytes_to_peers=self.up.total,
            bytes_wasted=self.redundant.total + self.failed.total,
            progress=1.0 if complete else self.progress,
            peers=tuple(self.peers.values()),
            fault=self.fault,
        )


def piece_set(flags: Iterable[bool]) -> PieceSet:
    """Return the set of pieces whose flag is set, the first flag for piece 0."""
    return int(bytes(flags)[::-1].translate(_DIGITS) or b"0", 2)
