"""Decides whether this PC may take a patch now, or waits for its ring. Pure.

The server decides when a ring opens, and the PC holds it to what others have signed: the plan names the publication,
its soak times pass first, and where the offline role has named approvers, enough of them have approved the plan as far
as this ring. So whoever has the server's own keys opens no ring by them alone.
"""

import enum
import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from p2pdist.shared.identifiers import EndpointId, PatchRef
from p2pdist.shared.manifest.applicability import evaluate
from p2pdist.shared.manifest.approvers import Approvers
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.expression import Term, parse_expression
from p2pdist.shared.manifest.facts import Facts
from p2pdist.shared.manifest.recalls import Recall
from p2pdist.shared.manifest.rollout_plan import RingRules, RolloutPlan
from p2pdist.shared.manifest.staged import NO_END, NOTHING_STAGED, Hold, StagedEntry, StagedRollouts

LAST_SHOWN = 253_402_300_799  # the end of 9999
REMEMBERED = 1_024  # plans and expressions: more than a document can hold


class RingReason(enum.StrEnum):
    """Why a patch that is offered here waits for its rollout: the closed list that people read."""

    HELD = "an exception holds it back on this PC"
    WITHDRAWN_HERE = "it is withdrawn on this PC"
    OTHER_PUBLICATION = "its rollout is of another publication"
    IN_NO_RING = "no ring of its rollout has this PC"
    NOT_OPEN = "its ring is not open"
    NOT_APPROVED = "it is not approved for this PC's ring"
    SOAKING = "the rings before have not been watched for long enough"


@dataclass(frozen=True, slots=True)
class RingWait:
    """What a patch waits for."""

    reason: RingReason
    detail: str
    """More about it, in words; may be empty."""
    until: float | None = None
    """When it ends by itself, in seconds since 1970; None: not by time alone."""

    @property
    def taken_back(self) -> bool:
        """Whether nothing of it belongs on this PC, as of what is withdrawn: its ring may have been closed again."""
        return self.reason in (RingReason.WITHDRAWN_HERE, RingReason.NOT_OPEN)

    @property
    def words(self) -> str:
        """Both, for people."""
        return f"{self.reason}: {self.detail}" if self.detail else str(self.reason)


@dataclass(frozen=True)
class RingMember:
    """What decides about the rings of one PC."""

    endpoint_id: EndpointId
    facts: Facts
    """Those of `ring_facts`."""
    now: float
    """Seconds since 1970, by a clock that is believed or by signed metadata: what certainly has passed."""


ApprovedBy = Callable[[StagedEntry, int, Approvers], int]
"""Returns how many approvers have approved so many rings of a rollout: see `approvals.approved_by`."""


@dataclass(frozen=True)
class RingTerms:
    """What is signed about rings, and for which PC it is read."""

    member: RingMember | None = None
    """None: this PC does not know who it is; it is in no ring."""
    staged: StagedRollouts = NOTHING_STAGED
    approvers: Approvers | None = None
    """None: nobody's word is wanted."""
    approved_by: ApprovedBy = lambda _entry, _rings, _approvers: 0
    recalls: tuple[Recall, ...] = ()
    complete: tuple[StagedEntry, ...] = ()
    """Of what every PC is offered: rollouts that are complete, for their approvals."""

    @functools.cached_property
    def entries(self) -> Mapping[PatchRef, StagedEntry]:
        """The rollouts by rings, by patch; of a patch that is in it twice, the first one, and that which is staged."""
        return {entry.ref: entry for entry in reversed((*self.staged.entries, *self.complete))}

    def wait(self, manifest: Manifest, manifest_sha256: str) -> RingWait | None:
        """Return what the patch of ``manifest`` waits for on this PC; None: it may be taken."""
        entry = self.entries.get(manifest.ref)
        if (held := self._held(manifest.ref)) is not None:
            return held
        required = self._required(manifest)
        if entry is None:
            return _not_approved(0, required) if required else None
        plan = entry.plan
        if (plan.number, plan.manifest_sha256) != (manifest.number, manifest_sha256):
            return RingWait(RingReason.OTHER_PUBLICATION, "")
        place = None if self.member is None else _rules(plan).ring_of(self.member.endpoint_id, self.member.facts)
        if place is None:
            return RingWait(RingReason.IN_NO_RING, "")
        if place >= len(entry.opened_at):
            return RingWait(RingReason.NOT_OPEN, f"ring {plan.rings[place].name}")
        if required and self.approvers is not None:
            count = self.approved_by(entry, place + 1, self.approvers)
            if count < required:
                return _not_approved(count, required)
        return self._soaking(entry, manifest, place)

    def recall(self, patch_id: str, number: int) -> Recall | None:
        """Return what takes publication ``number`` (0: it is not known which) back on this PC; None: nothing does."""
        if self.member is None:
            return None
        pc = self.member
        found = [one for one in self.recalls if one.patch_id == patch_id and (not number or one.covers(number))]
        reaching = (one for one in found if one.reaches(pc.endpoint_id, pc.facts))
        return max(reaching, key=lambda one: one.number, default=None)

    def _required(self, manifest: Manifest) -> int:
        approvers = self.approvers
        if approvers is None or manifest.published_at <= approvers.since:
            return 0
        return approvers.required_in_emergency if manifest.schedule.emergency else approvers.required

    def _soaking(self, entry: StagedEntry, manifest: Manifest, place: int) -> RingWait | None:
        soak = sum(ring.soak_seconds for ring in entry.plan.rings[:place])
        # no rollout begins before its publication, whatever the server says of it
        opens_at = max(entry.opened_at[0], manifest.published_at) + soak
        now = 0.0 if self.member is None else self.member.now
        if soak and now < opens_at:
            return RingWait(RingReason.SOAKING, f"not before {_time(opens_at)}", float(opens_at))
        return None

    def _held(self, ref: PatchRef) -> RingWait | None:
        """Return the exception that holds this PC back for longest; None: none does."""
        if self.member is None:
            return None
        facts, now = self.member.facts, self.member.now
        holding = [
            hold
            for hold in self.staged.holds
            if hold.until > now and (not hold.patch or ref.matches(hold.patch)) and _chooses(hold.who, facts)
        ]
        last = max(holding, key=lambda hold: hold.until, default=None)
        if last is None:
            return None
        if last.until >= NO_END:
            return RingWait(RingReason.WITHDRAWN_HERE, f"by {last.owner}: {last.reason}")
        return RingWait(RingReason.HELD, _hold_words(last), float(last.until))


EVERYONE = RingTerms()


def _not_approved(count: int, required: int) -> RingWait:
    return RingWait(RingReason.NOT_APPROVED, f"{count} of {required} approvals")


def _hold_words(hold: Hold) -> str:
    return f"until {_time(hold.until)}, by {hold.owner}: {hold.reason}"


def _chooses(who: str, facts: Facts) -> bool:
    return not who or evaluate(_term(who), facts).applies


_term: Callable[[str], Term] = functools.lru_cache(REMEMBERED)(parse_expression)


@functools.lru_cache(REMEMBERED)
def _rules(plan: RolloutPlan) -> RingRules:
    return RingRules(plan)


def _time(at: float) -> str:
    return f"{datetime.fromtimestamp(min(at, LAST_SHOWN), UTC):%Y-%m-%d %H:%M} UTC"
