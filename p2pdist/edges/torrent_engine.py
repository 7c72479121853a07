"""The LAN leg: one libtorrent session that swaps pieces with neighbours over mutual TLS.

The only module of the endpoint that imports libtorrent; none of its types
leave. What the session reports (alerts) is read by one task, which copies the
fields at once: an alert is a raw pointer that dies at the next read.
"""

import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import libtorrent as lt
import structlog
import trio

from p2pdist.core.torrent_file import TorrentFile, TorrentFileError, read_torrent_file
from p2pdist.edges.torrent_reports import (
    EngineError,
    EngineEvent,
    Failure,
    PeerConnected,
    PeerGone,
    PeerRefused,
    PeerSnapshot,
    PieceHashFailed,
    TorrentCompleted,
    TorrentDamaged,
    TorrentFailed,
    TransferSnapshot,
    disk_problem,
    peer_reason,
)
from p2pdist.edges.torrent_settings import DH_PARAMETERS_PEM, TORRENT_LIMITS, session_settings
from p2pdist.edges.torrent_state import Activity, StatusFields, TorrentState, piece_set
from p2pdist.errors import ExitCode, UserError
from p2pdist.identifiers import PieceIndex, TorrentHash
from p2pdist.manifest import MAX_TORRENT_BYTES

__all__ = [
    "EngineError",
    "EngineEvent",
    "PeerConnected",
    "PeerGone",
    "PeerRefused",
    "PeerSnapshot",
    "PieceHashFailed",
    "SwarmIdentity",
    "TorrentCompleted",
    "TorrentDamaged",
    "TorrentEngine",
    "TorrentFailed",
    "TransferSnapshot",
    "open_torrent_engine",
]

LISTEN_SECONDS = 10.0  # binding a socket takes milliseconds; a longer wait is a wedged session
ANSWER_SECONDS = 5.0  # the session's thread answers in milliseconds; on a PC that swaps, in seconds
REMOVE_SECONDS = 10.0  # open writes are finished first
CLOSE_SECONDS = 10.0  # likewise; afterwards the process may end without it
STORE_SECONDS = 30.0  # a piece waits for its hash and for a slow, busy disk
STORE_AGAIN_SECONDS = 0.5  # when a neighbour's part of the same piece was bad, ours is given again
EVENT_CAP = 1_024  # events are prompts, the snapshot tells the truth: what does not fit is dropped
EVENTS_KEPT_FOR_TORRENTS = 256  # room that neighbours' events cannot take

# the bindings' own stubs leave out these forms of the two calls
_load: Any = lt.load_torrent_buffer
_make_session: Any = lt.session

log = structlog.get_logger()

_STATES = lt.torrent_status.states
_ACTIVITIES: dict[int, Activity] = {
    _STATES.queued_for_checking: "checking",
    _STATES.checking_files: "checking",
    _STATES.checking_resume_data: "checking",
    _STATES.finished: "complete",
    _STATES.seeding: "complete",
}
_FROM_TRACKER = 1  # peer_info.tracker: the one source that lifts libtorrent's own ban on failed connects


@dataclass(frozen=True)
class SwarmIdentity:
    """The endpoint's certificate in the swarm (SAN ``*``), its key, and the swarm's CA. All PEM."""

    ca_pem: str
    certificate_pem: str
    key_pem: str = field(repr=False)


@dataclass
class _Torrent:
    handle: lt.torrent_handle
    state: TorrentState


