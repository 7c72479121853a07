"""A person says that rings of a rollout may open: to PCs by a signature with a key of their own. Blocking."""

from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.rollout_plan import RolloutPlan, plan_digest
from p2pdist.shared.manifest.staged import approval_bytes
from seed_server.fleet.actor import Actor, person_of
from seed_server.fleet.approvals_in_force import plan_reach
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation, require
from seed_server.fleet.rollout import NOTHING_APPROVED, Approved, RolloutState
from seed_server.fleet.rollout_announcing import approvers_in_force, check_announceable, wanted_by
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.fleet.rollout_operations import announced, known_rollout
from seed_server.signing.key_files import load_signing_key
from seed_server.signing.repository import Repository
from seed_server.store.rollout_records import ApprovalRow

if TYPE_CHECKING:
    from seed_server.store.database import Database

log = lazy_log()


@operation("approve", reach=None)
def approve_rollout(
    context: Context,
    actor: Actor,
    number: int,
    *,
    rings: int | None = None,
    key: Path | None = None,
    passphrase: bytes | None = None,
) -> KeptRollout:
    """Say that the first ``rings`` of a rollout (None: all) may open; nobody approves what they have started.

    ``key`` is the file of the approver's own key, by whose signature PCs know it. Writes and raises as `pause_rollout`;
    REFUSED also for its author, and for a key that is in no list of approvers.
    """
    now = context.clock.now()
    repository = context.repository(context.settling())
    deed = Deed("approve rollout", str(number))
    with context.audited(actor, deed) as database:
        kept = known_rollout(database, number)
        require(context, actor, "approve", plan_reach(kept.plan))
        if (refusal := approval_refusal(actor, kept, asked_for=_is_asked_for(repository, database, kept))) is not None:
            raise refusal
        person = actor.person
        count = len(kept.plan.rings) if rings is None else rings
        if not 1 <= count <= len(kept.plan.rings):
            raise UserError(f"Rollout {number} has {len(kept.plan.rings)} rings, not {count}.", FaultKind.BAD_INPUT)
        approver, signature = _signed(repository, kept.plan, count, int(now), key, passphrase)
        _check_key(kept, approver, person)
        row = ApprovalRow(
            person=person, who=actor.who, approver=approver, rings=count, at=float(int(now)), signature=signature
        )
        database.add_approval(number, row)
        check_announceable(repository, database, now)
        deed.details |= {"patch": str(kept.plan.ref), "rings": str(count), "signed": approver or "no"}
        deed.after = row
    log.info("rollout approved", rollout=number, rings=count, signed_as=approver)
    return announced(context, repository, number)


def approval_refusal(actor: Actor, kept: KeptRollout, *, asked_for: bool) -> UserError | None:
    """Return why ``actor`` cannot approve a rollout, whatever their rights; None: they can.

    ``asked_for`` as `is_asked_for` says.
    """
    number = kept.row.number
    if not asked_for:
        return UserError(
            f"Rollout {number} is {kept.progress.state.value}; there is nothing to approve.", FaultKind.REFUSED
        )
    if not actor.person or actor.person == person_of(kept.row.author):
        return UserError(
            f"You have started rollout {number} yourself, so somebody else has to approve it.", FaultKind.REFUSED
        )
    return None


def is_asked_for(kept: KeptRollout, approved: Approved) -> bool:
    """Whether an approval changes anything: PCs that come later ask also for those of what is complete.

    ``approved``: what people have said so far, as `KeptRollout.approved` has it.
    """
    if kept.progress.state is not RolloutState.COMPLETE:
        return kept.progress.state is not RolloutState.ABORTED
    return approved.every_ring and approved.lacks(kept.plan, len(kept.plan.rings) - 1)


def _is_asked_for(repository: Repository, database: "Database", kept: KeptRollout) -> bool:
    if kept.progress.state is not RolloutState.COMPLETE:
        return is_asked_for(kept, NOTHING_APPROVED)
    approvers = repository.approvers()
    manifest = next((one for one in repository.manifests() if one.ref == kept.plan.ref), None)
    wanted = 0 if manifest is None else wanted_by(approvers, manifest)
    return is_asked_for(kept, kept.approved(approvers_in_force(database, approvers), by_pcs=wanted))


def _check_key(kept: KeptRollout, approver: str, person: str) -> None:
    """Raise `UserError` (REFUSED) for the key of the author, or of who has approved by another name."""
    if not approver:
        return
    if approver == person_of(kept.row.author):
        raise UserError(
            f"This is the key of {approver}, who has started rollout {kept.row.number}, so somebody else has to "
            "approve it with their own.",
            FaultKind.REFUSED,
        )
    if any(row.approver == approver and row.person != person for row in kept.approvals):
        raise UserError(
            f"{approver} has approved rollout {kept.row.number} already with this key, and one person counts once.",
            FaultKind.REFUSED,
        )


def _signed(
    repository: Repository, plan: RolloutPlan, rings: int, at: int, key: Path | None, passphrase: bytes | None
) -> tuple[str, bytes]:
    """Return the approver's name, as the list has it, and the signature; both empty without a key."""
    if key is None:
        return "", b""
    private = load_signing_key(key, passphrase)
    public = private.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    approvers = repository.approvers()
    names = [] if approvers is None else [name for name, known in approvers.keys.items() if known == public]
    if not names:
        raise UserError(
            f"The key {key} is in no list of approvers that PCs know, so they would not take its word.",
            FaultKind.REFUSED,
        )
    return names[0], private.sign(approval_bytes(plan_digest(plan), rings, at))
