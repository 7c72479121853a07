"""What PCs are told of rollouts, as it follows from the server's state: derived, never kept by itself. Pure.

A patch that was taken back stays taken back: what follows from a state that is older than that is not announced again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import MAX_REASON_CHARS, RolloutEntry, Rollouts, Withdrawal
from p2pdist.shared.manifest.rollout_plan import RolloutPlan
from p2pdist.shared.manifest.staged import (
    MAX_APPROVALS,
    MAX_HOLDS,
    MAX_STAGED,
    Approval,
    Hold,
    StagedEntry,
    StagedRollouts,
)
from p2pdist.shared.wire import codec
from seed_server.fleet.rollout import STOPPED_STATES, Approved, RolloutProgress, RolloutState
from seed_server.fleet.rollout_words import why_sentence
from seed_server.store.rollout_records import ApprovalRow, ExceptionRow, RolloutRow

MAX_KEPT_BYTES = 256 << 10  # of a plan or a progress: ten rings with long expressions


@dataclass(frozen=True)
class KeptRollout:
    """A rollout as the database has it, decoded."""

    row: RolloutRow
    plan: RolloutPlan
    progress: RolloutProgress
    approvals: tuple[ApprovalRow, ...] = ()

    @classmethod
    def of(cls, row: RolloutRow, approvals: Iterable[ApprovalRow] = ()) -> "KeptRollout":
        """Decode a row."""
        return cls(
            row,
            codec.decode(row.plan, RolloutPlan, max_bytes=MAX_KEPT_BYTES),
            codec.decode(row.progress, RolloutProgress, max_bytes=MAX_KEPT_BYTES),
            tuple(approvals),
        )

    @property
    def live(self) -> bool:
        """Whether PCs of its open rings may begin."""
        return self.progress.state not in STOPPED_STATES and self.progress.state is not RolloutState.COMPLETE

    def approved(self, *, by_pcs: int = 0) -> Approved:
        """Return what people have said; PCs themselves want ``by_pcs`` signed approvals for every ring."""
        signed = [row.rings for row in self.approvals if row.signature]
        if by_pcs > 0:
            return Approved(tuple(signed), max(by_pcs, self.row.required), every_ring=True)
        return Approved(tuple(row.rings for row in self.approvals), self.row.required)


@dataclass(frozen=True)
class DerivedDocuments:
    """Both documents, as they are to be."""

    staged: StagedRollouts
    rollouts: Rollouts


def announcement(
    staged: StagedRollouts,
    rollouts: Rollouts,
    kept: Sequence[KeptRollout],
    exceptions: Iterable[ExceptionRow],
    now: float,
    *,
    stays: bool = False,
) -> DerivedDocuments:
    """Return what is to be announced; ``staged`` and ``rollouts`` are in force now, the oldest of ``kept`` comes first.

    ``stays``: what is complete stays there too, as PCs ask for its approvals.
    """
    open_now = {entry.ref: entry for entry in staged.entries}
    gone = {one.ref: one for one in staged.stopped}
    entries: dict[PatchRef, StagedEntry] = {}
    stopped = dict(gone)
    newest = {one.plan.ref: one for one in kept}  # what an older rollout of the same patch came to is past
    for ref, one in newest.items():
        if one.live and not taken_back(one, staged, rollouts):
            entries[ref] = _entry(one)
            stopped.pop(ref, None)
            rollouts = _offered_by_rings_alone(rollouts, one)
        elif one.progress.state in STOPPED_STATES and ref in open_now:
            entries.pop(ref, None)
            if all(entry.ref != ref for entry in rollouts.entries):  # another publication of it may be there by now
                stopped[ref] = _stopped(one)
        elif one.progress.state is RolloutState.COMPLETE and ref in open_now:
            rollouts = _offered_to_all(rollouts, one)
            if stays and any(entry.ref == ref for entry in rollouts.entries):
                entries[ref] = _entry(one)
    live = {ref for ref, one in newest.items() if one.live}
    ordered = sorted(entries.values(), key=lambda entry: (entry.ref in live, entry.sequence))[-MAX_STAGED:]
    after = replace(
        staged,
        entries=tuple(sorted(ordered, key=lambda entry: entry.sequence)),
        stopped=tuple(sorted(stopped.values(), key=lambda one: one.at))[-MAX_STAGED:],
        holds=holds_of(exceptions, now),
    )
    return DerivedDocuments(after, rollouts)


def taken_back(kept: KeptRollout, staged: StagedRollouts, rollouts: Rollouts) -> Withdrawal | None:
    """Return the withdrawal of a rollout's patch that came after what its state says; None: there is none."""
    for one in (*staged.stopped, *rollouts.withdrawn):
        if one.ref == kept.plan.ref and one.at > kept.row.changed_at:
            return one
    return None


