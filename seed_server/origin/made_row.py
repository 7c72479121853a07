"""How a torrent that the server makes by itself is served: as a payload of no patch, which is in no database. Pure."""

from p2pdist.shared.wire.news_torrent import NEWS_PIECE_BYTES, MadeTorrent, NewsTorrent
from seed_server.store.rows import ServedPayload


def made_row(
    told: NewsTorrent, made: MadeTorrent, *, severity: str, sequence: int, emergency: bool = False
) -> ServedPayload:
    """Return the row of ``made``, which is the torrent of what PCs are ``told``; the others say when its turn is."""
    return ServedPayload(
        patch_id="",
        version="",
        title="",
        severity=severity,
        cvss=None,
        file_name=made.name,
        sha256=made.name,
        length_bytes=told.length_bytes,
        torrent_hash=made.torrent_hash,
        piece_length_bytes=NEWS_PIECE_BYTES,
        piece_count=told.piece_count,
        sequence=sequence,
        published_at=0.0,
        emergency=emergency,
    )
