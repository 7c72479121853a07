"""Payloads in a content store with the hashes of their pieces, as publishing leaves them; no torrent is made."""

import hashlib

from p2pdist.shared import merkle
from p2pdist.shared.identifiers import Sha256Hex
from seed_server.store.content_store import ContentStore
from seed_server.store.rows import ServedPayload

PIECE_LENGTH = 64 << 10
TEXT = b"".join(b"line %d of a text\n" % (i * i) for i in range(40_000))
"""Fifteen pieces and a part, which pack well."""


def store_payload(content: ContentStore, data: bytes, sequence: int, patch_id: str = "app") -> ServedPayload:
    """Store ``data`` in pieces of `PIECE_LENGTH`, and return what is served of it, as version ``sequence``."""
    sha256 = Sha256Hex(hashlib.sha256(data).hexdigest())
    parts = [data[at : at + PIECE_LENGTH] for at in range(0, len(data), PIECE_LENGTH)]
    hashes = b"".join(merkle.piece_hash(part, PIECE_LENGTH, len(data)) for part in parts)
    content.path(sha256).write_bytes(data)
    content.write_piece_hashes(sha256, hashes)
    torrent = hashlib.sha256(b"torrent" + data).hexdigest()
    return ServedPayload(
        patch_id, f"{sequence}.0", "", "high", None, "app", sha256, len(data), torrent, PIECE_LENGTH, len(parts),
        sequence, 0.0,
    )  # fmt: skip