def holds_of(exceptions: Iterable[ExceptionRow], now: float) -> tuple[Hold, ...]:
    """Return the exceptions that hold PCs back now, the newest ones where there are too many."""
    holding = [one for one in exceptions if one.holds(now)]
    return tuple(
        Hold(
            number=one.number,
            patch=one.patch,
            who=one.expression,
            reason=one.reason,
            owner=one.owner,
            until=int(one.ends_at),
        )
        for one in holding[-MAX_HOLDS:]
    )


def signed_approvals(approvals: Iterable[ApprovalRow]) -> tuple[Approval, ...]:
    """Return those that PCs can verify; of too many, those for most rings."""
    found = [
        Approval(approver=row.approver, rings=row.rings, at=int(row.at), signature=row.signature)
        for row in approvals
        if row.signature
    ]
    return tuple(sorted(found, key=lambda one: one.rings)[-MAX_APPROVALS:])


def entries_by_ref(staged: StagedRollouts) -> Mapping[PatchRef, StagedEntry]:
    """Return the rollouts by rings, by their patches."""
    return {entry.ref: entry for entry in staged.entries}


def _entry(kept: KeptRollout) -> StagedEntry:
    return StagedEntry(
        sequence=kept.row.sequence,
        plan=kept.plan,
        opened_at=kept.progress.opened_at,
        approvals=signed_approvals(kept.approvals),
    )


def _stopped(kept: KeptRollout) -> Withdrawal:
    ref, why = kept.plan.ref, kept.progress.why
    reason = " ".join((why.words or why_sentence(why)).split())
    return Withdrawal(
        patch_id=ref.patch_id,
        version=ref.version,
        sequence=kept.row.sequence,
        reason=reason[:MAX_REASON_CHARS],
        at=int(why.since),
    )


def _offered_by_rings_alone(rollouts: Rollouts, kept: KeptRollout) -> Rollouts:
    """Return the rollouts that offer a live one's patch to nobody else, and say no more that it was withdrawn before.

    PCs of release 0.2.0 know no rings, and would take it at once.
    """
    ref, before = kept.plan.ref, kept.row.sequence
    return replace(
        rollouts,
        entries=[one for one in rollouts.entries if one.ref != ref or one.sequence > before],
        withdrawn=tuple(one for one in rollouts.withdrawn if one.ref != ref or one.sequence > before),
    )


def _offered_to_all(rollouts: Rollouts, kept: KeptRollout) -> Rollouts:
    """Return the rollouts that offer a complete one to every PC; unchanged where something newer of its id is there."""
    ref, sequence = kept.plan.ref, kept.row.sequence
    of_id = [entry for entry in rollouts.entries if entry.patch_id == ref.patch_id]
    if any(entry.sequence >= sequence or entry.ref == ref for entry in of_id):
        return rollouts
    entry = RolloutEntry(patch_id=ref.patch_id, version=ref.version, sequence=sequence)
    others = [one for one in rollouts.entries if one.patch_id != ref.patch_id]
    return replace(
        rollouts,
        entries=sorted([*others, entry], key=lambda one: one.sequence),
        withdrawn=tuple(one for one in rollouts.withdrawn if one.patch_id != ref.patch_id),
    )
