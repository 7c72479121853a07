"""Answers the commands about installations: plan, history, posture, and the user's own decisions."""

from datetime import timedelta

from msgspec.structs import replace

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.install.compliance import PatchStanding, posture
from p2pdist.install.deferral import Deferral, DeferralRefusedError, defer, ended
from p2pdist.install.journal_notes import with_way_back
from p2pdist.install.lifecycle import UNDER_WAY, InstallRecord
from p2pdist.install.loop import Installs
from p2pdist.install.notices import coming_installs, coming_restarts
from p2pdist.install.plan import PlanMoment, PlanRow, deferrals_of, schedule_for
from p2pdist.install.restart_times import DueRestart, is_overdue
from p2pdist.local_api.install_answers import (
    Accepted,
    Deferred,
    HistoryAnswer,
    HistoryStep,
    NoticesAnswer,
    PlanAnswer,
    PlanPatch,
    PlanRestart,
    PlanState,
    PostureStatement,
)
from p2pdist.local_api.messages import MAX_DEFERRAL_DAYS, DeferOrder, PatchOrder, PostureQuestion
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef, related_id
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.recipe import DebInstall, RpmInstall

MAX_HISTORY_SHOWN = 500


class InstallRequests:
    """Answers questions and orders of the local socket. Runs in the daemon's trio thread."""

    def __init__(self, installs: Installs, clock: Clock) -> None:
        self._installs = installs
        self._now = clock.now

    # --- questions --------------------------------------------------------------------

    def plan(self) -> PlanAnswer:
        """Return the answer to `p2pdist plan`."""
        installs = self._installs
        return PlanAnswer(
            installs.problem or installs.clock_problem,
            [_plan_patch(row) for row in installs.plan()],
            self._restarts(),
        )

    def _restarts(self) -> list[PlanRestart]:
        manifests, due = self._manifests(), self._installs.restarter.due(self._installs.moment())
        return [_plan_restart(restart, manifests.get(restart.ref)) for restart in due]

    def notices(self) -> NoticesAnswer:
        """Return what the session agent tells this PC's user."""
        moment = self._installs.moment()
        restarts = self._installs.restarter.due(moment)
        return NoticesAnswer(
            coming_installs(self._installs.plan(), moment),
            coming_restarts(restarts, self._manifests() if restarts else {}, moment.at.timestamp()),
        )

    def _manifests(self) -> dict[PatchRef, Manifest]:
        return {row.candidate.ref: row.candidate.manifest for row in self._installs.plan()}

    def history(self) -> HistoryAnswer:
        """Return the answer to `p2pdist history`: the newest last."""
        return HistoryAnswer(
            [
                HistoryStep(
                    at=entry.at,
                    id=entry.patch_id,
                    version=entry.version,
                    decision=entry.decision,
                    what=entry.what,
                    output=entry.output,
                )
                for entry in self._installs.journal.history[-MAX_HISTORY_SHOWN:]
            ]
        )

    def posture(
        self, endpoint_id: str, hostname: str, problem: str, question: PostureQuestion | None = None
    ) -> PostureStatement:
        """Return this PC's posture as the answer to ``question`` (None: to nobody's), not yet signed."""
        installs, now = self._installs, self._now()
        restarts = {restart.ref: restart for restart in installs.restarter.due(installs.moment()) if restart.is_asked}
        rows = [row for row in installs.plan() if row.record is not None or not row.waits_for_rollout]
        patches = [_standing(row, now, restarts.get(row.candidate.ref)) for row in rows]
        if not installs.looked:
            problem = problem or "what is installed here has not been looked at yet"
        problem = installs.clock_problem or problem or installs.problem
        unfinished = [restart for restart in restarts.values() if is_overdue(restart, now)]
        stated = posture(
            endpoint_id, hostname, patches, problem, now,
            clock_believed=not installs.clock_problem, restarts=[str(r) for r in restarts], unfinished=bool(unfinished),
        )  # fmt: skip
        return replace(stated, nonce=question.nonce, audience=question.audience) if question else stated

    # --- the user's decisions ----------------------------------------------------------

    async def defer(self, order: DeferOrder) -> Deferred:
        """Put a patch off. Raises `UserError`: REFUSED with the reason if that is not allowed, or BAD_INPUT."""
        row, moment = self._installable(order.patch), self._installs.moment()
        schedule = schedule_for(row.candidate.manifest, moment.zone)
        seconds = schedule.longest_deferral.total_seconds() if order.seconds is None else order.seconds
        if not 0 < seconds <= MAX_DEFERRAL_DAYS * DAY_SECONDS:
            raise UserError("A deferral lasts from a second to 30 days.", FaultKind.BAD_INPUT)
        if self._installs.clock_problem:
            raise UserError(f"{row.candidate.ref} waits anyway. {self._installs.clock_problem}", FaultKind.REFUSED)
        made: list[Deferral] = []
        wanted = None if order.end else timedelta(seconds=seconds)

        def deferred(record: InstallRecord) -> InstallRecord:
            made[:] = [_deferral(row, record, moment, wanted)]
            after = made[0].after
            return replace(
                record,
                deferral_count=after.count,
                deferred_until=None if after.until is None else after.until.timestamp(),
                deferred_since=None if after.since is None else after.since.timestamp(),
            )

        record = await self._installs.store.update(
            row.candidate.ref, deferred, lambda _: _deferral_words(made[0], moment)
        )
        (deferral,) = made
        if deferral.changed:  # else a user who asks without end has the loop look without end
            self._installs.wake()
        return Deferred(
            record.patch_id,
            record.version,
            until=deferral.until.timestamp(),
            deferrals_left=schedule.deferrals - record.deferral_count,
            counted=deferral.counted,
            note=deferral.note,
            title=row.candidate.manifest.title,
            titles=row.candidate.manifest.other_titles,
        )

    async def roll_back(self, order: PatchOrder) -> Accepted:
        """Ask for the rollback of an installed patch. Raises `UserError` (REFUSED, BAD_INPUT)."""
        row = self._installable(order.patch)

        def asked(record: InstallRecord) -> InstallRecord:
            if record.state not in ("installed", "unproven"):
                raise UserError(
                    f"{row.candidate.ref} cannot be rolled back: it is {_words(record.state)}.", FaultKind.REFUSED
                )
            if record.own is None and isinstance(row.candidate.manifest.install, DebInstall | RpmInstall):
                record = with_way_back(record, self._installs.journal)
            if record.own is None:
                raise UserError(
                    f"{row.candidate.ref} was here already and was not installed by p2pdist, which knows no way back.",
                    FaultKind.REFUSED,
                )
            return replace(record, undo_asked=True)

        what = "this PC's user asks to have it rolled back"
        record = await self._installs.store.update(row.candidate.ref, asked, what)
        self._installs.wake()
        return Accepted(record.patch_id, record.version)

    async def retry(self, order: PatchOrder) -> Accepted:
        """Ask to try a failed or rolled back patch again now. Raises `UserError` (REFUSED, BAD_INPUT)."""
        row = self._installable(order.patch)

        def asked(record: InstallRecord) -> InstallRecord:
            if record.retry_at is not None and record.state in ("waiting", "unproven"):
                return replace(record, retry_at=self._now())
            if record.state not in ("failed", "rolled_back"):
                raise UserError(f"{row.candidate.ref} needs no retry: it is {_words(record.state)}.", FaultKind.REFUSED)
            if row.candidate.recalled:
                raise UserError(f"{row.candidate.ref} is not tried again: {record.reason}.", FaultKind.REFUSED)
            return replace(record, retry_at=self._now(), attempts={}, failure=None, reason="")

        what = "this PC's user asks to have it tried again"
        record = await self._installs.store.update(row.candidate.ref, asked, what)
        self._installs.wake()
        return Accepted(record.patch_id, record.version)

    def _installable(self, relation: str) -> PlanRow:
        found = [row for row in self._installs.plan() if row.candidate.ref.matches(relation)]
        if not found:
            raise UserError(
                f"{related_id(relation)[:80]!r} is not rolled out to this PC. 'p2pdist plan' lists what is.",
                FaultKind.BAD_INPUT,
            )
        row = found[0]
        if row.record is None or row.state == "not_applicable":
            why = row.candidate.not_applicable or "its file is delivered, and nothing is installed of it"
            why = f"it is refused: {row.older}" if row.older else row.candidate.not_yet or why
            raise UserError(f"{row.candidate.ref}: {why}.", FaultKind.REFUSED)
        return row


