"""The loop that installs patches: it looks what is installed, what is due next, and when; `executor` carries it out."""

import dataclasses
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

import structlog
import trio
from msgspec.structs import replace

from p2pdist.install import local_time
from p2pdist.install.executor import Executor
from p2pdist.install.installer import Installer
from p2pdist.install.journal import JournalStore, RecordGoneError
from p2pdist.install.lifecycle import (
    LONGEST_RETRY_SECONDS,
    STAYS_BACK,
    UNDER_WAY,
    InstallRecord,
    Journal,
    LifeEvent,
    new_record,
    published_again,
    step,
)
from p2pdist.install.plan import Candidate, PlanRow, plan_rows
from p2pdist.install.withdrawals import note_withdrawals
from p2pdist.pc import system
from p2pdist.settings import EndpointHome
from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import PatchRef, TorrentHash
from p2pdist.shared.manifest.documents import Withdrawal

LONGEST_WAIT_SECONDS = 60.0  # clocks are set and laptops sleep: look at least this often at what is due
DETECT_AGAIN_SECONDS = 3_600.0  # between detections of a settled patch: somebody may have removed it
PLAN_KEPT_SECONDS = 5.0  # a plan this old is still right: its times are whole minutes
RESTART_MINUTES = 5  # so that the PC's user can save their work
RESTART_LASTS_SECONDS = 600.0  # a restart that has not happened by then was cancelled

log = structlog.get_logger()


@dataclass(frozen=True)
class DaemonHooks:
    """What the loop asks of the rest of the daemon, and tells it."""

    blackout_until: Callable[[], datetime | None]
    """Until when nothing may be installed; None: no blackout now."""
    damaged: Callable[[TorrentHash], Awaitable[None]]
    """Called for a file that is not any more what was proven."""
    facts_changed: Callable[[], None]
    """Called after each installation: other patches may apply now."""
    withdrawn: Callable[[], Sequence[Withdrawal]] = tuple
    """The patches that were taken back."""
    holds_back: Callable[[], str] = str
    """Why nothing may be begun now, in words; empty: it may."""
    at_work: trio.Lock = field(default_factory=trio.Lock)
    """Held while something is installed: nothing else may end the daemon's parts meanwhile."""


