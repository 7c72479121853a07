"""What people do to rollouts. As `operations`: each either does all of it, or raises `UserError`.

The state changes first, with its entry in the audit log, then what PCs are told is derived from it and signed. Where
that fails, a running server signs it at its next look. Blocking.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.documents import MAX_ROLLOUT_ENTRIES, Manifest, Rollouts
from p2pdist.shared.manifest.expression import parse_expression
from p2pdist.shared.manifest.rollout_plan import SALT_BYTES, RolloutPlan
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError
from seed_server.fleet.actor import Actor
from seed_server.fleet.approvals_in_force import plan_reach
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation, require
from seed_server.fleet.ring_templates import RingTemplate
from seed_server.fleet.roles import reach_of
from seed_server.fleet.rollout import (
    RolloutProgress,
    RolloutReason,
    RolloutState,
    RolloutStep,
    new_rollout,
    resumed,
    stopped,
)
from seed_server.fleet.rollout_announcing import (
    announce,
    announce_from,
    approvals_wanted,
    check_announceable,
    kept_rollouts,
    manifest_sha256,
)
from seed_server.fleet.rollout_counting import counted, known_pcs, ring_sizes
from seed_server.fleet.rollout_documents import BrokenRollout, KeptRollout
from seed_server.fleet.rollout_words import why_sentence
from seed_server.signing.offers import checked_reason, next_sequence, parse_named
from seed_server.signing.repository import Repository
from seed_server.store.rollout_records import RolloutRow, packed

if TYPE_CHECKING:
    from seed_server.store.database import Database

MAX_LIVE_ROLLOUTS = 500  # of the 600 that PCs accept

log = lazy_log()


@dataclass(frozen=True)
class StartedRollout:
    """A new rollout."""

    rollout: KeptRollout
    ring_sizes: tuple[int, ...]
    """How many PCs each ring has now."""
    by_signature: bool = False
    """Whether PCs want approvals that are signed with keys of their own, for every ring."""

    @property
    def first_approved_ring(self) -> int | None:
        """The place of the first ring that needs approvals; None: none does."""
        if not self.rollout.row.required:
            return None
        rings = self.rollout.plan.rings
        return next((place for place, ring in enumerate(rings) if self.by_signature or ring.approval), None)


@operation("roll-out", reach=None)
def start_rollout(
    context: Context, actor: Actor, patch: str, template: RingTemplate, *, note: str = ""
) -> StartedRollout:
    """Begin to offer ``patch`` (ID or ID@VERSION) by the rings of ``template``; ``note`` says why.

    Writes database and repository. Raises `UserError`: BAD_INPUT for an unknown patch, a template without rings and a
    note that is missing; REFUSED where a rollout of it is under way, or there are too many; NOT_SET_UP, STORAGE, BUSY.
    """
    now = context.clock.now()
    reason = checked_reason(note) if note else ""
    repository = context.repository(context.settling())
    manifest = _published(repository, parse_named(patch))
    _check_template(template, manifest, reason)
    for ring in template.rings:
        require(context, actor, "roll-out", reach_of(parse_expression(ring.who) if ring.who else None))
    plan = template.plan(manifest.ref, manifest.number, manifest_sha256(manifest), secrets.token_bytes(SALT_BYTES))
    by_pcs = approvals_wanted(repository, manifest)
    required = template.required_approvals(by_pcs)
    progress = new_rollout(now)
    with repository.locked():
        deed = Deed("start rollout", str(manifest.ref), reason=reason, details={"template": template.name}, after=plan)
        with context.audited(actor, deed) as database:
            number = database.patch_number(manifest.ref)
            if number is None:
                raise _unknown(patch)
            _check_room(database, manifest, repository.current_rollouts())
            row = RolloutRow(
                number=0,
                patch=number,
                patch_id=manifest.patch_id,
                version=manifest.version,
                template=template.name,
                author=actor.who,
                note=reason,
                state=progress.state,
                required=required,
                sequence=_next_sequence(repository, database),
                created_at=now,
                changed_at=max([now, *_taken_back_at(repository, manifest.ref)]),
                plan=codec.encode(plan),
                progress=codec.encode(progress),
            )
            made = database.add_rollout(row)
            deed.details["rollout"] = str(made)
            check_announceable(repository, database, now)
            sizes = tuple(ring_sizes(known_pcs(database), plan))
        log.info("rollout started", rollout=made, patch=str(manifest.ref), template=template.name)
        announce_from(context, repository)
    return StartedRollout(KeptRollout.of(replace(row, number=made)), sizes, by_signature=by_pcs > 0)


@operation("stop")
def pause_rollout(context: Context, actor: Actor, number: int, reason: str) -> KeptRollout:
    """Open no further ring of a rollout; those that are open go on.

    Writes database and repository. Raises `UserError`: BAD_INPUT for an unknown one, REFUSED where its state does not
    allow it; NOT_SET_UP, STORAGE, BUSY. So do the next three.
    """
    return _stop(context, actor, number, reason, RolloutStep.PAUSED, RolloutReason.PAUSED)


@operation("stop")
def halt_rollout(context: Context, actor: Actor, number: int, reason: str) -> KeptRollout:
    """Let no PC begin any more; `resume_rollout` takes it back."""
    return _stop(context, actor, number, reason, RolloutStep.HALTED, RolloutReason.HALTED)


@operation("stop")
def abort_rollout(context: Context, actor: Actor, number: int, reason: str) -> KeptRollout:
    """End a rollout: no PC begins any more, and it is not resumed. Where the patch is installed, it stays.

    One whose record cannot be read ends too.
    """
    with context.database() as database:
        if (row := database.rollout(number)) is not None and _cannot_be_read(database, row):
            return _end_broken(context, actor, row, checked_reason(reason))
    return _stop(context, actor, number, reason, RolloutStep.ABORTED, RolloutReason.ABORTED)


@operation("roll-out", reach=None)
def resume_rollout(context: Context, actor: Actor, number: int, reason: str = "") -> KeptRollout:
    """Go on with a rollout that is paused, halted or waits for a word: failures so far do not halt it again."""
    words = checked_reason(reason) if reason else ""
    now = context.clock.now()
    repository = context.repository()
    recalled = [one.plan for one in repository.recalls().recalls if one.plan is not None]
    manifests = {manifest.ref: manifest for manifest in repository.readable_manifests()[0]}

    def resume(kept: KeptRollout, database: "Database") -> tuple[RolloutProgress, bytes | None]:
        require(context, actor, "roll-out", plan_reach(kept.plan))
        if kept.plan in recalled:
            raise UserError(
                f"PCs of some rings of rollout {number} go back, as the offline key says, and none of them installs "
                f"{kept.plan.ref} again. Publish it again, or a newer version.",
                FaultKind.REFUSED,
            )
        closed = kept.progress.why.reason is RolloutReason.RING_WITHDRAWN
        if kept.progress.state is not RolloutState.HALTED and not closed:
            return resumed(kept.progress, now, words), None
        pcs = known_pcs(database)
        one = counted(database, pcs, kept, database.exceptions(), now, manifests.get(kept.plan.ref))
        failed = {*one.failed_numbers(pcs), *kept.row.acknowledged_pcs}
        return resumed(kept.progress, now, words), packed(failed)

    return _change(context, actor, number, Deed("resume rollout", str(number), reason=words), resume)


# --- what they share ---------------------------------------------------------------------

_Change = Callable[[KeptRollout, "Database"], tuple[RolloutProgress, bytes | None]]


@operation("withdraw")
def abort_withdrawn(context: Context, actor: Actor, named: PatchRef, reason: str) -> list[int]:
    """Abort the rollouts of a patch that is being withdrawn; return their numbers. What PCs are told stays.

    Writes the database. Raises `UserError`: NOT_SET_UP, STORAGE, BUSY.
    """
    numbers = []
    with context.database() as database:
        live = [one for one in kept_rollouts(database, live=True) if one.plan.ref.is_named(named)]
    for one in live:
        deed = Deed("abort rollout", str(one.row.number), reason=reason)
        with context.audited(actor, deed) as database:
            now = context.clock.now()
            kept = known_rollout(database, one.row.number)
            after = stopped(kept.progress, RolloutStep.ABORTED, RolloutReason.WITHDRAWN, now, reason)
            save_progress(database, kept, after, now, deed)
        numbers.append(one.row.number)
    return numbers


def _cannot_be_read(database: "Database", row: RolloutRow) -> bool:
    try:
        KeptRollout.of(row, database.approvals(row.number))
    except DecodeError:
        return True
    return False


def _end_broken(context: Context, actor: Actor, row: RolloutRow, reason: str) -> KeptRollout:
    """Record that a rollout is over which cannot be read; what its plan was is of no matter any more."""
    repository, now = context.repository(context.settling()), context.clock.now()
    deed = Deed("abort rollout", str(row.number), reason=reason, details={"patch": str(row.ref), "state": "aborted"})
    after = stopped(new_rollout(now), RolloutStep.ABORTED, RolloutReason.ABORTED, now, reason)
    with context.audited(actor, deed) as database:
        deed.before, deed.after = row.progress, after
        database.change_rollout(row.number, state=after.state, progress=codec.encode(after), now=now)
    log.info("rollout changed", rollout=row.number, state=after.state.value)
    announce_from(context, repository)
    unknown = RolloutPlan(
        format=1, patch_id=row.patch_id, version=row.version, number=1, manifest_sha256="", salt=b"", rings=(),
        silent_after_seconds=0,
    )  # fmt: skip
    return KeptRollout(replace(row, state=after.state), unknown, after)


def _stop(
    context: Context, actor: Actor, number: int, reason: str, step: RolloutStep, why: RolloutReason
) -> KeptRollout:
    words, now = checked_reason(reason), context.clock.now()
    verb = {RolloutStep.PAUSED: "pause", RolloutStep.HALTED: "halt", RolloutStep.ABORTED: "abort"}[step]
    return _change(
        context,
        actor,
        number,
        Deed(f"{verb} rollout", str(number), reason=words),
        lambda kept, _: (stopped(kept.progress, step, why, now, words), None),
    )


def _change(context: Context, actor: Actor, number: int, deed: Deed, change: _Change) -> KeptRollout:
    repository = context.repository(context.settling())
    with context.audited(actor, deed) as database:
        kept = known_rollout(database, number)
        try:
            after, acknowledged = change(kept, database)
        except ValueError as error:
            raise UserError(
                f"Rollout {number} is {kept.progress.state.value}, so this cannot be done. "
                f"{why_sentence(kept.progress.why)}",
                FaultKind.REFUSED,
            ) from error
        save_progress(database, kept, after, context.clock.now(), deed, acknowledged)
        if after.state is RolloutState.RUNNING:
            check_announceable(repository, database, context.clock.now())
    log.info("rollout changed", rollout=number, state=after.state.value)
    return announced(context, repository, number)


def save_progress(
    database: "Database",
    kept: KeptRollout,
    after: RolloutProgress,
    now: float,
    deed: Deed,
    acknowledged: bytes | None = None,
) -> None:
    """Write how a rollout stands from now on, and what its entry in the audit log says of that."""
    deed.before, deed.after = kept.row.progress, after  # as it was kept, perhaps by the release before
    deed.details |= {"patch": str(kept.plan.ref), "state": after.state.value}
    database.change_rollout(
        kept.row.number, state=after.state, progress=codec.encode(after), now=now, acknowledged=acknowledged
    )


def known_rollout(database: "Database", number: int) -> KeptRollout:
    """Return a rollout. Raises `UserError`: BAD_INPUT for one that is not known, STORAGE for a broken record."""
    row = database.rollout(number)
    if row is None:
        raise UserError(f"There is no rollout {number}. 'seed-server rollout list' lists them.", FaultKind.BAD_INPUT)
    try:
        return KeptRollout.of(row, database.approvals(number))
    except DecodeError as error:
        raise unreadable(BrokenRollout(row, str(error))) from error


def unreadable(broken: BrokenRollout) -> UserError:
    """Return the error for a rollout whose record cannot be read."""
    number = broken.row.number
    return UserError(
        f"Rollout {number} of {broken.row.ref} cannot be read ({broken.words}), so no PC begins with it. Restore the "
        f"database from a backup, or end it with 'seed-server rollout abort {number}' and start it anew.",
        FaultKind.STORAGE,
    )


def announced(context: Context, repository: Repository, number: int) -> KeptRollout:
    """Tell PCs what has changed; return the rollout as it stands now."""
    with context.database() as database:
        announce(repository, database, context.clock.now())
        return known_rollout(database, number)


def _published(repository: Repository, named: PatchRef) -> Manifest:
    found = [manifest for manifest in repository.manifests() if manifest.ref.is_named(named)]
    if not found:
        raise _unknown(str(named) if named.version else named.patch_id)
    manifest = max(found, key=lambda one: one.number)
    if refusal := repository.publication_order().refusal(manifest.patch_id, manifest.number):
        raise UserError(f"No PC would install {manifest.ref}: {refusal}. Publish it again.", FaultKind.REFUSED)
    return manifest


def _unknown(patch: str) -> UserError:
    return UserError(f"No {patch} is published here. 'seed-server list' lists the patches.", FaultKind.BAD_INPUT)


def _check_template(template: RingTemplate, manifest: Manifest, reason: str) -> None:
    if template.at_once:
        raise UserError(
            f"The template {template.name} has no rings: it offers a patch to every PC when it is published. Choose "
            "another one; 'seed-server rollout templates' lists them.",
            FaultKind.BAD_INPUT,
        )
    template.check_reason(manifest.cvss, reason)


def _check_room(database: "Database", manifest: Manifest, rollouts: Rollouts) -> None:
    live = kept_rollouts(database, live=True)
    for one in live:
        if one.plan.patch_id == manifest.patch_id and one.plan.number == manifest.number:
            if one.progress.state is RolloutState.RUNNING:
                raise UserError(
                    f"Rollout {one.row.number} of {one.plan.ref} is running. Abort it before you start another one.",
                    FaultKind.REFUSED,
                )
            raise UserError(
                f"Rollout {one.row.number} of {one.plan.ref} is {one.progress.state.value}. Resume it, or abort it "
                "before you start another one.",
                FaultKind.REFUSED,
            )
    if len(live) >= MAX_LIVE_ROLLOUTS:
        raise UserError(
            f"{len(live)} rollouts are under way, the most that there may be. Abort one that has stood for long.",
            FaultKind.REFUSED,
        )
    # each goes to every PC in the end; what is offered of the same id leaves then
    ids = {one.patch_id for one in rollouts.entries} | {one.plan.patch_id for one in live}
    if len(ids - {manifest.patch_id}) >= MAX_ROLLOUT_ENTRIES:
        raise UserError(
            f"{MAX_ROLLOUT_ENTRIES} patches are offered to PCs or on their way there, the most that there may be. "
            "Withdraw what nobody needs any more ('seed-server list'), and start this rollout again.",
            FaultKind.REFUSED,
        )


def _next_sequence(repository: Repository, database: "Database") -> int:
    signed = next_sequence(repository.current_rollouts(), repository.current_staged())
    return max([signed, *(row.sequence + 1 for row in database.rollouts())])


def _taken_back_at(repository: Repository, ref: PatchRef) -> list[float]:
    """Return when a patch was withdrawn or stopped: a rollout that begins comes after it, whatever the clock says."""
    said = (*repository.current_rollouts().withdrawn, *repository.current_staged().stopped)
    return [float(one.at) for one in said if one.ref == ref]
