"""What is to be done on this PC now, and why everything else waits: order, schedule and retries together. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo

from p2pdist.install.lifecycle import UNDER_WAY, FailureClass, InstallRecord, Journal, reported_state
from p2pdist.install.order import PatchStatus, PlanStep, StepKind, plan
from p2pdist.install.schedule import Conditions, Deferrals, Notice, Schedule, decide, schedule_of
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Manifest, Payload, ordered_patch
from p2pdist.shared.manifest.fitting import longest_installation
from p2pdist.shared.manifest.publication_order import OrderRefusal, refused
from p2pdist.shared.manifest.recipe import ScheduleRules
from p2pdist.shared.manifest.relations import OrderedPatch, OrderError
from p2pdist.shared.wire.messages import InstallState

NOT_HERE = "its file is not here yet"
DELIVERED = "delivered"
UNDER_WAY_WORDS = "under way"
_NOT_BEGUN = frozenset({"waiting", "failed", "rolled_back"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A patch that is rolled out to this PC, with its file if that is here."""

    manifest: Manifest
    sequence: int
    payload: Payload | None
    """The variant for this PC; None: it does not apply here."""
    file: str | None
    """Path of its proven file; None: not here yet."""
    not_applicable: str = ""
    """Why it does not apply, in words; empty: it does."""
    older: str = ""
    """Why it is refused though it may apply: the offline role has signed a newer one; empty: it may be installed."""
    recalled: str = ""
    """Why it goes back where it is installed, in words; empty: it does not."""
    not_yet: str = ""
    """What its rollout makes it wait for, in words; empty: nothing."""
    not_yet_until: float | None = None
    """When that ends by itself, in seconds since 1970; None: not by time alone."""

    @property
    def ref(self) -> PatchRef:
        """Which patch it is."""
        return self.manifest.ref


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One patch in the plan."""

    candidate: Candidate
    record: InstallRecord | None
    """None: nothing is to be installed of it."""
    kind: StepKind
    reason: str
    """In words; empty for the patch that is installed next."""
    due: bool = False
    """Whether it is installed now."""
    again_at: float | None = None
    """When the reason is over at the latest, in seconds since 1970; None: not known."""
    due_at: float | None = None
    """The deadline with its grace, in seconds since 1970; None: none."""
    forced_at: float | None = None
    """From when neither windows nor deferrals hold it up, while its deadline is over and this PC's grace is not."""
    older: str = ""
    """Why it would be a step back that nobody with the offline key allows, in words; empty: it is none."""

    @property
    def state(self) -> InstallState:
        """Return the state as it is reported to the server; empty: nothing is to be installed."""
        went_back = self.record is not None and self.record.failure is FailureClass.RECALL
        if (self.candidate.not_applicable or self.older) and (self.record is None or self.record.state in _NOT_BEGUN):
            return "not_applicable" if self.record is None or not went_back else reported_state(self.record)
        return "" if self.record is None else reported_state(self.record)

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be done."""
        return self.kind is StepKind.SKIP or self.candidate.manifest.install is None or self.waits_for_rollout

    @property
    def waits_for_rollout(self) -> bool:
        """Whether it waits for its ring, or for an exception to end: this PC owes nothing meanwhile."""
        return _waits_for_rollout(self.candidate, self.record)


@dataclass(frozen=True, slots=True)
class PlanMoment:
    """When the plan is made, and what holds then."""

    at: datetime
    zone: tzinfo
    blackout_until: datetime | None = None
    clock_believed: bool = True
    seen_since: Mapping[PatchRef, float] = field(default_factory=dict)
    """When each patch was seen first since the start, in seconds since 1970."""

    def around(self, record: InstallRecord, schedule: Schedule) -> Conditions:
        """Return what holds for one patch."""
        return Conditions(self.blackout_until, self.notice(record, schedule), self.clock_believed)

    def notice(self, record: InstallRecord, schedule: Schedule) -> Notice:
        """Return since when this PC's user can know that the patch is due."""
        seen = self.seen_since.get(record.ref)
        overdue = None if record.overdue_since is None else datetime.fromtimestamp(record.overdue_since, UTC)
        if schedule.deadline is not None and schedule.deadline <= self.at:
            # the clock may have been ahead when it was noted; what is not noted yet begins now
            overdue = self.at if overdue is None else min(overdue, self.at)
        return Notice(overdue, None if seen is None else datetime.fromtimestamp(seen, UTC))