def _plan_patch(row: PlanRow) -> PlanPatch:
    manifest, record = row.candidate.manifest, row.record
    return PlanPatch(
        id=manifest.patch_id,
        version=manifest.version,
        title=manifest.title,
        severity=manifest.severity,
        state=_plan_state(row),
        step=row.kind.value,
        reason=row.reason,
        again_at=row.again_at,
        due_at=row.due_at,
        emergency=manifest.schedule.emergency,
        deferrals_used=record.deferral_count if record else 0,
        deferrals_allowed=manifest.schedule.deferrals,
        restart_needed=record is not None and record.restart_boot is not None,
        titles=manifest.other_titles,
    )


def _plan_restart(restart: DueRestart, manifest: Manifest | None) -> PlanRestart:
    return PlanRestart(
        restart.ref.patch_id,
        restart.ref.version,
        by=restart.by.value,
        why=restart.why,
        again_at=restart.again_at,
        due_at=restart.due_at,
        title=manifest.title if manifest else "",
        titles=manifest.other_titles if manifest else {},
    )


def _deferral(row: PlanRow, record: InstallRecord, moment: PlanMoment, wanted: timedelta | None) -> Deferral:
    """Return the deferral by ``wanted``; None: the end of the one that lasts."""
    ref, schedule = row.candidate.ref, schedule_for(row.candidate.manifest, moment.zone)
    if record.state != "waiting":
        raise UserError(f"{ref} cannot be deferred: it is {_words(record.state)}.", FaultKind.REFUSED)
    so_far = deferrals_of(record, schedule, moment.at)
    if wanted is None:
        return ended(so_far, moment.at)
    try:
        return defer(schedule, so_far, moment.at, wanted, moment.zone, moment.notice(record, schedule))
    except DeferralRefusedError as error:
        raise UserError(f"{ref} stays as planned. {error}", FaultKind.REFUSED) from error


