"""A rollout's life: which ring opens when, what stops it, and why it stands where it does. Pure.

`decide` looks at the plan, at what was done so far and at how PCs stand, and returns at most one step. Whoever carries
steps out asks again until there is none.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from bandwidth.core.state_table import StateTable
from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan
from p2pdist.shared.wire.codec import Record
from seed_server.fleet.ring_counts import RingTally
from seed_server.fleet.ring_gates import RingGate


class RolloutState(enum.StrEnum):
    """How a rollout stands."""

    RUNNING = "running"
    """It goes on by itself."""
    UNAPPROVED = "waiting for approval"
    """The next ring may open as soon as enough people approve it."""
    HELD = "waiting for a word"
    """All but silent PCs have decided, and a person is to say whether it goes on without those."""
    PAUSED = "paused"
    """No ring opens; those that are open go on."""
    HALTED = "halted"
    """No PC begins any more; a person may resume it."""
    COMPLETE = "complete"
    """It is offered to all PCs."""
    ABORTED = "aborted"
    """It is over, and comes to no more PCs."""


class RolloutStep(enum.Enum):
    """What can happen to a rollout."""

    RING_OPENED = "a ring opens"
    UNAPPROVED = "the next ring lacks approvals"
    APPROVED = "the next ring is approved"
    HELD = "only silent PCs are left"
    UNDECIDED = "PCs are to decide again"
    PAUSED = "it is paused"
    RESUMED = "it is resumed"
    HALTED = "it is halted"
    FINISHED = "the last ring is through"
    ABORTED = "it is aborted"


_LIVE = (RolloutState.RUNNING, RolloutState.UNAPPROVED, RolloutState.HELD, RolloutState.PAUSED)
_STEPS: dict[tuple[RolloutState, RolloutStep], RolloutState] = {
    (RolloutState.RUNNING, RolloutStep.RING_OPENED): RolloutState.RUNNING,
    (RolloutState.RUNNING, RolloutStep.UNAPPROVED): RolloutState.UNAPPROVED,
    (RolloutState.RUNNING, RolloutStep.HELD): RolloutState.HELD,
    (RolloutState.RUNNING, RolloutStep.FINISHED): RolloutState.COMPLETE,
    (RolloutState.UNAPPROVED, RolloutStep.APPROVED): RolloutState.RUNNING,
    (RolloutState.UNAPPROVED, RolloutStep.UNDECIDED): RolloutState.RUNNING,
    (RolloutState.HELD, RolloutStep.RESUMED): RolloutState.RUNNING,
    (RolloutState.HELD, RolloutStep.UNDECIDED): RolloutState.RUNNING,
    (RolloutState.PAUSED, RolloutStep.RESUMED): RolloutState.RUNNING,
    (RolloutState.HALTED, RolloutStep.RESUMED): RolloutState.RUNNING,
    (RolloutState.HALTED, RolloutStep.ABORTED): RolloutState.ABORTED,
} | {
    (state, RolloutStep.PAUSED): RolloutState.PAUSED for state in _LIVE if state is not RolloutState.PAUSED
} | {
    (state, RolloutStep.HALTED): RolloutState.HALTED for state in _LIVE
} | {
    (state, RolloutStep.ABORTED): RolloutState.ABORTED for state in _LIVE
}  # fmt: skip
TRANSITIONS = StateTable[RolloutState, RolloutStep]("a rollout", RolloutState.RUNNING, _STEPS)

OVER = frozenset({RolloutState.COMPLETE, RolloutState.ABORTED})
"""States that nothing follows."""
STOPPED_STATES = frozenset({RolloutState.HALTED, RolloutState.ABORTED})
"""States in which no PC begins."""


class RolloutReason(enum.StrEnum):
    """Why a rollout stands where it does: the closed list that people read."""

    SOAKING = "the open ring soaks"
    SOAKED = "the open ring has soaked"
    TO_DECIDE = "too few PCs of the open ring have decided"
    NOT_SURE = "what the decided PCs say is not enough to be sure"
    NOT_APPROVED = "the next ring is not approved"
    NO_LONGER_APPROVED = "the open ring is not approved any more"
    SILENT_PCS = "only silent PCs are left"
    PAUSED = "somebody has paused it"
    HARM = "business traffic suffers at too many sites"
    FAILURES = "more PCs failed than the ring allows"
    TOO_FEW_INSTALLED = "fewer PCs installed it than the ring asks for"
    TOO_FEW_DECIDED = "too few PCs decided before they fell silent"
    HALTED = "somebody has halted it"
    ABORTED = "somebody has aborted it"
    WITHDRAWN = "the patch was withdrawn"
    RING_WITHDRAWN = "the patch was withdrawn from a ring and those after it"
    REPLACED = "a newer publication has taken the patch's place"
    THROUGH = "all rings are through"
    TO_OPEN = "the next ring may open"


class RolloutWhy(Record, frozen=True):
    """What a rollout waits for, or why it is over, with the numbers of the rule that says so."""

    reason: RolloutReason
    since: float
    """Seconds since 1970."""
    ring: str = ""
    """The ring whose rule it is; empty: it is of none."""
    until: float | None = None
    """When it is over by itself; None: that is not known."""
    count: int = 0
    """Of ``of``: PCs that decided, installed, failed or are silent, or approvals; as the reason has it."""
    of: int = 0
    wanted: int = 0
    """How many of them are wanted, or allowed."""
    share: float = 0.0
    """The share, from 0 to 1, that is compared with ``bound``: the lower bound of Wilson's interval, or, where no PC is
    left to decide, the share itself."""
    bound: float = 0.0
    exact: bool = False
    """Whether ``share`` is the share itself."""
    words: str = ""
    """What a person said."""


class RolloutProgress(Record, frozen=True):
    """What was done of a rollout so far."""

    state: RolloutState
    why: RolloutWhy
    """Why it came to that state."""
    opened_at: tuple[int, ...] = ()
    """When each ring was opened that is open, in seconds since 1970."""
    without_silent: int = 0
    """So many rings, from the first on, go on without their silent PCs, by a person's word."""
    harm_seen_at: float = 0.0
    """Pauses of sites that had begun by then pause it no more, by a person's word."""


