"""Control the running libtorrent session: its torrents, pieces, neighbours and alerts.

One task reads the session's alerts and copies their fields at once: an alert is a
raw pointer that dies at the next read.
"""

import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libtorrent as lt
import structlog
import trio

from p2pdist.shared.errors import FaultKind
from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.transfer.torrent_engine.bindings import (
    activity_of,
    ask_peers,
    copied,
    failure_of,
    limit_class,
    read_torrent,
)
from p2pdist.transfer.torrent_engine.reports import (
    EngineError,
    EngineEvent,
    PeerRefused,
    PieceHashFailed,
    PieceOutcome,
    SwarmIdentity,
    TorrentCompleted,
    TorrentDamaged,
    TorrentFailed,
    TransferSnapshot,
    disk_fault,
    peer_reason,
)
from p2pdist.transfer.torrent_engine.settings import DH_PARAMETERS_PEM, tick_settings
from p2pdist.transfer.torrent_engine.state import TorrentState, piece_set

ANSWER_SECONDS = 5.0  # the session's thread answers in milliseconds, or in seconds on a PC short of memory
REMOVE_SECONDS = 10.0  # open writes are finished first
STORE_SECONDS = 30.0  # time for a piece's hash and for a slow, busy disk
STORE_AGAIN_SECONDS = 0.5  # when a neighbour's part of the same piece was bad, ours is added again
EVENT_CAP = 1_024  # events only prompt a look at the snapshot, which is the truth: those over the cap are dropped
EVENTS_KEPT_FOR_TORRENTS = 256  # events of neighbours leave this room to those of torrents

log = structlog.get_logger()

_FROM_TRACKER = 1  # peer_info.tracker: only this source lifts libtorrent's own ban on a peer after a failed connect


@dataclass
class _Torrent:
    handle: lt.torrent_handle
    state: TorrentState