class TorrentEngine:
    """A running session. Made by `open_torrent_engine`; every method runs in the trio thread."""

    def __init__(self, session: lt.session, identity: SwarmIdentity, listen_port: int) -> None:
        self._session = session
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

    async def add(self, torrent: bytes, *, expected_hash: TorrentHash, directory: Path, assume_complete: bool) -> None:
        """Take up a torrent whose file lies, or will lie, in ``directory`` under the payload's SHA-256.

        What is on disk is checked piece by piece first, or, with
        ``assume_complete``, each piece when a neighbour first asks for it. Adding
        one that is there already does nothing. Raises `EngineError` for bytes that
        are not the torrent with ``expected_hash``, or not one of ours.
        """
        if expected_hash in self._torrents:
            return
        params, file = await trio.to_thread.run_sync(_read_torrent, torrent, expected_hash)
        params.save_path = str(directory)
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
        """Drop a torrent and its connections; unknown ones are no error."""
        torrent = self._torrents.pop(torrent_hash, None)
        if torrent is None:
            return
        self._session.remove_torrent(torrent.handle, lt.options_t.delete_files if delete_files else 0)
        with trio.move_on_after(REMOVE_SECONDS) as waiting:
            while not torrent.state.removed:
                await torrent.state.changed.wait()
        if waiting.cancelled_caught:
            log.warning("the torrent engine takes long to remove a torrent", torrent=torrent_hash)

    async def recheck(self, torrent_hash: TorrentHash) -> None:
        """Check all bytes on disk again, then fetch what is missing. Returns when the check has begun."""
        self._begin_check(self._known(torrent_hash))
        await self.refresh()

    async def resume(self, torrent_hash: TorrentHash) -> None:
        """Go on with a torrent that failed: check what is on disk, then fetch. Returns when the check has begun."""
        torrent = self._known(torrent_hash)
        torrent.state.error = ""
        torrent.handle.clear_error()
        torrent.handle.unset_flags(lt.torrent_flags.upload_mode)
        # blocks whose write failed count as being written for ever: only a check forgets them
        self._begin_check(torrent)
        torrent.handle.resume()
        await self.refresh()

    def _begin_check(self, torrent: _Torrent) -> None:
        torrent.state.begin_check()
        torrent.handle.force_recheck()

    async def add_piece(self, torrent_hash: TorrentHash, piece: PieceIndex, data: bytes) -> bool:
        """Store a piece that came from the origin and offer it to the neighbours.

        True: it is there (by this or by a neighbour). False: ``data`` is not this
        piece. Raises `EngineError` when the torrent has failed, is gone, or the
        piece is not stored within `STORE_SECONDS`.
        """
        torrent = self._known(torrent_hash)
        state = torrent.state
        self._raise_if_stopped(state)
        # checked here too, so that a neighbour's bad block in the same piece is not held against the origin
        if not await trio.to_thread.run_sync(state.file.proves, piece, data):
            return False
        with trio.move_on_after(STORE_SECONDS):
            while not state.have >> piece & 1:
                self._raise_if_stopped(state)
                changed = state.changed
                if state.activity == "downloading":
                    torrent.handle.add_piece(piece, data, 0)  # does nothing for blocks that are there
                with trio.move_on_after(STORE_AGAIN_SECONDS):
                    await changed.wait()
            return True
        raise EngineError(
            f"A piece was not stored within {STORE_SECONDS:.0f} s: this PC's disk is too slow or too busy.",
            ExitCode.STORAGE,
        )

    def _raise_if_stopped(self, state: TorrentState) -> None:
        if state.error:  # also for pieces that seemed stored: their write may be the one that failed
            raise EngineError(state.error, ExitCode.STORAGE)
        if state.torrent_hash not in self._torrents:
            raise EngineError("The torrent was removed meanwhile.")

    # --- neighbours -----------------------------------------------------------------

    def set_identity(self, identity: SwarmIdentity) -> None:
        """Use renewed certificates for every later handshake; a new CA holds for torrents that are added later."""
        self._identity = identity
        for torrent in self._torrents.values():
            self._certify(torrent)

    def _certify(self, torrent: _Torrent) -> None:
        identity = self._identity
        torrent.handle.set_ssl_certificate_buffer(identity.certificate_pem, identity.key_pem, DH_PARAMETERS_PEM)

    def connect_peer(self, torrent_hash: TorrentHash, address: str, port: int) -> None:
        """Connect to a neighbour within about a second, unless it is connected. An event tells the outcome."""
        torrent = self._torrents.get(torrent_hash)
        if torrent is not None:
            torrent.handle.connect_peer((address, port), _FROM_TRACKER, 0)

    # --- looking --------------------------------------------------------------------

    async def refresh(self) -> None:
        """Bring every snapshot up to date; waits at most `ANSWER_SECONDS` and then leaves them as they are."""
        for torrent in self._torrents.values():
            if torrent.state.phase == "downloading":
                torrent.handle.post_piece_availability()
        # the session answers in order: its answer to the last question comes after all others
        self._ask_update()
        asked = self._updates_asked
        with trio.move_on_after(ANSWER_SECONDS):
            while self._updates_seen < asked:
                await self._update_seen.wait()
            connected = [t for t in self._torrents.values() if t.state.connections or t.state.peers]
            if connected:
                answers = await trio.to_thread.run_sync(_ask_peers, [t.handle for t in connected])
                for torrent, peers in zip(connected, answers, strict=True):
                    self._emit(*torrent.state.take_peers(peers))
            return
        log.warning("the torrent engine does not answer", seconds=ANSWER_SECONDS)

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
        """Take in alerts until cancelled; the one task that may."""
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
            self._emit(*state.take_status(_copied(status)))
            if status.errc.value():
                self._emit(*state.take_error(disk_problem(_failure(status.errc), state.file.sha256)))
        self._updates_seen += 1
        self._update_seen.set()
        self._update_seen = trio.Event()

    def _on_state_changed(self, alert: lt.state_changed_alert) -> None:
        if state := self._states.get(alert.handle):
            self._emit(*state.take_activity(_activity(alert.state)))
            if state.activity == "complete" and not state.flushed:
                alert.handle.flush_cache()  # answered by a cache_flushed_alert

    def _on_cache_flushed(self, alert: lt.cache_flushed_alert) -> None:
        if state := self._states.get(alert.handle):
            self._emit(*state.take_flushed())

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
            self._emit(*state.take_error(disk_problem(_failure(alert.error), alert.filename())))

    def _on_torrent_error(self, alert: lt.torrent_error_alert) -> None:
        # also posted for what does not stop the torrent: the status tells
        state = self._states.get(alert.handle)
        if state is not None and not state.error:
            log.warning("the torrent engine reports a problem", reason=alert.error.message())
            self._ask_update()

    def _on_removed(self, alert: lt.torrent_removed_alert) -> None:
        if state := self._states.pop(alert.handle, None):
            state.removed = True
            state.wake()

    def _on_peer_end(self, alert: lt.peer_error_alert | lt.peer_disconnected_alert) -> None:
        address, port = alert.endpoint
        reason = peer_reason(_failure(alert.error, alert.op))
        if state := self._states.get(alert.handle):
            self._emit(state.take_peer_end(address, port, reason))
        else:
            self._emit(PeerRefused(None, address, port, reason))

    def _on_alerts_dropped(self, _alert: lt.alerts_dropped_alert) -> None:
        log.warning("the torrent engine reported more than could be taken in")
        # a lost answer would keep `refresh` waiting; the fresh status repairs the rest
        self._updates_seen = max(self._updates_seen, self._updates_asked)
        self._ask_update()