@dataclass(frozen=True)
class RolloutDecision:
    """What is to be done, and why it stands where it does afterwards."""

    step: RolloutStep | None
    """None: nothing is to be done now."""
    progress: RolloutProgress
    """After the step."""
    why: RolloutWhy
    """As of now, also where nothing is to be done."""


class Approved(NamedTuple):
    """What people have said to a plan."""

    rings: tuple[int, ...] = ()
    """For how many rings, from the first on, each of those who approve it; nobody is in it twice."""
    required: int = 0
    """So many of them open a ring that needs approval."""
    every_ring: bool = False
    """Whether every ring needs it, as PCs have a list of approvers; else those of the plan."""

    def count(self, rings: int) -> int:
        """Return how many people approve so many rings."""
        return sum(one >= rings for one in self.rings)

    def lacks(self, plan: RolloutPlan, place: int) -> bool:
        """Whether the ring at ``place`` needs more people's approval than it has."""
        return (self.every_ring or plan.rings[place].approval) and self.count(place + 1) < self.required


NOTHING_APPROVED = Approved()


def new_rollout(now: float) -> RolloutProgress:
    """Return what a rollout begins with: no ring is open."""
    return RolloutProgress(TRANSITIONS.first, RolloutWhy(RolloutReason.TO_OPEN, now))


def decide(
    plan: RolloutPlan,
    progress: RolloutProgress,
    tallies: Sequence[RingTally],
    now: float,
    approved: Approved = NOTHING_APPROVED,
) -> RolloutDecision:
    """Return the next step of a rollout; ``tallies`` are all its rings'."""
    if progress.state in OVER or progress.state is RolloutState.HALTED:
        return RolloutDecision(None, progress, progress.why)
    for ring, tally in zip(plan.rings, tallies[: len(progress.opened_at)], strict=False):
        if (failures := failures_above(ring, tally, now)) is not None:
            return _stepped(progress, RolloutStep.HALTED, failures)
    if progress.state is RolloutState.PAUSED:
        return RolloutDecision(None, progress, progress.why)
    if (lapsed := _lapsed(plan, progress, now, approved)) is not None:
        return _unapproved(progress, lapsed)
    if progress.opened_at:
        held = _last_ring(plan, progress, tallies, now)
        if held is not None:
            return held
    return _next_ring(plan, progress, now, approved)


def waits_for(
    plan: RolloutPlan, progress: RolloutProgress, now: float, approved: Approved = NOTHING_APPROVED
) -> RolloutWhy:
    """Return why a rollout stands where it does, as far as it can be said without counting PCs."""
    if progress.state is RolloutState.UNAPPROVED:
        lacks = _lapsed(plan, progress, now, approved) or _not_approved(plan, progress, now, approved)
        return progress.why if lacks is None else replace(lacks, since=progress.why.since)
    if progress.state is not RolloutState.RUNNING or not progress.opened_at:
        return progress.why
    soaking = _soaking(plan, progress)
    if soaking.until is None or now < soaking.until:
        return soaking
    return RolloutWhy(RolloutReason.SOAKED, soaking.until, soaking.ring)


