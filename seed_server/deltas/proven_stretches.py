"""Stretches of a payload, proven: what is coded by wrong bytes is wrong for every PC, and is kept. Blocking."""

import os
from collections.abc import Iterable, Iterator

from p2pdist.shared.identifiers import PieceIndex, Sha256Hex
from p2pdist.shared.merkle import BLOCK_BYTES, piece_count, piece_span
from seed_server.store.content_store import ContentStore, DamagedPayloadError, read_piece_of, verify_piece


class ProvenStretches:
    """Reads whole pieces, and compares each with its hash: a millisecond for 1 MiB."""

    def __init__(self, content: ContentStore) -> None:
        self._content = content

    def read_stretches(self, sha256: Sha256Hex, stretches: Iterable[tuple[int, int]]) -> bytes:
        """Return these stretches (offset, length; rising) one after the other. Raises `DamagedPayloadError`."""
        return b"".join(self._parts(sha256, stretches))

    def _parts(self, sha256: Sha256Hex, stretches: Iterable[tuple[int, int]]) -> Iterator[bytes]:
        hashes = self._content.piece_hashes(sha256)
        with self._content.open_payload(sha256) as file:
            length = os.fstat(file.fileno()).st_size
            piece_length = _piece_length(length, len(hashes))
            known, data = -1, b""
            for offset, count in stretches:
                at, end = offset, offset + count
                if end > length:
                    raise DamagedPayloadError(f"{self._content.path(sha256)} ends before {end}")
                while at < end:
                    piece, start = divmod(at, piece_length)
                    if piece != known:
                        known, data = piece, read_piece_of(file, PieceIndex(piece), piece_length)
                        whole = len(data) == piece_span(PieceIndex(piece), piece_length, length)[1]
                        if not whole or not verify_piece(
                            data, hashes[piece], piece_length=piece_length, file_length=length
                        ):
                            raise DamagedPayloadError(f"piece {piece} is not what was published")
                    part = data[start : start + end - at]
                    yield part
                    at += len(part)


def _piece_length(length_bytes: int, count: int) -> int:
    """Return how long the pieces are of a file that has so many: there is one such power of two at most.

    Of a single piece any one that is long enough is as good. Raises `DamagedPayloadError`.
    """
    piece_length = BLOCK_BYTES
    while piece_count(length_bytes, piece_length) > count:
        piece_length *= 2
    if piece_count(length_bytes, piece_length) != count:
        raise DamagedPayloadError(f"{length_bytes} bytes are not {count} pieces")
    return piece_length
