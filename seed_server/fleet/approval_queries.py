"""What waits for whose approval, and who has given theirs. Nothing here writes. Blocking."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Manifest
from seed_server.fleet.actor import Actor, person_of
from seed_server.fleet.approvals_in_force import ApproversInForce, plan_reach
from seed_server.fleet.context import Context
from seed_server.fleet.permissions import may
from seed_server.fleet.roles import Reach
from seed_server.fleet.rollout import Approved, RolloutState
from seed_server.fleet.rollout_announcing import approvers_in_force, read_rollouts, wanted_by
from seed_server.fleet.rollout_approving import approval_refusal, is_asked_for
from seed_server.fleet.rollout_documents import KeptRollout

if TYPE_CHECKING:
    from seed_server.store.database import Database
    from seed_server.store.rollout_records import ApprovalRow

MOST_LATELY = 20  # approvals of one's own that are listed


@dataclass(frozen=True)
class WantedApproval:
    """A rollout of which a ring lacks approvals, or will when the rings before are through."""

    kept: KeptRollout
    title: str
    """What the patch is, as its publisher wrote it; may be empty."""
    ring: str
    """The first ring that lacks them."""
    rings: int
    """How many rings that are, from the first on."""
    has: int
    """So many people have approved that many rings, and count now."""
    wanted: int
    """So many are required."""
    waits: bool
    """Whether the rollout waits for that now; else the rings before have still to come."""
    since: float
    """Since when it stands where it does, in seconds since 1970."""
    by_signature: bool
    """Whether PCs want approvals that are signed with a key of one's own: only the command line gives those."""
    approved_by: tuple[str, ...]
    """Whose approval of that many rings counts now."""
    could: tuple[str, ...]
    """The accounts that could give theirs, by name. Local users of the server's machine could, too."""
    refusal: str
    """Why who asks cannot approve it; empty: they can."""
    given: bool
    """Whether who asks has approved that many rings already."""

    @property
    def is_mine(self) -> bool:
        """Whether who asks can give what is lacking."""
        return not self.refusal and not self.given


@dataclass(frozen=True)
class GivenApproval:
    """An approval that somebody has given."""

    rollout: int
    patch: PatchRef
    state: str
    """Of the rollout now."""
    rings: int
    at: float


@dataclass(frozen=True)
class ApprovalsLook:
    """What waits for approval, as one person sees it."""

    wanted: Sequence[WantedApproval]
    """What they can approve first; of each, what waits now before what will, and what waits longest first."""
    given: Sequence[GivenApproval]
    """What they have approved lately, the newest first."""

    @property
    def mine(self) -> Sequence[WantedApproval]:
        """What waits for them now."""
        return [one for one in self.wanted if one.is_mine and one.waits]


@dataclass(frozen=True)
class ApprovalReader:
    """Who may approve here, and what PCs want."""

    in_force: ApproversInForce
    manifests: Mapping[PatchRef, Manifest]

    @classmethod
    def read(cls, context: Context, database: "Database") -> "ApprovalReader":
        """Return it as it is now. Raises `UserError`."""
        repository = context.repository()
        manifests = {one.ref: one for one in repository.readable_manifests()[0]}
        return cls(approvers_in_force(database, repository.approvers()), manifests)

    def approved(self, kept: KeptRollout) -> Approved:
        """Return what people have said of a rollout who count now."""
        manifest = self.manifests.get(kept.plan.ref)
        by_pcs = 0 if manifest is None else wanted_by(self.in_force.approvers, manifest)
        return kept.approved(self.in_force, by_pcs=by_pcs)

    def counting(self, kept: KeptRollout, rings: int, *, by_signature: bool) -> tuple["ApprovalRow", ...]:
        """Return the approvals of so many rings that count now."""
        rows = [one for one in self.in_force.counting(kept.plan, kept.approvals) if one.rings >= rings]
        return tuple(one for one in rows if one.signature or not by_signature)

    def wanted(self, actor: Actor, kept: KeptRollout) -> WantedApproval | None:
        """Return what a rollout lacks, as ``actor`` sees it; None: nothing."""
        approved, state = self.approved(kept), kept.progress.state
        if not is_asked_for(kept, approved):
            return None
        opened = len(kept.progress.opened_at)
        first = max(0, opened - 1) if approved.every_ring else opened
        lacking = [place for place in range(first, len(kept.plan.rings)) if approved.lacks(kept.plan, place)]
        if not lacking:
            return None
        rings, reach = lacking[0] + 1, plan_reach(kept.plan)
        counting = self.counting(kept, rings, by_signature=approved.every_ring)
        missing = may(actor, "approve", reach)
        refused = approval_refusal(actor, kept, asked_for=True)
        manifest = self.manifests.get(kept.plan.ref)
        return WantedApproval(
            kept=kept,
            title="" if manifest is None else manifest.title,
            ring=kept.plan.rings[rings - 1].name,
            rings=rings,
            has=approved.count(rings),
            wanted=approved.required,
            waits=state in (RolloutState.UNAPPROVED, RolloutState.COMPLETE),
            since=kept.progress.why.since,
            by_signature=approved.every_ring,
            approved_by=tuple(one.who for one in counting),
            could=self._could(kept, reach, {one.person for one in counting}),
            refusal=missing or ("" if refused is None else refused.message),
            given=any(one.person == actor.person for one in counting),
        )

    def _could(self, kept: KeptRollout, reach: Reach, but: set[str]) -> tuple[str, ...]:
        but = {*but, person_of(kept.row.author)}
        return tuple(
            name
            for name, account in sorted(self.in_force.accounts.items())
            if name not in but
            and "approve" in account.rights.permissions
            and account.rights.scope.holds(reach)
        )  # fmt: skip


def read_approvals(context: Context, *, actor: Actor) -> ApprovalsLook:
    """Return what waits for approval, and what ``actor`` has approved lately. Raises `UserError`."""
    context.settings()
    with context.database() as database:
        approving = ApprovalReader.read(context, database)
        kept, _broken = read_rollouts(database, live=True)
        if approving.in_force.approvers is not None:  # PCs that come later ask for those of what is complete
            kept, _broken = read_rollouts(database)
        found = [one for rollout in kept if (one := approving.wanted(actor, rollout)) is not None]
        given = _given(database, actor)
    found.sort(key=lambda one: (not one.is_mine, not one.waits, one.since, one.kept.row.number))
    return ApprovalsLook(found, given)


def read_wanted_approval(context: Context, kept: KeptRollout, *, actor: Actor) -> WantedApproval | None:
    """Return which approvals one rollout lacks; None: none. Raises `UserError`."""
    with context.database() as database:
        return ApprovalReader.read(context, database).wanted(actor, kept)


def _given(database: "Database", actor: Actor) -> list[GivenApproval]:
    if not actor.person:
        return []
    rows = {
        number: row
        for number, approvals in database.all_approvals().items()
        for row in approvals
        if row.person == actor.person
    }
    newest = sorted(rows.items(), key=lambda one: -one[1].at)[:MOST_LATELY]
    found = []
    for number, row in newest:
        if (rollout := database.rollout(number)) is not None:
            found.append(GivenApproval(number, rollout.ref, rollout.state, row.rings, row.at))
    return found
