"""What the rollouts by rings become when one is taken back, and what may be signed of them. Pure."""

from collections.abc import Collection
from typing import TypeAlias

from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.complete import CompleteRollouts, decode_complete, encode_complete
from p2pdist.shared.manifest.documents import Rollouts, Withdrawal
from p2pdist.shared.manifest.staged import MAX_STAGED, StagedEntry, StagedRollouts, decode_staged, encode_staged
from p2pdist.shared.wire.codec import DecodeError

Refs: TypeAlias = Collection[PatchRef]


def checked(staged: StagedRollouts) -> bytes:
    """Return the document as PCs take it. Raises `UserError` (REFUSED) for one that they would not."""
    encoded = encode_staged(staged)
    refs = [entry.ref for entry in staged.entries]
    problem = "a patch is in it twice" if len(set(refs)) < len(refs) else ""
    if not set(refs).isdisjoint(one.ref for one in staged.stopped):
        problem = "a patch is open and stopped at the same time"
    try:
        decode_staged(encoded)
    except DecodeError as error:
        problem = str(error)
    if problem:
        raise _not_accepted(problem)
    return encoded


def checked_complete(part: CompleteRollouts) -> bytes:
    """Return a part of the complete rollouts as PCs take it. Raises as `checked`."""
    encoded = encode_complete(part)
    try:
        decode_complete(encoded)
    except DecodeError as error:
        raise _not_accepted(str(error)) from error
    return encoded


def _not_accepted(problem: str) -> UserError:
    return UserError(
        f"PCs would not accept these rollouts ({problem}); nothing was announced. Finish or abort rollouts that have "
        "stood for long, and shorten reasons.",
        FaultKind.REFUSED,
    )


def without_staged(
    staged: StagedRollouts, named: PatchRef, reason: str, now: float, halted: Refs = ()
) -> StagedRollouts:
    """Return the rollouts by rings with ``named`` (no version: any) stopped; unchanged where they do not offer it.

    What was ``halted`` before is stopped for ``reason`` from now on.
    """
    gone: list[StagedEntry | Withdrawal] = [entry for entry in staged.entries if entry.ref.is_named(named)]
    gone += [one for one in staged.stopped if one.ref in halted]
    if not gone:
        return staged
    fresh = tuple(
        Withdrawal(
            patch_id=entry.ref.patch_id,
            version=entry.ref.version,
            sequence=entry.sequence,
            reason=reason,
            at=int(now),
        )
        for entry in gone
    )
    refs = {entry.ref for entry in gone}
    known = tuple(one for one in staged.stopped if one.ref not in refs)
    return replace(
        staged,
        entries=tuple(entry for entry in staged.entries if entry.ref not in refs),
        stopped=(*known, *fresh)[-MAX_STAGED:],
    )


def without_stopped(staged: StagedRollouts, refs: Refs) -> StagedRollouts:
    """Return the rollouts by rings that say no more that ``refs`` are stopped; unchanged where they do not."""
    left = tuple(one for one in staged.stopped if one.ref not in refs)
    return staged if len(left) == len(staged.stopped) else replace(staged, stopped=left)


def left_out(of: Rollouts | StagedRollouts, without: Rollouts | StagedRollouts) -> tuple[PatchRef, ...]:
    """Return what the first one offers and the second one does not."""
    left = {entry.ref for entry in without.entries}
    return tuple(entry.ref for entry in of.entries if entry.ref not in left)