def plan_rows(candidates: Sequence[Candidate], journal: Journal, moment: PlanMoment) -> list[PlanRow]:
    """Return every candidate in the order of installation; emergencies that are due come first."""
    by_ref = {candidate.ref: candidate for candidate in candidates}
    known = {record.ref: record for record in journal.records}
    records = {ref: known.get(ref) for ref in by_ref}
    older = {ref: _older(candidate, journal) for ref, candidate in by_ref.items()}
    statuses = {ref: _status(candidate, records[ref], older[ref]) for ref, candidate in by_ref.items()}
    try:
        steps = plan([ordered(candidate) for candidate in candidates], statuses)
    except OrderError as error:  # publishing refuses it; a rollout of old and new patches may still contain it
        steps = [PlanStep(ref, StepKind.BLOCKED, str(error)) for ref in by_ref]
    rows = [_row(by_ref[step.ref], records[step.ref], step, older[step.ref], moment) for step in steps]
    return sorted(rows, key=lambda row: not (row.due and row.candidate.manifest.schedule.emergency))


def ordered(candidate: Candidate) -> OrderedPatch:
    """Return what the order of installation depends on."""
    return ordered_patch(candidate.manifest, candidate.sequence)


def _older(candidate: Candidate, journal: Journal) -> str:
    """Return why installing ``candidate`` would be a step back, in words; a rollback is this PC's own and none."""
    manifest = candidate.manifest
    lowest = journal.lowest.get(manifest.patch_id, 0)
    if not candidate.older and manifest.number < lowest:
        return refused(OrderRefusal.WAS_NEWER, manifest.number, lowest)
    return candidate.older


def _status(candidate: Candidate, record: InstallRecord | None, older: str) -> PatchStatus:
    if record is not None and record.state == "installed":
        return PatchStatus.INSTALLED
    if older:
        return PatchStatus.OLDER
    if candidate.not_applicable:
        return PatchStatus.NOT_APPLICABLE
    if candidate.manifest.install is None and candidate.file is not None:  # a file alone is done when it is here
        return PatchStatus.INSTALLED
    if record is not None and record.state in ("failed", "rolled_back") and record.retry_at is None:
        return PatchStatus.FAILED
    return PatchStatus.NOT_YET if _waits_for_rollout(candidate, record) else PatchStatus.APPLICABLE


def _waits_for_rollout(candidate: Candidate, record: InstallRecord | None) -> bool:
    """Return whether nothing may be begun of it yet: what is begun, or here, comes to its end."""
    here = candidate.manifest.install is None and candidate.file is not None
    return bool(candidate.not_yet) and not here and (record is None or record.state in _NOT_BEGUN)


def _row(
    candidate: Candidate,
    record: InstallRecord | None,
    step: PlanStep,
    older: str,
    moment: PlanMoment,
) -> PlanRow:
    schedule = schedule_for(candidate.manifest, moment.zone)
    due_at = schedule.forced_at.timestamp() if schedule.forced_at else None
    reason = step.reason
    if candidate.manifest.install is None and step.reason == PatchStatus.INSTALLED.value:
        reason = DELIVERED  # nothing is installed of it: "installed" would be a promise that nobody has kept
    elif step.kind is StepKind.SKIP and not (record and record.state == "installed"):
        reason = f"refused: {older}" if older else candidate.not_applicable or reason
    if candidate.recalled and record is not None and record.failure is FailureClass.RECALL:
        reason = record.reason
    if step.kind is StepKind.BLOCKED and record is not None and record.reason:
        reason = record.reason
    row = PlanRow(candidate, record, step.kind, reason, due_at=due_at, older=older)
    if row.waits_for_rollout and step.kind is StepKind.WAIT:
        return _because(row, candidate.not_yet, candidate.not_yet_until)
    if step.kind is not StepKind.INSTALL:
        return row
    if candidate.manifest.install is None or record is None:
        return _because(row, NOT_HERE)
    if record.state in UNDER_WAY:
        return _because(row, _under_way(record), record.retry_at)
    if record.state == "unproven":
        return _because(row, record.reason, record.retry_at)
    return _when(row, record, schedule, moment)


