"""Complete rollouts whose approvals PCs still ask for: they are offered to every PC, and stand beside the staged ones.

In parts by the hash of the patch id, so that what becomes complete costs a PC one small part. Pure.
"""

import hashlib
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from p2pdist.shared.manifest.staged import MAX_STAGED, MAX_STAGED_BYTES, StagedEntry, check_entries
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import Document

COMPLETE_PARTS = 128  # of some 25 kB each where 2,000 patches, as many as can be, were offered by rings
COMPLETE_TARGETS = tuple(f"rollouts/complete-{number:02x}" for number in range(COMPLETE_PARTS))
MAX_COMPLETE_BYTES = MAX_STAGED_BYTES  # of one part


class CompleteRollouts(Document, frozen=True):
    """The complete rollouts of one part, each with its plan and all its approvals. Signed as `StagedRollouts`."""

    format: Literal[1]
    entries: Annotated[tuple[StagedEntry, ...], msgspec.Meta(max_length=MAX_STAGED)] = ()


def complete_target(patch_id: str) -> str:
    """Return the target path of the part that has the complete rollout of ``patch_id``."""
    return COMPLETE_TARGETS[hashlib.sha256(patch_id.encode()).digest()[0] % COMPLETE_PARTS]


def complete_parts(entries: Iterable[StagedEntry]) -> dict[str, CompleteRollouts]:
    """Return the parts that have ``entries``, by their target paths; none that is empty."""
    parts: dict[str, list[StagedEntry]] = {}
    for entry in entries:
        parts.setdefault(complete_target(entry.ref.patch_id), []).append(entry)
    return {
        target: CompleteRollouts(format=1, entries=tuple(sorted(found, key=lambda entry: entry.sequence)))
        for target, found in parts.items()
    }


def encode_complete(complete: CompleteRollouts) -> bytes:
    """Return a part as a TUF target's bytes."""
    return codec.encode(complete)


def decode_complete(data: bytes) -> CompleteRollouts:
    """Return a checked part. Raises `DecodeError`."""
    complete: CompleteRollouts = codec.decode(data, CompleteRollouts, max_bytes=MAX_COMPLETE_BYTES)
    check_entries(complete.entries)
    return complete
