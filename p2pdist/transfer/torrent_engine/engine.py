"""Control the running libtorrent session: its torrents, pieces and neighbours."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libtorrent as lt
import trio

from p2pdist.shared.errors import FaultKind
from p2pdist.shared.identifiers import PieceIndex, TorrentHash
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.transfer.torrent_engine.alerts import Alerts
from p2pdist.transfer.torrent_engine.bindings import (
    ask_peers,
    limit_class,
    read_torrent,
)
from p2pdist.transfer.torrent_engine.reports import (
    EngineError,
    PieceOutcome,
    SwarmIdentity,
    TransferSnapshot,
)
from p2pdist.transfer.torrent_engine.settings import DH_PARAMETERS_PEM, tick_settings
from p2pdist.transfer.torrent_engine.state import TorrentState

ANSWER_SECONDS = 5.0  # the session's thread answers in milliseconds, or in seconds on a PC short of memory
REMOVE_SECONDS = 10.0  # open writes are finished first; the file goes after that
COUNTED_SECONDS = 1.5  # libtorrent adds up what its connections have carried once a second
STORE_SECONDS = 30.0  # time for a piece's hash and for a slow, busy disk
STORE_AGAIN_SECONDS = 0.5  # when a neighbour's part of the same piece was bad, ours is added again

log = lazy_log()

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
        self._lan_class = lan_class
        self._identity = identity
        self.listen_port = listen_port
        """The TLS port that neighbours connect to."""
        self._torrents: dict[TorrentHash, _Torrent] = {}
        self._alerts = Alerts(session, shown_as)
        self.events = self._alerts.events

    @property
    def dropped_events(self) -> int:
        """How many events were dropped because nobody read them."""
        return self._alerts.dropped_events

    async def read_alerts(self, readable: socket.socket) -> None:
        """Follow what the session says, until cancelled. Only one task may do this."""
        await self._alerts.read(readable)

    def let_go(self) -> None:
        """Drop the references to the session, so that whoever opened it can destroy it. Nothing works afterwards."""
        del self._session
        self._alerts.let_go()

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
        if expected_hash in self._torrents:  # by another call meanwhile
            return
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
        self._alerts.states[added.handle] = added.state
        self._certify(added)

    async def remove(self, torrent_hash: TorrentHash, *, delete_files: bool) -> None:
        """Remove a torrent and its connections, and with ``delete_files`` its file. An unknown torrent is no error."""
        torrent = self._torrents.pop(torrent_hash, None)
        if torrent is None:
            return
        if delete_files:
            self._alerts.deleting[torrent_hash] = torrent.state
        self._session.remove_torrent(torrent.handle, lt.options_t.delete_files if delete_files else 0)
        with trio.move_on_after(REMOVE_SECONDS) as waiting:
            while not torrent.state.removed or torrent_hash in self._alerts.deleting:
                await torrent.state.changed.wait()
        self._alerts.deleting.pop(torrent_hash, None)
        if waiting.cancelled_caught:
            log.warning("the torrent engine takes long to remove a torrent", torrent=torrent_hash)

    async def flush(self, seconds: float) -> None:
        """Write what is in memory to disk, within ``seconds``: the process is about to end."""
        with trio.move_on_after(seconds):
            for torrent in self._torrents.values():
                if torrent.state.fault is None:
                    await self._writes_ended(torrent)

    async def recheck(self, torrent_hash: TorrentHash) -> None:
        """Check all bytes on disk again, then fetch what is missing. Returns when the check has begun.

        One that has failed is removed and added again instead: libtorrent keeps blocks
        whose write failed as being written, and a check does not always clear them.
        """
        torrent = self._known(torrent_hash)
        torrent.state.begin_check()
        self._alerts.changed.add(torrent_hash)
        torrent.handle.force_recheck()
        await self.refresh()

    async def _writes_ended(self, torrent: _Torrent) -> None:
        """Wait for the writes that are under way."""
        before = torrent.state.flushes
        torrent.handle.flush_cache()  # queued after those writes
        with trio.move_on_after(ANSWER_SECONDS):
            while torrent.state.flushes == before:
                await torrent.state.changed.wait()

    def lacks(self, torrent_hash: TorrentHash, piece: PieceIndex) -> int | None:
        """Return how long a piece is that is not here, 0 if there is no such piece; None: it is here.

        Raises `EngineError` when the torrent has failed or is gone.
        """
        state = self._known(torrent_hash).state
        self._raise_if_stopped(state)
        if not 0 <= piece < state.file.piece_count:
            return 0
        return None if state.have >> piece & 1 else state.file.piece_length(piece)

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
        seen = self._alerts.stats_seen
        self._session.post_session_stats()
        with trio.move_on_after(ANSWER_SECONDS):
            await seen.wait()
        return self._alerts.lan_bytes

    # --- looking --------------------------------------------------------------------

    def changed(self) -> list[TorrentHash]:
        """Return the torrents whose snapshots may differ from those of the last call; most are whole, and do not."""
        changed = self._alerts.changed & self._torrents.keys()
        self._alerts.changed.clear()
        return list(changed)

    async def refresh(self) -> None:
        """Bring every snapshot up to date. Gives up after `ANSWER_SECONDS` and leaves them as they are."""
        for torrent in self._torrents.values():
            if torrent.state.phase == "downloading":
                torrent.handle.post_piece_availability()
        # the session answers requests in order, so the answer to this last one comes after all others
        self._alerts.ask_update()
        with trio.move_on_after(ANSWER_SECONDS):
            await self._alerts.updated()
            connected = [t for t in self._torrents.values() if t.state.connections or t.state.peers]
            if connected:
                answers = await trio.to_thread.run_sync(ask_peers, [t.handle for t in connected])
                for torrent, neighbours in zip(connected, answers, strict=True):
                    state = torrent.state
                    self._alerts.emit(*state.observe_peers(neighbours.connected))
                    self._alerts.changed.add(state.torrent_hash)
                    if state.torrent_hash not in self._torrents:
                        continue
                    done = state.phase == "complete" and neighbours.all_complete
                    if state.done_for(done, trio.current_time()) >= COUNTED_SECONDS:
                        _disconnect(torrent.handle)
            return
        log.warning("the torrent engine does not answer", seconds=ANSWER_SECONDS)

    async def connected_peers(self) -> set[tuple[str, int]]:
        """Return the addresses and ports of all neighbours that have passed the handshake."""
        handles = [torrent.handle for torrent in self._torrents.values()]
        answers = await trio.to_thread.run_sync(ask_peers, handles)
        return {(peer.address, peer.port) for neighbours in answers for peer in neighbours.connected}

    def snapshot(self, torrent_hash: TorrentHash) -> TransferSnapshot:
        """Return a torrent's state as of the last `refresh`. Raises `EngineError` for an unknown one."""
        return self._known(torrent_hash).state.snapshot()

    def _known(self, torrent_hash: TorrentHash) -> _Torrent:
        try:
            return self._torrents[torrent_hash]
        except KeyError:
            raise EngineError(f"There is no torrent {torrent_hash[:16]}… here.") from None


def _disconnect(handle: lt.torrent_handle) -> None:
    """End the connections of a torrent, in favour of those that others need. It can be connected to at once."""
    handle.pause()
    handle.resume()