def _under_way(record: InstallRecord) -> str:
    if record.supervised and record.reason:
        return record.reason
    if not record.interrupted:
        return UNDER_WAY_WORDS
    return (
        f"under way, interrupted {record.interrupted} times"
        if record.interrupted > 1
        else "under way, interrupted once"
    )


def _when(row: PlanRow, record: InstallRecord, schedule: Schedule, moment: PlanMoment) -> PlanRow:
    """Return the row of a patch that may be installed as far as other patches go: now, or when and why not."""
    if row.candidate.file is None and record.retry_at is None:
        return _because(row, NOT_HERE)
    # what waits to be tried again is tried when the schedule lets it be installed by then
    retry_at = record.retry_at
    then = moment.at if retry_at is None else max(moment.at, datetime.fromtimestamp(retry_at, UTC))
    deferrals = deferrals_of(record, schedule, moment.at)
    decision = decide(schedule, deferrals, then, moment.zone, moment.around(record, schedule))
    again_at = decision.again_at.timestamp() if decision.again_at else None
    if retry_at is not None:
        why = f"waits: {record.reason}" if record.put_off else f"tried again later: {record.reason}"
        return _because(row, why, retry_at if decision.install else again_at)
    if decision.install:
        return replace(row, reason=str(decision.when), due=True)
    return replace(_because(row, str(decision.when), again_at), forced_at=_forced_at(record, schedule, moment))


def _forced_at(record: InstallRecord, schedule: Schedule, moment: PlanMoment) -> float | None:
    over = schedule.deadline is not None and schedule.deadline <= moment.at and moment.clock_believed
    forced = moment.notice(record, schedule).forced_at(schedule)
    return forced.timestamp() if over and forced is not None else None


def schedule_for(manifest: Manifest, zone: tzinfo) -> Schedule:
    """Return a patch's schedule on a PC in ``zone``, with the time that its installation may take."""
    install = manifest.install
    needs = timedelta(0) if install is None else longest_installation(install, manifest.health)
    return schedule_of(manifest.schedule, zone, needs)


def overdue_since(record: InstallRecord, rules: ScheduleRules, moment: PlanMoment) -> float | None:
    """Return when this PC first saw the deadline of ``rules`` over, as of now; None: it is not, or nobody can say."""
    known, now = record.overdue_since, moment.at.timestamp()
    if not moment.clock_believed:
        return known
    deadline = schedule_of(rules, moment.zone).deadline
    if deadline is None or moment.at < deadline:
        return None
    # a clock that was ahead may have noted what has not come yet; a deadline may have been moved
    return now if known is None or not deadline.timestamp() <= known <= now else known


def deferrals_of(record: InstallRecord, schedule: Schedule, now: datetime) -> Deferrals:
    """Return the user's deferrals so far."""
    if record.deferred_until is None:
        return Deferrals(record.deferral_count)
    # the clock may have been ahead when it was deferred: never longer than one deferral from now
    until = min(datetime.fromtimestamp(record.deferred_until, UTC), now + schedule.longest_deferral)
    since = record.deferred_since
    return Deferrals(record.deferral_count, until, None if since is None else datetime.fromtimestamp(since, UTC))


def _because(row: PlanRow, reason: str, again_at: float | None = None) -> PlanRow:
    return replace(row, reason=reason, again_at=again_at)
