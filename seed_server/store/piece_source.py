"""Pieces from the content store, each verified before it is sent: a tampered payload never leaves."""

import errno
from collections import OrderedDict
from collections.abc import Sequence

import trio

from p2pdist.shared import merkle
from p2pdist.shared.identifiers import PieceIndex, Sha256Hex, TorrentHash, parse_sha256
from seed_server.store.content_store import ContentStore, DamagedPayloadError, verify_piece
from seed_server.store.database import ServedPayload

READING_THREADS = 4  # more do not read one disk faster, and would leave too few for everything else
MAX_HASH_LISTS = 32  # of patches under way at the same time; 16 384 hashes take about 1 MB
_SHORTAGES = {errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EINTR, errno.EAGAIN}


class TemporaryReadError(Exception):
    """The server lacks something for a moment (files, memory); the payload is not to blame."""


class DamagedPartError(DamagedPayloadError):
    """A payload that a parcel is made of is damaged."""

    def __init__(self, problem: str, torrent: TorrentHash) -> None:
        super().__init__(problem)
        self.torrent = torrent


class PieceSource:
    """Reads and verifies pieces."""

    def __init__(self, content: ContentStore) -> None:
        self._content = content
        self._threads = trio.CapacityLimiter(READING_THREADS)
        self._hashes: OrderedDict[Sha256Hex, list[bytes]] = OrderedDict()
        self._held: dict[str, bytes] = {}
        """What is in memory alone, by its name."""
        self._parts: dict[str, Sequence[ServedPayload]] = {}
        """What is made of payloads, by its name."""

    def forget(self, patch: ServedPayload) -> None:
        """Read the patch's piece hashes anew next time."""
        self._hashes.pop(Sha256Hex(patch.sha256), None)

    def hold(self, name: str, data: bytes) -> None:
        """Serve ``data`` from memory, as the payload ``name``."""
        self._held[name] = data

    def release(self, name: str) -> None:
        """Serve it no longer."""
        self._held.pop(name, None)
        self._parts.pop(name, None)

    def assemble(self, name: str, parts: Sequence[ServedPayload]) -> None:
        """Serve these payloads, one after the other, as the payload ``name``."""
        self._parts[name] = parts

    async def read(self, patch: ServedPayload, piece: PieceIndex) -> bytes:
        """Return a piece that matches its v2 hash. Raises `DamagedPayloadError`, `TemporaryReadError`."""
        if (held := self._held.get(patch.sha256)) is not None:
            offset, length = merkle.piece_span(piece, patch.piece_length_bytes, len(held))
            return held[offset : offset + length]
        if (parts := self._parts.get(patch.sha256)) is not None:
            offset, length = merkle.piece_span(piece, patch.piece_length_bytes, patch.length_bytes)
            return await self.read_parts(parts, offset, length)
        sha256 = parse_sha256(patch.sha256)
        known = self._hashes.get(sha256)
        data, hashes = await trio.to_thread.run_sync(self._read, patch, piece, known, limiter=self._threads)
        self._hashes[sha256] = hashes
        self._hashes.move_to_end(sha256)
        while len(self._hashes) > MAX_HASH_LISTS:
            self._hashes.popitem(last=False)
        return data

    async def read_parts(self, parts: Sequence[ServedPayload], start: int, length: int) -> bytes:
        """Return these bytes of small payloads one after the other. Raises `DamagedPartError`, `TemporaryReadError`."""
        return await trio.to_thread.run_sync(self._read_parts, parts, start, length, limiter=self._threads)

    def _read_parts(self, parts: Sequence[ServedPayload], start: int, length: int) -> bytes:
        read = bytearray()
        offset = 0
        for part in parts:
            if offset < start + length and offset + part.length_bytes > start:
                read += self._read_whole(part)[max(0, start - offset) : start + length - offset]
            offset += part.length_bytes
        return bytes(read)

    def _read_whole(self, payload: ServedPayload) -> bytes:
        try:
            return b"".join(self._read(payload, PieceIndex(at), None)[0] for at in range(payload.piece_count))
        except DamagedPayloadError as error:
            raise DamagedPartError(str(error), TorrentHash(payload.torrent_hash)) from error

    def _read(self, patch: ServedPayload, piece: PieceIndex, known: list[bytes] | None) -> tuple[bytes, list[bytes]]:
        sha256 = parse_sha256(patch.sha256)
        try:
            hashes = known or self._content.piece_hashes(sha256)
            if len(hashes) != patch.piece_count:
                raise DamagedPayloadError(f"{len(hashes)} piece hashes for {patch.piece_count} pieces")
            data = self._content.read_piece(sha256, piece, patch.piece_length_bytes)
        except DamagedPayloadError as error:
            if isinstance(error.__cause__, OSError) and error.__cause__.errno in _SHORTAGES:
                raise TemporaryReadError(str(error)) from error
            raise
        _, length = merkle.piece_span(piece, patch.piece_length_bytes, patch.length_bytes)
        if len(data) != length or not verify_piece(
            data, hashes[piece], piece_length=patch.piece_length_bytes, file_length=patch.length_bytes
        ):
            raise DamagedPayloadError(f"piece {piece} is not what was published")
        return data, hashes