@asynccontextmanager
async def open_torrent_engine(
    *, listen_address: str, listen_port: int, identity: SwarmIdentity
) -> AsyncIterator[TorrentEngine]:
    """Run a session on one address; port 0 takes any free one.

    Raises `UserError`: `ExitCode.BUSY` when the port is taken,
    `ExitCode.BAD_INPUT` when the address is not one of this PC.
    """
    readable, writable = socket.socketpair()
    with readable, writable:
        readable.setblocking(False)
        writable.setblocking(False)
        holder = [_new_session(listen_address, listen_port)]
        try:
            holder[0].set_alert_fd(writable.fileno())
            port = await _listening(holder[0], readable, f"{listen_address}:{listen_port}")
            engine = TorrentEngine(holder[0], identity, port)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(engine.read_alerts, readable)
                try:
                    yield engine
                finally:
                    nursery.cancel_scope.cancel()
            del engine._session  # noqa: SLF001 - the last reference but one, see below
        finally:
            # the destructor of the last reference waits for open writes: not in the trio thread
            with trio.CancelScope(shield=True), trio.move_on_after(CLOSE_SECONDS) as closing:
                await trio.to_thread.run_sync(holder.clear, abandon_on_cancel=True)
            if closing.cancelled_caught:
                log.warning("the torrent engine takes long to close; its last writes may be missing")


