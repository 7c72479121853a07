"""Check and read a torrent file: accept only private v2 torrents of one plain file named by its SHA-256. Pure.

The decoded metainfo (BEP 3, BEP 52) may have no unknown keys: a tracker, web seed, certificate, attribute or second
file is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from p2pdist.shared.identifiers import InvalidIdentifierError, Sha256Hex, parse_sha256
from p2pdist.shared.manifest.documents import MAX_PAYLOAD_BYTES
from p2pdist.shared.merkle import BLOCK_BYTES, HASH_BYTES, piece_hash, pieces_root, split_hashes
from p2pdist.shared.wire.fields import MAX_PIECE_BYTES, MAX_PIECES

_TOP_KEYS = {b"info", b"piece layers", b"creation date", b"created by"}
_INFO_KEYS = {b"file tree", b"meta version", b"name", b"piece length", b"private"}


class TorrentFileError(ValueError):
    """A torrent file is not one of ours. The text continues "it …"."""


@dataclass(frozen=True)
class TorrentFile:
    """The parts of a torrent that the endpoint uses."""

    sha256: Sha256Hex
    """The name of the file: the payload's hash, as its publisher computed it."""
    length_bytes: int
    piece_bytes: int
    piece_count: int
    piece_hashes: bytes
    """The hashes of all pieces, 32 bytes each, concatenated."""

    def piece_length(self, piece: int) -> int:
        """Return the length of a piece; the last one may be shorter."""
        return min(self.piece_bytes, self.length_bytes - piece * self.piece_bytes)

    def proves(self, piece: int, data: bytes) -> bool:
        """Return whether ``data`` is this piece. Hashing takes up to some milliseconds."""
        if not 0 <= piece < self.piece_count or len(data) != self.piece_length(piece):
            return False
        expected = self.piece_hashes[piece * HASH_BYTES : (piece + 1) * HASH_BYTES]
        return piece_hash(data, self.piece_bytes, self.length_bytes) == expected


def read_torrent_file(metainfo: object) -> TorrentFile:
    """Return the checked content of a decoded torrent file. Raises `TorrentFileError`."""
    top = _dictionary(metainfo, "its outermost part")
    _only(top, _TOP_KEYS)
    info = _dictionary(top.get(b"info"), "its info dictionary")
    _only(info, _INFO_KEYS)
    if info.get(b"meta version") != 2 or info.get(b"private") != 1:
        raise TorrentFileError("is not a private v2 torrent")
    name, length, root = _single_file(info)
    if name != info.get(b"name"):
        raise TorrentFileError("names its file in two ways")
    try:
        sha256 = parse_sha256(name.decode("ascii", "replace"))
    except InvalidIdentifierError as error:
        raise TorrentFileError("does not name its file by a SHA-256") from error
    piece_bytes = _number(info.get(b"piece length"), BLOCK_BYTES, MAX_PIECE_BYTES, "piece length")
    if piece_bytes & (piece_bytes - 1):
        raise TorrentFileError("has a piece length that is no power of two")
    count = -(-length // piece_bytes)
    if count > MAX_PIECES:
        raise TorrentFileError(f"has {count} pieces, over the cap of {MAX_PIECES}")
    layers = _dictionary(top.get(b"piece layers", {}), "its piece layers")
    piece_hashes = layers.get(root) if count > 1 else root
    if not isinstance(piece_hashes, bytes) or len(piece_hashes) != count * HASH_BYTES:
        raise TorrentFileError("does not hold a hash for each piece")
    if count > 1 and pieces_root(split_hashes(piece_hashes), piece_bytes) != root:
        raise TorrentFileError("holds piece hashes that do not belong to its file")
    return TorrentFile(sha256, length, piece_bytes, count, piece_hashes)


def _single_file(info: Mapping[bytes, object]) -> tuple[bytes, int, bytes]:
    tree = _dictionary(info.get(b"file tree"), "its file tree")
    if len(tree) != 1:
        raise TorrentFileError("does not hold exactly one file")
    ((name, entry),) = tree.items()
    described = _dictionary(entry, "its file")
    _only(described, {b""})
    properties = _dictionary(described.get(b""), "its file")
    _only(properties, {b"length", b"pieces root"})
    root = properties.get(b"pieces root")
    if not isinstance(root, bytes) or len(root) != HASH_BYTES:
        raise TorrentFileError("has no root hash")
    return name, _number(properties.get(b"length"), 1, MAX_PAYLOAD_BYTES, "length"), root


def _dictionary(value: object, what: str) -> Mapping[bytes, object]:
    if not isinstance(value, dict) or not all(isinstance(key, bytes) for key in value):
        raise TorrentFileError(f"is broken: {what} is no dictionary")
    return value


def _only(value: Mapping[bytes, object], known: set[bytes]) -> None:
    unknown = sorted(value.keys() - known)
    if unknown:
        raise TorrentFileError(f"has the part {unknown[0][:40]!r}, which is not accepted")


def _number(value: object, least: int, most: int, what: str) -> int:
    if not isinstance(value, int) or not least <= value <= most:
        raise TorrentFileError(f"has a {what} outside {least} to {most}")
    return value