class TorrentEngine:
    """A running session. Made by `open_torrent_engine`; every method runs in the trio thread."""

    def __init__(  # a session, and all that was needed to open it
        self,
        session: lt.session,
        directory: Path,
        identity: SwarmIdentity,
        listen_port: int,
        lan_class: int,
        *,
        shown_as: Path,
    ) -> None:
        self._session = session
        self._directory = directory
        self._shown_as = shown_as
        self._lan_class = lan_class
        self._lan_bytes = (0, 0)
        self._stats_seen = trio.Event()
        self._identity = identity
        self.listen_port = listen_port
        """The TLS port that neighbours connect to."""
        self._torrents: dict[TorrentHash, _Torrent] = {}
        self._states: dict[lt.torrent_handle, TorrentState] = {}
        self._send, self.events = trio.open_memory_channel[EngineEvent](EVENT_CAP)
        self.dropped_events = 0
        self._updates_asked = 0
        self._updates_seen = 0
        self._update_seen = trio.Event()
        self._handlers: dict[type[lt.alert], Callable[[Any], None]] = {
            lt.state_update_alert: self._on_state_update,
            lt.session_stats_alert: self._on_session_stats,
            lt.state_changed_alert: self._on_state_changed,
            lt.cache_flushed_alert: self._on_cache_flushed,
            lt.piece_finished_alert: self._on_piece_finished,
            lt.hash_failed_alert: self._on_hash_failed,
            lt.piece_availability_alert: self._on_availability,
            lt.file_error_alert: self._on_file_error,
            lt.torrent_error_alert: self._on_torrent_error,
            lt.torrent_removed_alert: self._on_removed,
            lt.peer_error_alert: self._on_peer_end,
            lt.peer_disconnected_alert: self._on_peer_end,
            lt.alerts_dropped_alert: self._on_alerts_dropped,
        }

    # --- torrents -------------------------------------------------------------------

    async def add(self, torrent: bytes, *, expected_hash: TorrentHash, assume_complete: bool) -> None:
        """Add a torrent whose file is, or will be, in the engine's directory, named by the payload's SHA-256.

        First the bytes on disk are checked, piece by piece. With ``assume_complete`` a
        piece is checked only when a neighbour first asks for it. Adding a torrent again
        does nothing. Raises `EngineError` for bytes that are not the torrent with
        ``expected_hash``, or not one of ours.
        """
        if expected_hash in self._torrents:
            return
        params, file = await trio.to_thread.run_sync(read_torrent, torrent, expected_hash)
        params.save_path = str(self._directory)
        params.root_certificate = self._identity.ca_pem
        params.flags = (
            lt.torrent_flags.update_subscribe
            | lt.torrent_flags.disable_dht
            | lt.torrent_flags.disable_lsd
            | lt.torrent_flags.disable_pex
            | lt.torrent_flags.duplicate_is_error
            | (lt.torrent_flags.seed_mode if assume_complete else 0)
        )
        try:
            added = _Torrent(self._session.add_torrent(params), TorrentState(expected_hash, file))
        except RuntimeError as error:
            raise EngineError(f"The torrent could not be added: {error}. Try again.") from error
        if assume_complete:
            added.state.assume_complete()
        self._torrents[expected_hash] = added
        self._states[added.handle] = added.state
        self._certify(added)

    async def remove(self, torrent_hash: TorrentHash, *, delete_files: bool) -> None:
        """Remove a torrent and its connections. An unknown torrent is no error."""
        torrent = self._torrents.pop(torrent_hash, None)
        if torrent is None:
            return
        self._session.remove_torrent(torrent.handle, lt.options_t.delete_files if delete_files else 0)
        with trio.move_on_after(REMOVE_SECONDS) as waiting:
            while not torrent.state.removed:
                await torrent.state.changed.wait()
        if waiting.cancelled_caught:
            log.warning("the torrent engine takes long to remove a torrent", torrent=torrent_hash)

    async def flush(self, seconds: float) -> None:
        """Write what is in memory to disk, within ``seconds``: the process is about to end."""
        with trio.move_on_after(seconds):
            for torrent in self._torrents.values():
                if torrent.state.fault is None:
                    await self._writes_ended(torrent)

    async def recheck(self, torrent_hash: TorrentHash) -> None:
        """Check all bytes on disk again, then fetch what is missing. Returns when the check has begun."""
        self._begin_check(self._known(torrent_hash))
        await self.refresh()

    async def resume(self, torrent_hash: TorrentHash) -> None:
        """Resume a torrent that failed: check what is on disk, then fetch. Returns when the check has begun."""
        torrent = self._known(torrent_hash)
        await self._writes_ended(torrent)
        torrent.state.fault = None
        torrent.handle.clear_error()
        torrent.handle.unset_flags(lt.torrent_flags.upload_mode)
        # libtorrent counts blocks whose write failed as still being written: only a check resets them
        self._begin_check(torrent)
        torrent.handle.resume()
        await self.refresh()

    async def _writes_ended(self, torrent: _Torrent) -> None:
        """Wait for the writes that are under way: their errors belong to the earlier failure."""
        before = torrent.state.flushes
        torrent.handle.flush_cache()  # queued after those writes
        with trio.move_on_after(ANSWER_SECONDS):
            while torrent.state.flushes == before:
                await torrent.state.changed.wait()

    def _begin_check(self, torrent: _Torrent) -> None:
        torrent.state.begin_check()
        torrent.handle.force_recheck()

    async def add_piece(self, torrent_hash: TorrentHash, piece: PieceIndex, data: bytes) -> PieceOutcome:
        """Store a piece that came from the origin, and offer it to the neighbours.

        Returns ``stored`` when the piece is stored, by this call or meanwhile from a
        neighbour, ``had_already`` when it was before, and ``rejected`` when ``data`` fails
        the piece's hash. Raises `EngineError` when the torrent has failed or is gone, or
        the piece is not stored within `STORE_SECONDS`.
        """
        torrent = self._known(torrent_hash)
        state = torrent.state
        self._raise_if_stopped(state)
        outcome: PieceOutcome = "had_already" if piece >= 0 and state.have >> piece & 1 else "stored"
        # checked here too, so that a neighbour's bad block in the same piece is not blamed on the origin
        if not await trio.to_thread.run_sync(state.file.proves, piece, data):
            return "rejected"
        with trio.move_on_after(STORE_SECONDS):
            while not state.have >> piece & 1:
                self._raise_if_stopped(state)
                changed = state.changed
                if state.activity == "downloading":
                    torrent.handle.add_piece(piece, data, 0)  # does nothing for blocks that are there already
                with trio.move_on_after(STORE_AGAIN_SECONDS):
                    await changed.wait()
            return outcome
        raise EngineError(
            f"A piece was not stored within {STORE_SECONDS:.0f} s: this PC's disk is too slow or too busy.",
            FaultKind.STORAGE,
        )

    def _raise_if_stopped(self, state: TorrentState) -> None:
        if state.fault is not None:  # also for pieces that seemed stored: their write may be the one that failed
            raise EngineError(state.fault.text, FaultKind.STORAGE)
        if state.torrent_hash not in self._torrents:
            raise EngineError("The torrent was removed meanwhile.")

    # --- neighbours -----------------------------------------------------------------

    def set_identity(self, identity: SwarmIdentity) -> None:
        """Use renewed certificates for all later handshakes. A new CA applies only to torrents added later."""
        self._identity = identity
        for torrent in self._torrents.values():
            self._certify(torrent)

    def _certify(self, torrent: _Torrent) -> None:
        identity = self._identity
        torrent.handle.set_ssl_certificate_buffer(identity.certificate_pem, identity.key_pem, DH_PARAMETERS_PEM)

    def connect_peer(self, torrent_hash: TorrentHash, address: str, port: int) -> None:
        """Connect to a neighbour within about a second, unless it is connected. An event reports the outcome."""
        torrent = self._torrents.get(torrent_hash)
        if torrent is not None:
            torrent.handle.connect_peer((address, port), _FROM_TRACKER, 0)

    async def limit_lan(self, *, upload: int | None, download: int | None, serve: bool) -> None:
        """Limit the traffic with neighbours to these rates, in bytes per second; None: unlimited.

        Without ``serve`` all neighbours are choked: they get nothing and ask others.
        """
        await trio.to_thread.run_sync(limit_class, self._session, self._lan_class, upload, download, serve)

    def set_moving(self, moving: bool) -> None:
        """Say whether bytes move. While they do, limits are kept in small bursts; else the processor is spared."""
        settings: Any = tick_settings(moving=moving)
        self._session.apply_settings(settings)

    async def lan_bytes(self) -> tuple[int, int]:
        """Return the bytes received from and sent to neighbours so far, protocol overhead included."""
        seen = self._stats_seen
        self._session.post_session_stats()
        with trio.move_on_after(ANSWER_SECONDS):
            await seen.wait()
        return self._lan_bytes

    # --- looking --------------------------------------------------------------------

    def torrents(self) -> list[TorrentHash]:
        """Return the torrents that were added and not removed."""
        return list(self._torrents)

    async def refresh(self) -> None:
        """Bring every snapshot up to date. Gives up after `ANSWER_SECONDS` and leaves them as they are."""
        for torrent in self._torrents.values():
            if torrent.state.phase == "downloading":
                torrent.handle.post_piece_availability()
        # the session answers requests in order, so the answer to this last one comes after all others
        self._ask_update()
        asked = self._updates_asked
        with trio.move_on_after(ANSWER_SECONDS):
            while self._updates_seen < asked:
                await self._update_seen.wait()
            connected = [t for t in self._torrents.values() if t.state.connections or t.state.peers]
            if connected:
                answers = await trio.to_thread.run_sync(ask_peers, [t.handle for t in connected])
                for torrent, peers in zip(connected, answers, strict=True):
                    self._emit(*torrent.state.observe_peers(peers))
            return
        log.warning("the torrent engine does not answer", seconds=ANSWER_SECONDS)

    async def connected_peers(self) -> set[tuple[str, int]]:
        """Return the addresses and ports of all neighbours that have passed the handshake."""
        handles = [torrent.handle for torrent in self._torrents.values()]
        answers = await trio.to_thread.run_sync(ask_peers, handles)
        return {(peer.address, peer.port) for peers in answers for peer in peers}

    def snapshot(self, torrent_hash: TorrentHash) -> TransferSnapshot:
        """Return a torrent's state as of the last `refresh`. Raises `EngineError` for an unknown one."""
        return self._known(torrent_hash).state.snapshot()

    def _known(self, torrent_hash: TorrentHash) -> _Torrent:
        try:
            return self._torrents[torrent_hash]
        except KeyError:
            raise EngineError(f"There is no torrent {torrent_hash[:16]}… here.") from None

    def _ask_update(self) -> None:
        self._updates_asked += 1
        self._session.post_torrent_updates()

    # --- what the session reports -----------------------------------------------------

    async def read_alerts(self, readable: socket.socket) -> None:
        """Read and handle alerts until cancelled. Only one task may do this."""
        while True:
            await trio.lowlevel.wait_readable(readable)
            with contextlib.suppress(BlockingIOError):
                while readable.recv(4_096):
                    pass
            for alert in self._session.pop_alerts():
                handler = self._handlers.get(type(alert))
                if handler is not None:
                    handler(alert)

    def _emit(self, *events: EngineEvent) -> None:
        for event in events:
            for_torrent = isinstance(event, TorrentCompleted | TorrentFailed | TorrentDamaged)
            room = EVENT_CAP - self._send.statistics().current_buffer_used
            if room > (0 if for_torrent else EVENTS_KEPT_FOR_TORRENTS):
                self._send.send_nowait(event)
            else:
                self.dropped_events += 1

    def _on_state_update(self, alert: lt.state_update_alert) -> None:
        for status in alert.status:
            state = self._states.get(status.handle)
            if state is None:
                continue
            self._emit(*state.observe_status(copied(status)))
            if status.errc.value():
                self._emit(
                    *state.observe_fault(disk_fault(failure_of(status.errc), self._place(state)))
                )
        self._updates_seen += 1
        self._update_seen.set()
        self._update_seen = trio.Event()

    def _on_session_stats(self, alert: lt.session_stats_alert) -> None:
        values = alert.values
        self._lan_bytes = (values["net.recv_bytes"], values["net.sent_bytes"])
        self._stats_seen.set()
        self._stats_seen = trio.Event()

    def _on_state_changed(self, alert: lt.state_changed_alert) -> None:
        if state := self._states.get(alert.handle):
            self._emit(*state.observe_activity(activity_of(alert.state)))
            if state.activity == "complete" and not state.flushed:
                alert.handle.flush_cache()  # answered by a cache_flushed_alert

    def _on_cache_flushed(self, alert: lt.cache_flushed_alert) -> None:
        if state := self._states.get(alert.handle):
            self._emit(*state.observe_flushed())

    def _on_piece_finished(self, alert: lt.piece_finished_alert) -> None:
        if state := self._states.get(alert.handle):
            state.have |= 1 << alert.piece_index
            state.wake()

    def _on_hash_failed(self, alert: lt.hash_failed_alert) -> None:
        if state := self._states.get(alert.handle):
            self._emit(PieceHashFailed(state.torrent_hash, PieceIndex(alert.piece_index)))

    def _on_availability(self, alert: lt.piece_availability_alert) -> None:
        if state := self._states.get(alert.handle):
            state.lan_have = piece_set(count > 0 for count in alert.piece_availability)

    def _on_file_error(self, alert: lt.file_error_alert) -> None:
        if state := self._states.get(alert.handle):
            self._emit(
                *state.observe_fault(disk_fault(failure_of(alert.error), self._place(state)))
            )

    def _place(self, state: TorrentState) -> str:
        """Return where the torrent's file is, for people."""
        return str(self._shown_as / state.file.sha256)

    def _on_torrent_error(self, alert: lt.torrent_error_alert) -> None:
        # also posted for errors that do not stop the torrent: its status says which
        state = self._states.get(alert.handle)
        if state is not None and state.fault is None:
            log.warning("the torrent engine reports a problem", reason=alert.error.message())
            self._ask_update()

    def _on_removed(self, alert: lt.torrent_removed_alert) -> None:
        if state := self._states.pop(alert.handle, None):
            state.removed = True
            state.wake()

    def _on_peer_end(self, alert: lt.peer_error_alert | lt.peer_disconnected_alert) -> None:
        address, port = alert.endpoint
        reason = peer_reason(failure_of(alert.error, alert.op))
        if state := self._states.get(alert.handle):
            self._emit(state.observe_peer_end(address, port, reason))
        else:
            self._emit(PeerRefused(None, address, port, reason))

    def _on_alerts_dropped(self, _alert: lt.alerts_dropped_alert) -> None:
        log.warning("the torrent engine reported more than could be taken in")
        # a lost answer would keep `refresh` waiting; the fresh status repairs the rest
        self._updates_seen = max(self._updates_seen, self._updates_asked)
        self._ask_update()
