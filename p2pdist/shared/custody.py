"""Custody of a PC's install records: a Merkle log of what its installations came to, whose head it signs. Pure.

The log has the hashes of `p2pdist.shared.merkle_log`. A PC keeps its newest records and, of all before them, the hashes
of the complete subtrees: so what has left its disk is still covered by what it signs. Who has the records of a stretch
and that frontier proves each of them below a signed head by some ten hashes.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from p2pdist.shared.merkle import HASH_BYTES
from p2pdist.shared.merkle_log import (
    EMPTY_ROOT,
    MAX_LEAVES,
    MAX_LEVELS,
    Node,
    inclusion_proof,
    leaf_hash,
    node_hash,
    subtrees,
)
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import KeptState

MAX_HELD_RECORDS = 600  # on a PC: two months of 300 patches
MAX_CUSTODY_RECORD_BYTES = 1 << 10
ASIDE = "aside"
"""The outcome of a record of no patch: the journal had been put aside, and outcomes before this may be missing."""

TreeHash: TypeAlias = Annotated[bytes, msgspec.Meta(min_length=HASH_BYTES, max_length=HASH_BYTES)]
Size: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=MAX_LEAVES)]
EncodedRecord: TypeAlias = Annotated[bytes, msgspec.Meta(max_length=MAX_CUSTODY_RECORD_BYTES)]

CustodyFault: TypeAlias = Literal["malformed", "shorter", "other_records", "gap"]
"""malformed: the records do not give the signed root. shorter: the PC had signed more records before, as one that was
restored from an image. other_records: it had signed other ones. gap: records between are missing."""


class CustodyRecord(msgspec.Struct, frozen=True, array_like=True):
    """What a patch came to on this PC. A later release may append fields."""

    at: int
    """Seconds since 1970, by the PC's clock."""
    patch_id: str
    version: str
    number: int
    """Of the publication; 0: from before there were numbers."""
    decision: int
    outcome: str
    """The state that the patch came to; waiting: it was installed, and is no longer found; or `ASIDE`."""
    failure: str = ""
    installed_as: str = ""
    """The version that was there afterwards, by its package manager's word."""


class Custody(KeptState, frozen=True):
    """A stretch of a log: the ``records`` from number ``first`` on, and the ``frontier`` of all before them.

    The frontier has the hashes of the complete subtrees over those, the largest first.
    """

    first: Size = 0
    frontier: Annotated[tuple[TreeHash, ...], msgspec.Meta(max_length=MAX_LEVELS)] = ()
    records: Annotated[tuple[EncodedRecord, ...], msgspec.Meta(max_length=MAX_HELD_RECORDS)] = ()
    """As they are hashed: who reads one never encodes it again."""

    @property
    def size(self) -> int:
        """How many records the log has."""
        return self.first + len(self.records)

    @property
    def well_formed(self) -> bool:
        """Whether there can be such a stretch."""
        return len(self.frontier) == self.first.bit_count()

    def frontier_at(self, size: int) -> tuple[bytes, ...]:
        """Return the frontier of the first ``size`` records. Raises `ValueError` where the stretch does not tell."""
        if not self.first <= size <= self.size or not self.well_formed:
            raise ValueError(f"a stretch from {self.first} to {self.size} does not tell the state at {size}")
        return _advanced(self.first, self.frontier, self.records[: size - self.first])

    def root(self) -> bytes:
        """Return the root over all records. Raises `ValueError` for a stretch that cannot be."""
        return frontier_root(self.frontier_at(self.size))

    def with_record(self, record: CustodyRecord) -> "Custody":
        """Return the log with one record more; beyond `MAX_HELD_RECORDS`, the oldest live on in the frontier."""
        longer = (*self.records, codec.encode(record))
        leaving = max(0, len(longer) - MAX_HELD_RECORDS)
        return replace(
            self,
            first=self.first + leaving,
            frontier=_advanced(self.first, self.frontier, longer[:leaving]),
            records=longer[leaving:],
        )

    def since(self, size: int, most: int) -> "Custody":
        """Return at most ``most`` records of those after the first ``size``, or after those that are gone."""
        begin = min(max(size, self.first), self.size)
        at = begin - self.first
        return Custody(begin, self.frontier_at(begin), self.records[at : at + most])

    def proof(self, number: int) -> list[bytes]:
        """Return the proof that record ``number``, one of ``records``, is below `root`. Raises `ValueError`."""
        if number < self.first or not self.well_formed:
            raise ValueError(f"there is no record {number} here")
        known = dict(zip(subtrees(0, self.first), self.frontier, strict=True))
        known |= {Node(0, self.first + at): leaf_hash(record) for at, record in enumerate(self.records)}

        def hash_of(node: Node) -> bytes:
            if node not in known:
                level, place = node.level - 1, 2 * node.place
                known[node] = node_hash(hash_of(Node(level, place)), hash_of(Node(level, place + 1)))
            return known[node]

        return inclusion_proof(number, self.size, hash_of)


class CustodyHead(msgspec.Struct, frozen=True):
    """What a PC signs: how many records its log has, and the root over them."""

    format: Literal[1]
    purpose: Literal["custody"]
    endpoint_id: str
    at: int
    """When it was signed, by the PC's clock: seconds since 1970."""
    size: Size
    root: str
    """In hex."""


def frontier_root(frontier: tuple[bytes, ...]) -> bytes:
    """Return the root over the records of a frontier."""
    if not frontier:
        return EMPTY_ROOT
    *left, found = frontier
    for sibling in reversed(left):
        found = node_hash(sibling, found)
    return found


def custody_statement(endpoint_id: str, custody: Custody, at: float) -> dict[str, Any]:
    """Return what a PC signs of its log, for `sign_statement`."""
    root = custody.root().hex()
    return {
        "format": 1, "purpose": "custody", "endpoint_id": endpoint_id, "at": int(at), "size": custody.size,
        "root": root,
    }  # fmt: skip


def custody_fault(kept: Custody, told: Custody, head: CustodyHead) -> CustodyFault | None:
    """Return why the stretch ``told`` below ``head`` does not continue the log that is ``kept``; None: it does."""
    if not told.well_formed or (told.size, told.root().hex()) != (head.size, head.root):
        return "malformed"
    if told.size < kept.size:
        return "shorter"
    if told.first > kept.size:
        return "gap"
    begin = max(told.first, kept.first)
    if told.frontier_at(begin) != kept.frontier_at(begin):
        return "other_records"
    return None if told.frontier_at(kept.size) == kept.frontier_at(kept.size) else "other_records"


def _advanced(size: int, frontier: tuple[bytes, ...], records: Iterable[bytes]) -> tuple[bytes, ...]:
    hashes = list(frontier)
    for number, record in enumerate(records, size):
        found, at = leaf_hash(record), number
        while at & 1:
            found, at = node_hash(hashes.pop(), found), at >> 1
        hashes.append(found)
    return tuple(hashes)
