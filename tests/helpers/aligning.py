"""Aligns payloads in this process: a child takes a quarter of a second to start."""

from pathlib import Path

from p2pdist.shared.identifiers import Sha256Hex
from seed_server.deltas.alignment import Alignment, align
from seed_server.deltas.anchor_files import AnchorFiles
from seed_server.deltas.piece_coding import FindsAlignment
from seed_server.store.content_store import ContentStore


def aligned_here(content: ContentStore, coded: Path) -> FindsAlignment:
    """Return what finds out what `Aligner` does, and raises the same for a payload that cannot be read."""
    files = AnchorFiles(content, coded)

    async def find(base: Sha256Hex, new: Sha256Hex) -> Alignment:
        return align(files.anchors(base), files.anchors(new))

    return find
