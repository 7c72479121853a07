"""What PCs are told of rollouts, as it follows from the server's state: derived, never kept by itself. Pure.

A patch that was taken back stays taken back: what follows from a state that is older than that is not announced again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.complete import CompleteRollouts, complete_parts
from p2pdist.shared.manifest.documents import (
    MAX_REASON_CHARS,
    MAX_ROLLOUT_ENTRIES,
    RolloutEntry,
    Rollouts,
    Withdrawal,
)
from p2pdist.shared.manifest.rollout_plan import RolloutPlan, check_plan
from p2pdist.shared.manifest.staged import (
    MAX_HOLDS,
    MAX_STAGED,
    Hold,
    StagedEntry,
    StagedRollouts,
    decode_staged,
    encode_staged,
)
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError
from seed_server.fleet.approvals_in_force import NOBODY_IN_FORCE, ApproversInForce
from seed_server.fleet.rollout import STOPPED_STATES, Approved, RolloutProgress, RolloutState
from seed_server.fleet.rollout_words import why_sentence
from seed_server.store.rollout_records import OVER_STATES, ApprovalRow, ExceptionRow, RolloutRow

MAX_SEQUENCE = (1 << 53) - 1
MAX_SECONDS = 1 << 40  # as PCs take a moment
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
        """Decode a row, and check it. Raises `DecodeError`."""
        kept = cls(
            row,
            codec.decode(row.plan, RolloutPlan, max_bytes=MAX_KEPT_BYTES),
            codec.decode(row.progress, RolloutProgress, max_bytes=MAX_KEPT_BYTES),
            tuple(approvals),
        )
        check_plan(kept.plan)
        rings = len(kept.plan.rings)
        if kept.plan.ref != row.ref or kept.progress.state != row.state:
            raise DecodeError("its parts contradict each other")
        if not 1 <= row.sequence <= MAX_SEQUENCE or len(kept.progress.opened_at) > rings:
            raise DecodeError("it has more open rings than it has rings, or its place among the others is wrong")
        if not all(0 <= at < MAX_SECONDS for at in (*kept.progress.opened_at, row.changed_at)):
            raise DecodeError("a moment is outside of all times")
        if not all(1 <= one.rings <= rings and 0 <= one.at < MAX_SECONDS for one in kept.approvals):
            raise DecodeError("an approval is for rings that it has not, or outside of all times")
        return kept

    @property
    def live(self) -> bool:
        """Whether PCs of its open rings may begin."""
        return self.progress.state not in STOPPED_STATES and self.progress.state is not RolloutState.COMPLETE

    def approved(self, in_force: ApproversInForce, *, by_pcs: int = 0) -> Approved:
        """Return what people have said who count now; PCs want ``by_pcs`` signed approvals for every ring."""
        return in_force.approved(self.plan, self.approvals, self.row.required, by_pcs=by_pcs)


@dataclass(frozen=True)
class BrokenRollout:
    """A rollout whose record cannot be read."""

    row: RolloutRow
    words: str
    """Why not."""

    @property
    def over(self) -> bool:
        """Whether nothing happens to it any more."""
        return self.row.state in OVER_STATES

    @property
    def withdrawal(self) -> Withdrawal:
        """What PCs are told, which begin no more."""
        ref = self.row.ref
        sequence = min(max(1, self.row.sequence), MAX_SEQUENCE)
        return Withdrawal(ref.patch_id, ref.version, sequence, "its record at the server cannot be read", 0)


@dataclass(frozen=True)
class DerivedDocuments:
    """Both documents, as they are to be."""

    staged: StagedRollouts
    rollouts: Rollouts
    complete: Mapping[str, CompleteRollouts]
    """Where PCs ask for approvals: those of what is complete, in parts."""


def announcement(
    staged: StagedRollouts,
    rollouts: Rollouts,
    kept: Sequence[KeptRollout],
    exceptions: Iterable[ExceptionRow],
    now: float,
    in_force: ApproversInForce = NOBODY_IN_FORCE,
    *,
    broken: Iterable[BrokenRollout] = (),
) -> DerivedDocuments:
    """Return what is to be announced; ``staged`` and ``rollouts`` are in force now, the oldest of ``kept`` comes first.

    ``kept``: what is not over, and what was open or is offered to every PC. Of those that are ``broken`` nobody can
    tell whether PCs may go on with them: none begins.
    """
    open_now = {entry.ref: entry for entry in staged.entries}
    gone = {one.ref: one for one in staged.stopped}
    entries: dict[PatchRef, StagedEntry] = {}
    stopped = dict(gone)
    for damaged in broken:
        if damaged.row.ref in open_now and not damaged.over:
            stopped[damaged.row.ref] = damaged.withdrawal
    newest = {one.plan.ref: one for one in kept}  # what an older rollout of the same patch came to is past
    for ref, one in newest.items():
        if one.live and not taken_back(one, staged, rollouts):
            entries[ref] = _entry(one, in_force)
            stopped.pop(ref, None)
            rollouts = _offered_by_rings_alone(rollouts, one)
        elif one.progress.state in STOPPED_STATES and ref in open_now:
            entries.pop(ref, None)
            if all(entry.ref != ref for entry in rollouts.entries):  # another publication of it may be there by now
                stopped[ref] = _stopped(one)
        elif one.progress.state is RolloutState.ABORTED and ref in gone and gone[ref].at <= one.progress.why.since:
            stopped[ref] = _stopped(one)  # it was halted before; why it does not go on is said now
        elif one.progress.state is RolloutState.COMPLETE and ref in open_now:
            to_all = _offered_to_all(rollouts, one)
            if to_all is None:  # there is no room for more: it goes on by its rings, all of which are open
                entries[ref] = _entry(one, in_force)
            else:
                rollouts = to_all
    live = {ref for ref, one in newest.items() if one.live}
    ordered = sorted(entries.values(), key=lambda entry: (entry.ref in live, entry.sequence))[-MAX_STAGED:]
    after = replace(
        staged,
        entries=tuple(sorted(ordered, key=lambda entry: entry.sequence)),
        stopped=tuple(sorted(stopped.values(), key=lambda one: one.at))[-MAX_STAGED:],
        holds=_holds(exceptions, now, staged),
    )
    offered = (newest[entry.ref] for entry in rollouts.entries if entry.ref in newest and entry.ref not in entries)
    done = [_entry(one, in_force) for one in offered if one.progress.state is RolloutState.COMPLETE]
    complete = {} if in_force.approvers is None else complete_parts(done)
    return DerivedDocuments(after, rollouts, complete)


def taken_back(kept: KeptRollout, staged: StagedRollouts, rollouts: Rollouts) -> Withdrawal | None:
    """Return the withdrawal of a rollout's patch that came after what its state says; None: there is none."""
    for one in (*staged.stopped, *rollouts.withdrawn):
        if one.ref == kept.plan.ref and one.at > kept.row.changed_at:
            return one
    return None


