"""What the engine knows of one torrent between two answers of libtorrent; no import of it."""

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
    """A count that goes on where libtorrent starts over (it does so when a torrent stops)."""

    total: int = 0
    last: int = 0

    def read(self, value: int) -> None:
        """Take in libtorrent's count."""
        self.total += value - self.last if value >= self.last else value
        self.last = value


@dataclass(frozen=True)
class StatusFields:
    """The fields of libtorrent's torrent status that are used, copied."""

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
    """One torrent. Its methods return the events that follow from what they take in."""

    torrent_hash: TorrentHash
    file: TorrentFile
    activity: Activity = "checking"
    check_expected: bool = True
    """A check that nobody here asked for means that bytes on disk were found damaged."""
    flushed: bool = False
    """All pieces of a complete torrent are in the file."""
    flushes: int = 0
    """How often libtorrent has written all that it had in memory."""
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
    changed: trio.Event = field(default_factory=trio.Event)
    """Set, and replaced, whenever something here has changed."""
    removed: bool = False

    @property
    def phase(self) -> Phase:
        """What `TransferSnapshot.phase` says."""
        if self.fault is not None:
            return "error"
        # the last pieces may still be in libtorrent's memory: who hashes the file now would find it wrong
        return "downloading" if self.activity == "complete" and not self.flushed else self.activity

    def wake(self) -> None:
        """Wake who waits for a change."""
        self.changed.set()
        self.changed = trio.Event()

    def assume_complete(self) -> None:
        """Start as complete, unchecked."""
        self.activity = "complete"
        self.flushed = True
        self.check_expected = False
        self.progress = 1.0
        self.have = all_pieces(self.file.piece_count)

    def begin_check(self) -> None:
        """Take in that a check was asked for."""
        self.check_expected = True
        self.activity = "checking"
        self.have = self.lan_have = 0
        self.progress = 0.0
        self.wake()

    def observe_activity(self, activity: Activity) -> list[EngineEvent]:
        """Take in what libtorrent does with the torrent now."""
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
        """Take in that libtorrent has written all that it had in memory, or has failed to."""
        self.flushes += 1
        self.wake()
        if self.activity != "complete" or self.flushed or self.fault is not None:
            return []
        self.flushed = True
        return [TorrentCompleted(self.torrent_hash)]

    def observe_status(self, status: StatusFields) -> list[EngineEvent]:
        """Take in libtorrent's status."""
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
        """Take in the connected neighbours."""
        before = self.peers
        self.peers = {(peer.address, peer.port): peer for peer in peers}
        return [PeerConnected(self.torrent_hash, *place) for place in self.peers if place not in before]

    def observe_peer_end(self, address: str, port: int, reason: PeerReason) -> EngineEvent:
        """Take in that a connection has ended, or did not come about."""
        if self.peers.pop((address, port), None) is not None:
            return PeerGone(self.torrent_hash, address, port, reason)
        return PeerRefused(self.torrent_hash, address, port, reason)

    def snapshot(self) -> TransferSnapshot:
        """Return the state as the daemon sees it."""
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
