"""The Merkle tree of an append-only log, and its proofs, by RFC 9162 (section 2.1; RFC 6962 has the same hashes). Pure.

The writer keeps the hashes of complete subtrees: a `Node` (level, place) stands for the leaves from
``place << level`` on, ``1 << level`` of them. Everything else follows from some twenty of these.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from p2pdist.shared.merkle import HASH_BYTES

MAX_LEVELS = 40  # of a tree: 10^12 leaves
MAX_LEAVES = 1 << MAX_LEVELS
MAX_PROOF_HASHES = 2 * MAX_LEVELS
EMPTY_ROOT = hashlib.sha256(b"").digest()

_LEAF_PREFIX, _NODE_PREFIX = b"\0", b"\1"  # no leaf can pass for a node


class Node(NamedTuple):
    """A complete subtree."""

    level: int
    place: int


HashOf: TypeAlias = Callable[[Node], bytes]
"""Gives the hash of a complete subtree; of level 0 a leaf's."""


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry."""
    return hashlib.sha256(_LEAF_PREFIX + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of the tree over two others."""
    return hashlib.sha256(_NODE_PREFIX + left + right).digest()


# --- the writer's side -------------------------------------------------------------------


def completed(number: int, leaf: bytes, hash_of: HashOf) -> Iterator[tuple[Node, bytes]]:
    """Yield the subtrees above the leaves that leaf ``number`` completes; a new one on average."""
    level, found = 0, leaf
    while number >> level & 1:
        found = node_hash(hash_of(Node(level, (number >> level) - 1)), found)
        level += 1
        yield Node(level, number >> level), found


def subtrees(start: int, end: int) -> list[Node]:
    """Return the complete subtrees of the leaves from ``start`` to before ``end``, the largest first.

    ``start`` is a multiple of the size of the largest: as in every subtree of a proof.
    """
    nodes: list[Node] = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append(Node(level, start >> level))
        start += 1 << level
    return nodes


def log_root(size: int, hash_of: HashOf) -> bytes:
    """Return the root of the first ``size`` leaves."""
    return _root(0, size, hash_of) if size else EMPTY_ROOT


def _root(start: int, end: int, hash_of: HashOf) -> bytes:
    *left, found = [hash_of(node) for node in subtrees(start, end)]
    for sibling in reversed(left):
        found = node_hash(sibling, found)
    return found


def inclusion_proof(number: int, size: int, hash_of: HashOf) -> list[bytes]:
    """Return the proof that leaf ``number`` is among the first ``size``. Raises `ValueError` where it is not."""
    if not 0 <= number < size:
        raise ValueError(f"a log of {size} entries has none with the number {number}")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = _split(start, end)
        if number < middle:
            proof.append(_root(middle, end, hash_of))
            end = middle
        else:
            proof.append(_root(start, middle, hash_of))
            start = middle
    return proof[::-1]


def consistency_proof(first: int, size: int, hash_of: HashOf) -> list[bytes]:
    """Return the proof that the first ``first`` of ``size`` leaves are what they were.

    Empty for none and for all. Raises `ValueError` for more than there are.
    """
    if not 0 <= first <= size:
        raise ValueError(f"a log of {size} entries never had {first}")
    proof: list[bytes] = []
    start, end = 0, size
    while 0 < first < end:
        middle = _split(start, end)
        if first <= middle:
            proof.append(_root(middle, end, hash_of))
            end = middle
        else:
            proof.append(_root(start, middle, hash_of))
            start = middle
    if start:  # else it is the root that is known
        proof.append(_root(start, end, hash_of))
    return proof[::-1]


def _split(start: int, end: int) -> int:
    return start + (1 << (end - start - 1).bit_length() - 1)


# --- the reader's side -------------------------------------------------------------------


def proves_inclusion(leaf: bytes, number: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether ``proof`` shows that ``leaf`` is number ``number`` of the ``size`` leaves below ``root``."""
    if not 0 <= number < size <= MAX_LEAVES or not _well_formed(proof):
        return False
    at, last, found = number, size - 1, leaf
    for sibling in proof:
        if not last:
            return False
        if at & 1 or at == last:
            found = node_hash(sibling, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        at, last = at >> 1, last >> 1
    return not last and found == root


def proves_consistency(first: int, first_root: bytes, second: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether ``proof`` shows that the log of ``second`` leaves below ``root`` begins with that of ``first``."""
    if not 0 <= first <= second <= MAX_LEAVES or not _well_formed(proof):
        return False
    if first in {0, second}:
        return not proof and first_root == (EMPTY_ROOT if not first else root)
    hashes = [first_root, *proof] if not first & (first - 1) else list(proof)
    if not hashes:
        return False
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = hashes[0]
    for sibling in hashes[1:]:
        if not last:
            return False
        if at & 1 or at == last:
            before, after = node_hash(sibling, before), node_hash(sibling, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = node_hash(after, sibling)
        at, last = at >> 1, last >> 1
    return not last and before == first_root and after == root


def _well_formed(proof: Sequence[bytes]) -> bool:
    return len(proof) <= MAX_PROOF_HASHES and all(len(one) == HASH_BYTES for one in proof)
