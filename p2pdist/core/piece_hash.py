"""The hash of one piece of a v2 torrent (BEP 52): a binary SHA-256 tree over blocks of 16 KiB."""

import hashlib

BLOCK_BYTES = 16_384  # fixed by BEP 52
HASH_BYTES = 32
_ZERO_LEAF = bytes(HASH_BYTES)  # stands for blocks after the end of the file (BEP 52)


def piece_root(data: bytes, *, blocks: int) -> bytes:
    """Return the root over ``data`` (1 to 16 384 × ``blocks`` bytes), padded to ``blocks`` leaves.

    ``blocks`` is a power of two: those of a whole piece, also for the shorter
    last one; for a file of a single piece the next power of two that holds it
    (`blocks_of_single_piece`).
    """
    layer = [hashlib.sha256(data[start : start + BLOCK_BYTES]).digest() for start in range(0, len(data), BLOCK_BYTES)]
    layer += [_ZERO_LEAF] * (blocks - len(layer))
    while len(layer) > 1:
        layer = [hashlib.sha256(layer[i] + layer[i + 1]).digest() for i in range(0, len(layer), 2)]
    return layer[0]


def blocks_of_single_piece(length_bytes: int) -> int:
    """Return how many leaves the tree of a file of one piece has."""
    count = -(-length_bytes // BLOCK_BYTES)
    return 1 << (count - 1).bit_length()
