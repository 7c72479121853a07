"""The LAN leg: one libtorrent session that swaps pieces with neighbours over mutual TLS.

This is the only package of the endpoint that imports libtorrent; none of libtorrent's types leave it.
"""

from p2pdist.transfer.torrent_engine.engine import TorrentEngine
from p2pdist.transfer.torrent_engine.reports import (
    EngineError,
    EngineEvent,
    PeerConnected,
    PeerGone,
    PeerRefused,
    PeerSnapshot,
    PieceHashFailed,
    SwarmIdentity,
    TorrentCompleted,
    TorrentDamaged,
    TorrentFailed,
    TransferSnapshot,
)
from p2pdist.transfer.torrent_engine.session import open_torrent_engine

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
