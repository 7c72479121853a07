"""Piece hashes of BitTorrent v2 (BEP 52): roots of SHA-256 merkle trees over 16 KiB blocks. Pure."""

import hashlib
from collections.abc import Sequence

from p2pdist.shared.identifiers import PieceIndex

BLOCK_BYTES = 16 << 10  # BEP 52: the leaf of every tree
HASH_BYTES = 32

_ZERO_HASH = bytes(HASH_BYTES)


def piece_hash(data: bytes | memoryview, piece_length: int, file_length: int) -> bytes:
    """Return the v2 hash of one whole piece of a file of ``file_length`` bytes.

    A piece's tree has ``piece_length`` ÷ 16 KiB leaves; missing ones are zero (BEP 52).
    In a file of one piece the tree is smaller: its width is the number of the file's
    blocks, rounded up to a power of two, and its root is the file's ``pieces root``.
    Raises `ValueError` for an empty piece.
    """
    if not data:
        raise ValueError("a piece has at least one byte")
    view = memoryview(data)
    leaves = [hashlib.sha256(view[at : at + BLOCK_BYTES]).digest() for at in range(0, len(view), BLOCK_BYTES)]
    width = _next_power_of_two(len(leaves)) if file_length <= piece_length else piece_length // BLOCK_BYTES
    return _root(leaves, width, _ZERO_HASH)


def pieces_root(piece_hashes: Sequence[bytes], piece_length: int) -> bytes:
    """Return the file's ``pieces root`` (BEP 52): the root of the tree over its piece hashes, one or more."""
    padding = _ZERO_HASH
    for _ in range((piece_length // BLOCK_BYTES).bit_length() - 1):
        padding = hashlib.sha256(padding + padding).digest()
    return _root(list(piece_hashes), _next_power_of_two(len(piece_hashes)), padding)


def split_hashes(concatenated: bytes) -> list[bytes]:
    """Return the hashes in a ``.pieces`` file. Raises `ValueError` when it is empty or ends inside a hash."""
    if not concatenated or len(concatenated) % HASH_BYTES:
        raise ValueError(f"{len(concatenated)} bytes are not a list of piece hashes")
    return [concatenated[at : at + HASH_BYTES] for at in range(0, len(concatenated), HASH_BYTES)]


def piece_count(length_bytes: int, piece_length: int) -> int:
    """Return how many pieces a file of ``length_bytes`` has."""
    return -(-length_bytes // piece_length)


def piece_span(piece: PieceIndex, piece_length: int, length_bytes: int) -> tuple[int, int]:
    """Return offset and length of ``piece``. Raises `IndexError` when the file has no such piece."""
    offset = piece * piece_length
    if not 0 <= offset < length_bytes:
        raise IndexError(f"no piece {piece} in {length_bytes} bytes of pieces of {piece_length}")
    return offset, min(piece_length, length_bytes - offset)


def _root(leaves: list[bytes], width: int, padding: bytes) -> bytes:
    """Return the root of a tree of ``width`` leaves (a power of two); missing ones are ``padding``."""
    if len(leaves) > width:
        raise ValueError(f"{len(leaves)} leaves do not fit into a tree of {width}")
    level = leaves
    while width > 1:
        if len(level) % 2:
            level = [*level, padding]
        level = [hashlib.sha256(level[at] + level[at + 1]).digest() for at in range(0, len(level), 2)]
        padding = hashlib.sha256(padding + padding).digest()
        width //= 2
    return level[0]


def _next_power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()