class Installs:
    """Installs what is due, one decision at a time. All methods run in the daemon's one trio thread."""

    def __init__(
        self,
        home: EndpointHome,
        installer: Installer,
        candidates: Callable[[], Sequence[Candidate]],
        hooks: DaemonHooks,
        clock: Clock,
        *,
        may_restart: bool,
        zone: Callable[[float], tzinfo] = local_time.zone,
    ) -> None:
        self._home = home
        self._installer = installer
        self._candidates = candidates
        self._hooks = hooks
        self._may_restart = may_restart
        self._now = clock.now
        self._zone = zone
        self.store = JournalStore(home, clock)
        self.executor = Executor(home, installer, self.store, hooks.at_work)
        self.problem = ""
        """Why nothing is installed, in words; empty while all is well."""
        self.looked = False
        """Whether detection has looked at every patch since the start."""
        self._looked_at: dict[PatchRef, float] = {}
        self._last_candidates: dict[PatchRef, Candidate] = {}
        """Candidates of patches that have been begun: needed to finish one that is withdrawn meanwhile."""
        self._planned: tuple[float, list[Candidate], Journal, list[PlanRow]] | None = None
        self._wake = trio.Event()
        self._restart_at = -math.inf

    @property
    def journal(self) -> Journal:
        """The journal as it is on disk."""
        return self.store.journal

    async def load(self) -> None:
        """Read the journal. Call once, first. Raises `OSError`."""
        await self.store.load()

    def wake(self) -> None:
        """Look at once: something has changed."""
        self._wake.set()

    async def run(self) -> None:
        """Install what is due, until cancelled. An installer that runs then gets time to end."""
        while True:
            self._wake = trio.Event()
            wait = await self.step()
            with trio.move_on_after(wait):
                await self._wake.wait()

    def plan(self) -> list[PlanRow]:
        """Return every patch in the order of installation, with its step as of now; kept for `PLAN_KEPT_SECONDS`."""
        now, candidates = self._now(), list(self._candidates())
        if self._planned is not None:
            at, known, journal, rows = self._planned
            if 0 <= now - at < PLAN_KEPT_SECONDS and journal is self.journal and known == candidates:
                return rows
        rows = plan_rows(candidates, self.journal, now, self._zone(now), blackout_until=self._hooks.blackout_until())
        self._planned = now, candidates, self.journal, rows
        return rows

    async def step(self) -> float:
        """Do what is due now: one decision at most. Return the seconds until the next look."""
        try:
            wait = await self._step()
        except RecordGoneError:
            return 1.0
        except OSError as error:
            self.problem = (
                f"Nothing can be installed: {self._home.installs} cannot be written ({error.strerror}). "
                "Make room, or check the disk."
            )
            log.error("the journal cannot be written", path=str(self._home.installs), cause=error.strerror)  # noqa: TRY400
            return LONGEST_WAIT_SECONDS
        self.problem = ""
        return wait

    async def _step(self) -> float:
        candidates = {candidate.ref: candidate for candidate in self._candidates()}
        await self._update_records(candidates)
        await note_withdrawals(self.store, self._hooks.withdrawn())
        self._remember(candidates)
        for record in self.journal.records:
            candidate = candidates.get(record.ref) or self._last_candidates.get(record.ref)
            if candidate is not None and (
                record.state in UNDER_WAY or (record.state, record.undo_asked) == ("installed", True)
            ):
                await self.executor.carry_on(candidate)
                self._done()
                return 0.0
        await self._detect_all(candidates)
        self._planned = None
        rows = self.plan()
        due = next((row for row in rows if row.due), None)
        if due is not None and not self._restarts and not self._hooks.holds_back():
            await self._install(due)
            return 0.0
        await self._restart_if_due(rows)
        waits = [row.again_at - self._now() for row in rows if row.again_at is not None]
        return min(LONGEST_WAIT_SECONDS, max(1.0, min(waits, default=math.inf)))

    def _remember(self, candidates: dict[PatchRef, Candidate]) -> None:
        """Keep the candidates of what has been begun: a patch that is withdrawn is still finished or rolled back."""
        known = self._last_candidates
        self._last_candidates = {}
        for record in self.journal.records:
            ref = record.ref
            candidate = candidates.get(ref)
            if candidate is None and ref in known:
                candidate = dataclasses.replace(known[ref], file=None)  # a withdrawn patch's file is removed
            if candidate is not None and not record.untouched:
                self._last_candidates[ref] = candidate

    async def _install(self, row: PlanRow) -> None:
        assert row.record is not None
        self._last_candidates[row.candidate.ref] = row.candidate
        good = await self.executor.begin(
            row.candidate, row.reason, row.record, still=lambda: self._is_offered(row.candidate)
        )
        self._done()
        if not good and row.candidate.payload is not None:
            await self._hooks.damaged(TorrentHash(row.candidate.payload.torrent_hash))

    def _is_offered(self, candidate: Candidate) -> bool:
        """Whether it may still be begun: it takes seconds to make ready, and may be withdrawn meanwhile."""
        return not self._hooks.holds_back() and any(
            other.manifest == candidate.manifest and not other.older and not other.not_applicable
            for other in self._candidates()
        )

    def _done(self) -> None:
        self._looked_at.clear()  # one installation may bring what another patch detects
        self._hooks.facts_changed()

    async def _update_records(self, candidates: dict[PatchRef, Candidate]) -> None:
        """Add a record for each new patch; remove the record of a withdrawn one with which nothing has happened."""
        now = self._now()
        required = {relation for candidate in candidates.values() for relation in candidate.manifest.requires}
        wanted = [
            ref
            for ref, candidate in candidates.items()
            # a patch that does not apply may be installed all the same; that matters if another requires it
            if candidate.manifest.install is not None
            and (not candidate.not_applicable or required & {ref.patch_id, str(ref)})
        ]
        again = [
            record.ref
            for record in self.journal.records
            if record.ref in candidates and record.number < candidates[record.ref].manifest.number
        ]
        for ref in again:
            self._looked_at.pop(ref, None)

        def change(journal: Journal) -> Journal:
            for record in journal.records:
                if record.ref in again:
                    journal = journal.with_record(published_again(record, candidates[record.ref].manifest, now))
            known = {record.ref for record in journal.records}
            new = [new_record(candidates[ref].manifest, now) for ref in wanted if ref not in known]
            kept = [
                record
                for record in journal.records
                if not candidates or record.ref in candidates or not record.untouched
            ]
            return replace(journal, records=(*kept, *new)) if new or len(kept) < len(known) else journal

        await self.store.change(change)

    async def _detect_all(self, candidates: dict[PatchRef, Candidate]) -> None:
        """Detect every patch that was not looked at lately; start retries that are due."""
        for ref, candidate in candidates.items():
            record, now = self.store.record(ref), self._now()
            if record is None:
                continue
            if record.retry_at is not None and not now < record.retry_at <= now + LONGEST_RETRY_SECONDS:
                await self._retry(ref)  # the upper bound: the clock may have been ahead when it failed
            looked_at = self._looked_at.get(ref)
            if looked_at is not None and 0 <= now - looked_at < DETECT_AGAIN_SECONDS:
                continue
            self._looked_at[ref] = now
            answer = await self._installer.detector.detected(candidate.manifest)
            await self._apply_answer(ref, answer.holds, answer.words)
        self.looked = True

    async def _retry(self, ref: PatchRef) -> None:
        def retried(record: InstallRecord) -> InstallRecord:
            return record if record.retry_at is None else step(record, LifeEvent.RETRIED, self._now())

        await self.store.update(ref, retried, LifeEvent.RETRIED.value)

    async def _apply_answer(self, ref: PatchRef, holds: bool, words: str) -> None:
        record = self.store.record(ref)
        if record is None or record.state in UNDER_WAY:
            return
        # a patch that did harm or was rolled back is no success because it is detected: somebody has to ask for it
        if holds and record.state != "installed" and not (record.failure in STAYS_BACK and record.state != "waiting"):
            event, what = LifeEvent.DETECTED, f"is here already: {words}"
        elif not holds and record.state == "installed" and not self._just_installed(record):
            event, what = LifeEvent.NOT_DETECTED, f"is not here any more: {words}"
        else:
            return
        await self.store.update(ref, lambda r: step(r, event, self._now()) if r.state == record.state else r, what)

    def _just_installed(self, record: InstallRecord) -> bool:
        """Whether we installed it so lately that two patches may be undoing each other, or its check flaps."""
        return record.decision > 0 and 0 <= self._now() - record.changed_at < DETECT_AGAIN_SECONDS

    @property
    def _restarts(self) -> bool:
        """Whether the PC is about to be restarted: nothing is begun that the restart would interrupt."""
        return 0 <= self._now() - self._restart_at < RESTART_LASTS_SECONDS

    async def _restart_if_due(self, rows: Sequence[PlanRow]) -> None:
        """Restart the PC for a patch that needs it, within its window; note a restart that has happened."""
        boot = system.boot_id()
        for row in rows:
            if row.record is None or row.record.restart_boot is None:
                continue
            if row.record.restart_boot != boot:
                await self.store.update(
                    row.candidate.ref, lambda r: replace(r, restart_boot=None), "the PC has been restarted"
                )
            elif row.restart_due and self._may_restart and not self._restarts:
                outcome = await self._installer.restart_pc(
                    RESTART_MINUTES, f"This PC restarts in {RESTART_MINUTES} minutes to finish {row.candidate.ref}."
                )
                if outcome.succeeded:
                    self._restart_at = self._now()
                await self.store.update(
                    row.candidate.ref, lambda r: r, f"the PC is restarted: {outcome.words}", outcome.output
                )
