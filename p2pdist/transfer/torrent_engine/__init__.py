"""The LAN leg: one libtorrent session that swaps pieces with neighbours over mutual TLS.

This is the only package of the endpoint that imports libtorrent; none of libtorrent's types leave it.
"""

from p2pdist.transfer.torrent_engine.reports import (
    WASTED,
    EngineError,
    EngineEvent,
    PeerConnected,
    PeerGone,
    PeerRefused,
    PeerSnapshot,
    PieceHashFailed,
    PieceOutcome,
    SwarmIdentity,
    TorrentCompleted,
    TorrentDamaged,
    TorrentFailed,
    TransferSnapshot,
)

__all__ = [
    "WASTED",
    "EngineError",
    "EngineEvent",
    "PeerConnected",
    "PeerGone",
    "PeerRefused",
    "PeerSnapshot",
    "PieceHashFailed",
    "PieceOutcome",
    "SwarmIdentity",
    "TorrentCompleted",
    "TorrentDamaged",
    "TorrentFailed",
    "TransferSnapshot",
]
