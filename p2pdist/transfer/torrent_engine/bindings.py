"""Convert libtorrent's types into ours: torrents, error codes, states, status, neighbours."""

from dataclasses import dataclass
from typing import Any

import libtorrent as lt

from p2pdist.shared.errors import FaultKind
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.manifest.documents import MAX_TORRENT_BYTES
from p2pdist.transfer.torrent_engine.reports import EngineError, EngineFailure, PeerSnapshot
from p2pdist.transfer.torrent_engine.settings import LEAST_RATE, TORRENT_LIMITS, serving_settings
from p2pdist.transfer.torrent_engine.state import Activity, StatusFields
from p2pdist.transfer.torrent_file import TorrentFile, TorrentFileError, read_torrent_file

_load: Any = lt.load_torrent_buffer  # the stubs of the bindings lack the overload with limits

_STATES = lt.torrent_status.states
_ACTIVITIES: dict[int, Activity] = {
    _STATES.queued_for_checking: "checking",
    _STATES.checking_files: "checking",
    _STATES.checking_resume_data: "checking",
    _STATES.finished: "complete",
    _STATES.seeding: "complete",
}


def read_torrent(torrent: bytes, expected_hash: TorrentHash) -> tuple[lt.add_torrent_params, TorrentFile]:
    """Return the torrent if it is one of ours, else raise `EngineError`. All caps on torrent files are checked here."""
    if len(torrent) > MAX_TORRENT_BYTES:
        raise _not_ours(f"has {len(torrent)} bytes, over the cap of {MAX_TORRENT_BYTES}")
    try:
        # use these parameters whole: the piece hashes are in them, not in their `ti`
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
        FaultKind.BAD_INPUT,
    )


@dataclass(frozen=True)
class Neighbourhood:
    """The connections of one torrent."""

    connected: list[PeerSnapshot]
    """Those that have passed the handshake."""
    all_complete: bool
    """Whether there are any, each has passed the handshake, and no neighbour lacks a piece."""


def ask_peers(handles: list[lt.torrent_handle]) -> list[Neighbourhood]:
    """Return the neighbours of each torrent. Blocking: the session's thread answers."""
    return [_neighbourhood(_peer_infos(handle)) for handle in handles]


def _neighbourhood(peers: list[lt.peer_info]) -> Neighbourhood:
    unfinished = lt.peer_info.connecting | lt.peer_info.handshake
    connected = [peer for peer in peers if not peer.flags & unfinished]
    return Neighbourhood(
        [_snapshot(peer) for peer in connected],
        all_complete=bool(peers) and all(peer.flags & lt.peer_info.seed for peer in peers),
    )


def _snapshot(peer: lt.peer_info) -> PeerSnapshot:
    return PeerSnapshot(
        peer.ip[0],
        peer.ip[1],
        peer.total_download,
        peer.total_upload,
        opened_here=bool(peer.flags & lt.peer_info.local_connection),
        lacks=not peer.flags & lt.peer_info.seed,
    )


def _peer_infos(handle: lt.torrent_handle) -> list[lt.peer_info]:
    try:
        return handle.get_peer_info()
    except RuntimeError:  # removed meanwhile
        return []


def limit_class(session: lt.session, lan: int, upload: int | None, download: int | None, serve: bool) -> None:
    """Set the rates of the neighbours' class, and whether they are served. Blocking: the session's thread answers."""
    # pass all keys: with a part of them the bindings write garbage. 0 means unlimited; the least rate is 10
    limits: Any = {
        "upload_limit": 0 if upload is None else max(LEAST_RATE, upload),
        "download_limit": 0 if download is None else max(LEAST_RATE, download),
    }
    session.set_peer_class(lan, {**session.get_peer_class(lan), **limits})
    settings: Any = serving_settings(serve)
    session.apply_settings(settings)


def failure_of(code: lt.error_code, operation: lt.operation_t | None = None) -> EngineFailure:
    """Return an error code, and the operation that failed with it, as an `EngineFailure`."""
    name = "" if operation is None else str(operation).rsplit(".", 1)[-1]
    return EngineFailure(code.category().name(), code.value(), code.message(), name)


def activity_of(state: int) -> Activity:
    """Return what a torrent does, given libtorrent's state."""
    return _ACTIVITIES.get(state, "downloading")


def copied(status: lt.torrent_status) -> StatusFields:
    """Return a copy of the fields of a status that are used."""
    return StatusFields(
        activity=activity_of(status.state),
        pieces=status.pieces,
        progress=status.progress,
        connections=status.num_connections,
        bytes_down=status.total_payload_download,
        bytes_up=status.total_payload_upload,
        bytes_redundant=status.total_redundant_bytes,
        bytes_failed=status.total_failed_bytes,
    )