def failures_above(ring: PlannedRing, tally: RingTally, now: float = 0.0) -> RolloutWhy | None:
    """Return why a ring halts its rollout; None: it does not."""
    gate = RingGate(ring, tally)
    if not gate.fails:
        return None
    return RolloutWhy(
        RolloutReason.FAILURES, now, ring.name, count=tally.new_failures, of=tally.judged, wanted=ring.least_failed,
        share=gate.failed_share or 0.0, bound=gate.failed_bound, exact=tally.exact,
    )  # fmt: skip


def ring_is_through(
    ring: PlannedRing, tally: RingTally, since: float, *, without_silent: bool = False
) -> RolloutWhy | None:
    """Return what a ring that has soaked lacks, by its rule; None: nothing.

    ``without_silent``: nobody waits for its silent PCs any more.
    """
    gate, exact = RingGate(ring, tally), tally.exact
    if not gate.decided_enough and not (exact and without_silent):
        reason = RolloutReason.TOO_FEW_DECIDED if exact else RolloutReason.TO_DECIDE
        return RolloutWhy(
            reason, since, ring.name, count=tally.decided, of=tally.can_decide, wanted=gate.least_decided
        )  # fmt: skip
    if gate.installed_enough:
        return None
    reason = RolloutReason.TOO_FEW_INSTALLED if exact else RolloutReason.NOT_SURE
    return RolloutWhy(
        reason, since, ring.name, count=tally.installed, of=tally.judged, share=gate.installed_share or 0.0,
        bound=gate.installed_bound, exact=exact,
    )  # fmt: skip


def _last_ring(
    plan: RolloutPlan, progress: RolloutProgress, tallies: Sequence[RingTally], now: float
) -> RolloutDecision | None:
    """Return what is decided as the ring that opened last is not through; None: it is."""
    place = len(progress.opened_at) - 1
    ring, tally = plan.rings[place], tallies[place]
    soaking, soaked = _soaking(plan, progress), float(progress.opened_at[place] + ring.soak_seconds)
    if now < soaked:
        return _undecided(progress, soaking)
    without_silent = place < progress.without_silent
    lacks = ring_is_through(ring, tally, soaked, without_silent=without_silent)
    asks = plan.silent == "hold" and tally.silent and not without_silent
    if asks and (lacks is None or lacks.reason is RolloutReason.TOO_FEW_DECIDED):
        why = RolloutWhy(RolloutReason.SILENT_PCS, now, ring.name, count=tally.silent, of=tally.size)
        if progress.state is RolloutState.HELD:
            return RolloutDecision(None, progress, replace(why, since=progress.why.since))
        if progress.state is RolloutState.RUNNING:
            return _stepped(progress, RolloutStep.HELD, why)
        return _undecided(progress, why)  # whoever waits for approvals first learns that it runs again
    if lacks is None:
        return None
    if lacks.reason in (RolloutReason.TOO_FEW_DECIDED, RolloutReason.TOO_FEW_INSTALLED):
        return _stepped(progress, RolloutStep.HALTED, replace(lacks, since=now))
    return _undecided(progress, lacks)


def _soaking(plan: RolloutPlan, progress: RolloutProgress) -> RolloutWhy:
    """Return that the ring that opened last soaks, and until when."""
    opened = progress.opened_at[-1]
    ring = plan.rings[len(progress.opened_at) - 1]
    return RolloutWhy(RolloutReason.SOAKING, opened, ring.name, until=float(opened + ring.soak_seconds))


def _next_ring(plan: RolloutPlan, progress: RolloutProgress, now: float, approved: Approved) -> RolloutDecision:
    """Return what is decided as the next ring may open, as far as the one before it is concerned."""
    place = len(progress.opened_at)
    if progress.state is RolloutState.HELD:
        return _undecided(progress, RolloutWhy(RolloutReason.TO_OPEN, now))
    if place == len(plan.rings):
        if progress.state is not RolloutState.RUNNING:
            return _undecided(progress, RolloutWhy(RolloutReason.TO_OPEN, now))
        return _stepped(progress, RolloutStep.FINISHED, RolloutWhy(RolloutReason.THROUGH, now))
    if (lacks := _not_approved(plan, progress, now, approved)) is not None:
        return _unapproved(progress, lacks)
    if progress.state is RolloutState.UNAPPROVED:
        return _stepped(progress, RolloutStep.APPROVED, RolloutWhy(RolloutReason.TO_OPEN, now, plan.rings[place].name))
    opened = replace(progress, opened_at=(*progress.opened_at, int(now)))
    return _stepped(opened, RolloutStep.RING_OPENED, _soaking(plan, opened))