def _deferral_words(deferral: Deferral, moment: PlanMoment) -> str:
    """Return the line in the history; empty for a wish that has changed nothing."""
    if not deferral.changed:
        return ""
    if deferral.until <= moment.at:
        return "its deferral is ended by this PC's user"
    return f"deferred by this PC's user until {deferral.until.astimezone(moment.zone):%Y-%m-%d %H:%M}"


def _plan_state(row: PlanRow) -> PlanState:
    return row.state or ("delivered" if row.candidate.file and not row.waits_for_rollout else "waiting")


def _words(state: str) -> str:
    return "under way" if state in UNDER_WAY else state.replace("_", " ")


def _standing(row: PlanRow, now: float, restart: DueRestart | None) -> PatchStanding:
    record, manifest = row.record, row.candidate.manifest
    return PatchStanding(
        patch_id=manifest.patch_id,
        version=manifest.version,
        severity=manifest.severity,
        state=row.state or "delivered",
        reason=row.reason,
        settled=row.settled,
        failed=row.state in ("failed", "rolled_back"),  # and nobody tries it again
        # a clock that was wrong then may have shown a time before it was published
        first_seen_at=max(record.first_seen_at, float(manifest.published_at)) if record else now,
        due_at=row.due_at,
        restart_needed=restart is not None,
    )