def _holds(exceptions: Iterable[ExceptionRow], now: float, staged: StagedRollouts) -> tuple[Hold, ...]:
    """Return the exceptions that hold PCs back now, the newest ones where there are too many.

    One that cannot be read stays as PCs know it.
    """
    known = {hold.number: hold for hold in staged.holds}
    holding = (hold_of(one) or known.get(one.number) for one in exceptions if one.holds(now))
    return tuple(hold for hold in holding if hold is not None)[-MAX_HOLDS:]


def hold_of(one: ExceptionRow) -> Hold | None:
    """Return what PCs are told of an exception; None: it cannot be read."""
    hold = Hold(
        number=one.number,
        patch=one.patch,
        who=one.expression,
        reason=one.reason,
        owner=one.owner,
        until=int(one.ends_at),
    )
    try:
        decode_staged(encode_staged(StagedRollouts(format=1, holds=(hold,))))
    except DecodeError:
        return None
    return hold


def _entry(kept: KeptRollout, in_force: ApproversInForce) -> StagedEntry:
    return StagedEntry(
        sequence=kept.row.sequence,
        plan=kept.plan,
        opened_at=kept.progress.opened_at,
        approvals=in_force.signed(kept.plan, kept.approvals),
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


def _offered_to_all(rollouts: Rollouts, kept: KeptRollout) -> Rollouts | None:
    """Return the rollouts that offer a complete one to every PC; None: there is no room.

    They are unchanged where something newer of its id is there.
    """
    ref, sequence = kept.plan.ref, kept.row.sequence
    of_id = [entry for entry in rollouts.entries if entry.patch_id == ref.patch_id]
    if any(entry.sequence >= sequence or entry.ref == ref for entry in of_id):
        return rollouts
    entry = RolloutEntry(patch_id=ref.patch_id, version=ref.version, sequence=sequence)
    others = [one for one in rollouts.entries if one.patch_id != ref.patch_id]
    if len(others) >= MAX_ROLLOUT_ENTRIES:
        return None
    return replace(
        rollouts,
        entries=sorted([*others, entry], key=lambda one: one.sequence),
        withdrawn=tuple(one for one in rollouts.withdrawn if one.patch_id != ref.patch_id),
    )