def _not_approved(plan: RolloutPlan, progress: RolloutProgress, now: float, approved: Approved) -> RolloutWhy | None:
    """Return which approvals the next ring lacks; None: none."""
    return _approvals(RolloutReason.NOT_APPROVED, plan, len(progress.opened_at), now, approved)


def _lapsed(plan: RolloutPlan, progress: RolloutProgress, now: float, approved: Approved) -> RolloutWhy | None:
    """Return which approvals PCs miss for the ring that opened last: some may count no more, or more be required."""
    if not approved.every_ring or not progress.opened_at:  # what the plan alone asks for was there when it opened
        return None
    return _approvals(RolloutReason.NO_LONGER_APPROVED, plan, len(progress.opened_at) - 1, now, approved)


def _approvals(
    reason: RolloutReason, plan: RolloutPlan, place: int, now: float, approved: Approved
) -> RolloutWhy | None:
    if place == len(plan.rings) or not approved.lacks(plan, place):
        return None
    count = approved.count(place + 1)
    return RolloutWhy(reason, now, plan.rings[place].name, count=count, wanted=approved.required)


def _unapproved(progress: RolloutProgress, lacks: RolloutWhy) -> RolloutDecision:
    if progress.state is RolloutState.UNAPPROVED:
        return RolloutDecision(None, progress, replace(lacks, since=progress.why.since))
    if progress.state is RolloutState.HELD:  # first learns that it runs again
        return _stepped(progress, RolloutStep.UNDECIDED, lacks)
    return _stepped(progress, RolloutStep.UNAPPROVED, lacks)


def _undecided(progress: RolloutProgress, why: RolloutWhy) -> RolloutDecision:
    """Return that the open ring still has to decide."""
    if progress.state is RolloutState.RUNNING:
        return RolloutDecision(None, progress, why)
    return _stepped(progress, RolloutStep.UNDECIDED, why)


def _stepped(progress: RolloutProgress, step: RolloutStep, why: RolloutWhy) -> RolloutDecision:
    after = replace(progress, state=TRANSITIONS.after(progress.state, step), why=why)
    return RolloutDecision(step, after, why)


# --- by a person's word -----------------------------------------------------------------------


def stopped(
    progress: RolloutProgress, step: RolloutStep, reason: RolloutReason, now: float, words: str
) -> RolloutProgress:
    """Return a rollout that somebody pauses, halts or aborts. Raises `ValueError` where its state has no such step."""
    return _stepped(progress, step, RolloutWhy(reason, now, words=words)).progress


def ring_closed(progress: RolloutProgress, place: int, ring: str, now: float, words: str) -> RolloutProgress:
    """Return a paused rollout whose ring at ``place``, and those after it, are closed; the others stay as they are.

    Raises `ValueError` where no PC begins anyway.
    """
    why = RolloutWhy(RolloutReason.RING_WITHDRAWN, now, ring, words=words)
    if progress.state is RolloutState.PAUSED:
        paused = replace(progress, why=why)
    else:
        paused = _stepped(progress, RolloutStep.PAUSED, why).progress
    return replace(
        paused, opened_at=progress.opened_at[:place], without_silent=min(progress.without_silent, place)
    )  # fmt: skip


def resumed(progress: RolloutProgress, now: float, words: str = "") -> RolloutProgress:
    """Return a rollout that goes on; the caller acknowledges the failures of one that was halted (`RingCounts`).

    Where it has stopped because of silent PCs, the open rings go on without them; where because leasing pauses at too
    many sites, those pauses stop it no more. Raises `ValueError` for one that
    needs no word.
    """
    silent = progress.why.reason in (RolloutReason.SILENT_PCS, RolloutReason.TOO_FEW_DECIDED)
    after = _stepped(progress, RolloutStep.RESUMED, RolloutWhy(RolloutReason.TO_OPEN, now, words=words)).progress
    if progress.why.reason is RolloutReason.HARM:
        after = replace(after, harm_seen_at=now)
    return replace(after, without_silent=len(progress.opened_at)) if silent else after
