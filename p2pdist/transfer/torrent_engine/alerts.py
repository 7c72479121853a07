"""Read the libtorrent session's alerts: each changes the state of a torrent, or is passed on as an event.

One task reads them, and copies their fields at once: an alert is a raw pointer that dies at the next read.
"""

import contextlib
import errno
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import libtorrent as lt
import trio

from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.transfer.torrent_engine.bindings import activity_of, copied, failure_of
from p2pdist.transfer.torrent_engine.reports import (
    EngineEvent,
    PeerRefused,
    PieceHashFailed,
    TorrentCompleted,
    TorrentDamaged,
    TorrentFailed,
    disk_fault,
    peer_reason,
)
from p2pdist.transfer.torrent_engine.state import TorrentState, piece_set

EVENT_CAP = 1_024  # events only prompt a look at the snapshot, which is the truth: those over the cap are dropped
EVENTS_KEPT_FOR_TORRENTS = 256  # events of neighbours leave this room to those of torrents

log = lazy_log()


class Alerts:
    """What the session has said. `read` must be running for it to change."""

    def __init__(self, session: lt.session, shown_as: Path) -> None:
        """``shown_as``: the directory of the torrents' files, for people."""
        self._session = session
        self._shown_as = shown_as
        self.states: dict[lt.torrent_handle, TorrentState] = {}
        """The torrents whose state is kept up to date."""
        self.changed: set[TorrentHash] = set()
        """Those of them of which something has been said since whoever looks at their state has emptied this."""
        self.deleting: dict[TorrentHash, TorrentState] = {}
        """Removed torrents whose files are still to go: a thread of libtorrent's deletes them afterwards."""
        self._send, self.events = trio.open_memory_channel[EngineEvent](EVENT_CAP)
        self.dropped_events = 0
        self.lan_bytes = (0, 0)
        """Received and sent, as of the last answer to ``post_session_stats``."""
        self.stats_seen = trio.Event()
        """Set, and replaced by a new event, with each such answer."""
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
            lt.torrent_deleted_alert: self._on_deleted,
            lt.torrent_delete_failed_alert: self._on_delete_failed,
            lt.peer_error_alert: self._on_peer_end,
            lt.peer_disconnected_alert: self._on_peer_end,
            lt.alerts_dropped_alert: self._on_alerts_dropped,
        }

    def let_go(self) -> None:
        """Drop the reference to the session."""
        del self._session

    def ask_update(self) -> None:
        """Ask for the status of every torrent that has changed."""
        self._updates_asked += 1
        self._session.post_torrent_updates()

    async def updated(self) -> None:
        """Wait for the answer to the last `ask_update`."""
        asked = self._updates_asked
        while self._updates_seen < asked:
            await self._update_seen.wait()

    async def read(self, readable: socket.socket) -> None:
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

    def emit(self, *events: EngineEvent) -> None:
        """Add to ``events``; over a cap they are dropped, those of neighbours first."""
        for event in events:
            for_torrent = isinstance(event, TorrentCompleted | TorrentFailed | TorrentDamaged)
            room = EVENT_CAP - self._send.statistics().current_buffer_used
            if room > (0 if for_torrent else EVENTS_KEPT_FOR_TORRENTS):
                self._send.send_nowait(event)
            else:
                self.dropped_events += 1

    def _state(self, handle: lt.torrent_handle) -> TorrentState | None:
        """Return the state of a torrent that the session says something of."""
        state = self.states.get(handle)
        if state is not None:
            self.changed.add(state.torrent_hash)
        return state

    def _on_state_update(self, alert: lt.state_update_alert) -> None:
        for status in alert.status:
            state = self._state(status.handle)
            if state is None:
                continue
            self.emit(*state.observe_status(copied(status)))
            if status.errc.value():
                self.emit(*state.observe_fault(disk_fault(failure_of(status.errc), self._place(state))))
        self._updates_seen += 1
        self._update_seen.set()
        self._update_seen = trio.Event()

    def _on_session_stats(self, alert: lt.session_stats_alert) -> None:
        values = alert.values
        self.lan_bytes = (values["net.recv_bytes"], values["net.sent_bytes"])
        self.stats_seen.set()
        self.stats_seen = trio.Event()

    def _on_state_changed(self, alert: lt.state_changed_alert) -> None:
        if state := self._state(alert.handle):
            self.emit(*state.observe_activity(activity_of(alert.state)))
            if state.activity == "complete" and not state.flushed:
                alert.handle.flush_cache()  # answered by a cache_flushed_alert

    def _on_cache_flushed(self, alert: lt.cache_flushed_alert) -> None:
        if state := self._state(alert.handle):
            self.emit(*state.observe_flushed())

    def _on_piece_finished(self, alert: lt.piece_finished_alert) -> None:
        if state := self._state(alert.handle):
            state.have |= 1 << alert.piece_index
            state.wake()

    def _on_hash_failed(self, alert: lt.hash_failed_alert) -> None:
        if state := self._state(alert.handle):
            self.emit(PieceHashFailed(state.torrent_hash, PieceIndex(alert.piece_index)))

    def _on_availability(self, alert: lt.piece_availability_alert) -> None:
        if state := self._state(alert.handle):
            state.lan_have = piece_set(count > 0 for count in alert.piece_availability)

    def _on_file_error(self, alert: lt.file_error_alert) -> None:
        if state := self._state(alert.handle):
            self.emit(*state.observe_fault(disk_fault(failure_of(alert.error), self._place(state))))

    def _place(self, state: TorrentState) -> str:
        """Return where the torrent's file is, for people."""
        return str(self._shown_as / state.file.sha256)

    def _on_torrent_error(self, alert: lt.torrent_error_alert) -> None:
        # also posted for errors that do not stop the torrent: its status says which
        state = self._state(alert.handle)
        if state is not None and state.fault is None:
            log.warning("the torrent engine reports a problem", reason=alert.error.message())
            self.ask_update()

    def _on_removed(self, alert: lt.torrent_removed_alert) -> None:
        if state := self.states.pop(alert.handle, None):
            state.removed = True
            state.wake()

    def _on_deleted(self, alert: lt.torrent_deleted_alert) -> None:
        self._deleted(alert.info_hashes)

    def _on_delete_failed(self, alert: lt.torrent_delete_failed_alert) -> None:
        if (torrent_hash := self._deleted(alert.info_hashes)) and alert.error.value() not in (0, errno.ENOENT):
            log.warning("a removed torrent's file is left", torrent=torrent_hash, reason=alert.error.message())

    def _deleted(self, info_hashes: lt.info_hash_t) -> TorrentHash | None:
        torrent_hash = TorrentHash(str(info_hashes.v2))
        state = self.deleting.pop(torrent_hash, None)
        if state is None:
            return None
        state.wake()
        return torrent_hash

    def _on_peer_end(self, alert: lt.peer_error_alert | lt.peer_disconnected_alert) -> None:
        address, port = alert.endpoint
        reason = peer_reason(failure_of(alert.error, alert.op))
        if state := self._state(alert.handle):
            self.emit(state.observe_peer_end(address, port, reason))
        else:
            self.emit(PeerRefused(None, address, port, reason))

    def _on_alerts_dropped(self, _alert: lt.alerts_dropped_alert) -> None:
        log.warning("the torrent engine reported more than could be taken in")
        # a lost answer would keep `refresh` waiting; the fresh status repairs the rest
        self._updates_seen = max(self._updates_seen, self._updates_asked)
        self.ask_update()
