"""What is to be done on this PC now, and why everything else waits: order, schedule and retries together. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from p2pdist.install.lifecycle import UNDER_WAY, InstallRecord, Journal, reported_state
from p2pdist.install.order import PatchStatus, PlanStep, StepKind, plan
from p2pdist.install.schedule import Deferrals, Schedule, TimingReason, decide, schedule_of
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Manifest, Payload, ordered_patch
from p2pdist.shared.manifest.publication_order import OrderRefusal, refused
from p2pdist.shared.manifest.relations import OrderedPatch, OrderError
from p2pdist.shared.wire.messages import InstallState

NOT_HERE = "its file is not here yet"
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
    restart_due: bool = False
    """Whether the PC has to be restarted for it, and may be now."""
    older: str = ""
    """Why it would be a step back that nobody with the offline key allows, in words; empty: it is none."""

    @property
    def state(self) -> InstallState:
        """Return the state as it is reported to the server; empty: nothing is to be installed."""
        if (self.candidate.not_applicable or self.older) and (self.record is None or self.record.state in _NOT_BEGUN):
            return "not_applicable"
        return "" if self.record is None else reported_state(self.record)

    @property
    def settled(self) -> bool:
        """Whether nothing is left to be done."""
        return self.kind is StepKind.SKIP or self.candidate.manifest.install is None


def plan_rows(
    candidates: Sequence[Candidate], journal: Journal, now: float, zone: tzinfo, *, blackout_until: datetime | None
) -> list[PlanRow]:
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
    at = datetime.fromtimestamp(now, UTC)
    rows = [
        _row(by_ref[step.ref], records[step.ref], step, older[step.ref], at, zone, blackout_until) for step in steps
    ]
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
    if candidate.manifest.install is None:  # a file alone is done when it is here
        return PatchStatus.APPLICABLE if candidate.file is None else PatchStatus.INSTALLED
    if record is not None and record.state in ("failed", "rolled_back") and record.retry_at is None:
        return PatchStatus.FAILED
    return PatchStatus.APPLICABLE


def _row(
    candidate: Candidate,
    record: InstallRecord | None,
    step: PlanStep,
    older: str,
    at: datetime,
    zone: tzinfo,
    blackout_until: datetime | None,
) -> PlanRow:
    schedule = schedule_of(candidate.manifest.schedule, zone)
    due_at = schedule.forced_at.timestamp() if schedule.forced_at else None
    reason = step.reason
    if step.kind is StepKind.SKIP and not (record and record.state == "installed"):
        reason = f"refused: {older}" if older else candidate.not_applicable or reason
    if step.kind is StepKind.BLOCKED and record is not None and record.reason:
        reason = record.reason
    restarts = record is not None and record.restart_boot is not None
    restart_due = restarts and _may_restart(schedule, candidate, at, zone, blackout_until)
    row = PlanRow(candidate, record, step.kind, reason, due_at=due_at, restart_due=restart_due, older=older)
    if step.kind is not StepKind.INSTALL:
        return row
    if record is not None and record.state in UNDER_WAY:
        return _because(row, "under way")
    if record is not None and record.retry_at is not None:
        return _because(row, f"tried again later: {record.reason}", record.retry_at)
    if candidate.manifest.install is None or record is None or candidate.file is None:
        return _because(row, NOT_HERE)
    deferrals = Deferrals(
        record.deferral_count,
        # the clock may have been ahead when it was deferred: never longer than one deferral from now
        None
        if record.deferred_until is None
        else min(datetime.fromtimestamp(record.deferred_until, UTC), at + schedule.longest_deferral),
    )
    decision = decide(schedule, deferrals, at, zone, blackout_until=blackout_until)
    again_at = decision.again_at.timestamp() if decision.again_at else None
    if not decision.install:
        return _because(row, str(decision.when), again_at)
    return PlanRow(candidate, record, step.kind, str(decision.when), due=True, due_at=due_at)


def _because(row: PlanRow, reason: str, again_at: float | None = None) -> PlanRow:
    return PlanRow(
        row.candidate, row.record, row.kind, reason, again_at=again_at, due_at=row.due_at, restart_due=row.restart_due
    )


def _may_restart(
    schedule: Schedule, candidate: Candidate, at: datetime, zone: tzinfo, blackout_until: datetime | None
) -> bool:
    """Return whether the patch's reboot policy allows a restart now: within one of its own windows."""
    if candidate.manifest.schedule.reboot != "window" or not schedule.windows:
        return False
    when = decide(Schedule(windows=schedule.windows), Deferrals(), at, zone, blackout_until=blackout_until).when
    return when is TimingReason.WINDOW