def _new_session(listen_address: str, listen_port: int) -> lt.session:
    category = lt.alert.category_t
    session: lt.session = _make_session(
        {
            **session_settings(listen_address, listen_port),
            "alert_mask": category.error_notification
            | category.status_notification
            | category.storage_notification
            | category.peer_notification
            | category.connect_notification
            | category.piece_progress_notification,
        },
        0,  # no default plugins: they exchange peers
    )
    session.add_extension("smart_ban")
    # our own class for every address, before any torrent: the built-in one exempts the LAN from limits
    lan = session.create_peer_class("lan")
    session.set_peer_class(lan, {**session.get_peer_class(lan), "ignore_unchoke_slots": True})
    everybody = lt.ip_filter()
    everybody.add_rule("0.0.0.0", "255.255.255.255", 1 << lan)  # noqa: S104 - a range, not a listener
    everybody.add_rule("::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1 << lan)
    session.set_peer_class_filter(everybody)
    return session


async def _listening(session: lt.session, readable: socket.socket, wanted: str) -> int:
    """Wait for the outcome of binding the TCP listener and return its port."""
    with trio.move_on_after(LISTEN_SECONDS):
        while True:
            for alert in session.pop_alerts():
                if isinstance(alert, lt.listen_failed_alert):
                    raise _listen_problem(_failure(alert.error), wanted)
                if isinstance(alert, lt.listen_succeeded_alert) and alert.socket_type == lt.socket_type_t.tcp_ssl:
                    return alert.port
            await trio.lowlevel.wait_readable(readable)
            with contextlib.suppress(BlockingIOError):
                readable.recv(4_096)
    raise UserError(
        f"The LAN listener on {wanted} did not start within {LISTEN_SECONDS:.0f} s. Restart the daemon; "
        "if it happens again, look at the system's log.",
        ExitCode.FAILED,
    )


def _listen_problem(failure: Failure, wanted: str) -> UserError:
    if failure.value == errno.EADDRINUSE:
        return UserError(
            f"The LAN port {wanted} is in use by another program. Stop it, or set another lan_port in config.toml.",
            ExitCode.BUSY,
        )
    return UserError(
        f"This PC cannot listen on {wanted}: {failure.message}. Give an address of this PC and a free port.",
        ExitCode.BAD_INPUT,
    )


def _read_torrent(torrent: bytes, expected_hash: TorrentHash) -> tuple[lt.add_torrent_params, TorrentFile]:
    """Return the torrent if it is one of ours. Raises `EngineError`; every number from outside meets its cap here."""
    if len(torrent) > MAX_TORRENT_BYTES:
        raise _not_ours(f"has {len(torrent)} bytes, over the cap of {MAX_TORRENT_BYTES}")
    try:
        # the piece hashes are in these parameters alone: `ti` by itself could not prove a single piece
        params: lt.add_torrent_params = _load(torrent, TORRENT_LIMITS)
        file = read_torrent_file(lt.bdecode(torrent))
    except (RuntimeError, UnicodeDecodeError, TorrentFileError) as error:
        raise _not_ours(str(error) if isinstance(error, TorrentFileError) else f"is broken: {error}") from error
    if str(params.info_hashes.v2) != expected_hash:
        raise _not_ours("has another hash than the manifest says")
    return params, file


def _not_ours(problem: str) -> EngineError:
    return EngineError(
        f"The torrent file is not acceptable: it {problem}. The publisher must publish the patch again.",
        ExitCode.BAD_INPUT,
    )


def _ask_peers(handles: list[lt.torrent_handle]) -> list[list[PeerSnapshot]]:
    """Return the connected neighbours of each torrent. Blocking: the session's thread answers."""
    unfinished = lt.peer_info.connecting | lt.peer_info.handshake
    return [
        [
            PeerSnapshot(peer.ip[0], peer.ip[1], peer.total_download, peer.total_upload)
            for peer in _peer_infos(handle)
            if not peer.flags & unfinished
        ]
        for handle in handles
    ]


def _peer_infos(handle: lt.torrent_handle) -> list[lt.peer_info]:
    try:
        return handle.get_peer_info()
    except RuntimeError:  # removed meanwhile
        return []


def _failure(code: lt.error_code, operation: lt.operation_t | None = None) -> Failure:
    name = "" if operation is None else str(operation).rsplit(".", 1)[-1]
    return Failure(code.category().name(), code.value(), code.message(), name)


def _activity(state: int) -> Activity:
    return _ACTIVITIES.get(state, "downloading")


def _copied(status: lt.torrent_status) -> StatusFields:
    return StatusFields(
        activity=_activity(status.state),
        pieces=status.pieces,
        progress=status.progress,
        connections=status.num_connections,
        bytes_down=status.total_payload_download,
        bytes_up=status.total_payload_upload,
        bytes_redundant=status.total_redundant_bytes,
        bytes_failed=status.total_failed_bytes,
    )
