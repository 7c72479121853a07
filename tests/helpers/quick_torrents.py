"""Torrents of publications in a test's own process: hundreds of tests publish, and a child takes a quarter second."""

from pathlib import Path

from seed_server.publishing.torrent_builder import TorrentBuilt, build_torrent, make_torrent
from seed_server.store.content_store import OnProgress


def build_quickly(payload: Path, piece_length: int, on_progress: OnProgress) -> TorrentBuilt:
    """Do as `torrent_builder.build_torrent`, without its child where nothing goes wrong."""
    try:
        made = make_torrent(payload, piece_length, lambda done, total: None)
    except (OSError, RuntimeError, KeyError, ValueError):
        return build_torrent(payload, piece_length, on_progress)
    length = payload.stat().st_size
    on_progress(length, length)
    return made
