"""The loop that installs patches: it looks what is installed, what is due next, and when; `executor` carries it out."""

import dataclasses
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo

import msgspec
import trio

from p2pdist.install import journal_notes, local_time, waiting
from p2pdist.install.executor import Executor
from p2pdist.install.findings import CheckResult, Whether
from p2pdist.install.installer import Installer
from p2pdist.install.journal import JournalStore, RecordGoneError
from p2pdist.install.kept_files import KeptPayloads
from p2pdist.install.lifecycle import (
    STAYS_BACK,
    UNDER_WAY,
    InstallRecord,
    Journal,
    LifeEvent,
    step,
)
from p2pdist.install.plan import Candidate, PlanMoment, PlanRow, plan_rows
from p2pdist.install.recalls import note_recalls
from p2pdist.install.restarter import Restarter
from p2pdist.install.supervision import SUPERVISED_LOOK_SECONDS, ServerPlace, Supervision
from p2pdist.install.withdrawals import note_withdrawals
from p2pdist.pc import system
from p2pdist.settings import EndpointHome
from p2pdist.shared.clock import Clock
from p2pdist.shared.identifiers import PatchRef, TorrentHash
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.look_pace import look_pause_seconds
from p2pdist.shared.manifest.documents import Withdrawal
from p2pdist.transfer.names import NameChange
from p2pdist.trust.catalogue import RecalledPatch

LONGEST_WAIT_SECONDS = 60.0  # clocks are set and laptops sleep: look at least this often at what is due
DETECT_AGAIN_SECONDS = 3_600.0  # between detections of a settled patch: somebody may have removed it
KEPT_LOOK_SECONDS = 86_400.0  # between two looks for kept files that nothing needs
PLAN_KEPT_SECONDS = 5.0  # a plan this old is still right: its times are whole minutes
SETTLED_PLAN_KEPT_SECONDS = 60.0  # … and one in which nothing is left to be done has none

log = lazy_log()


@dataclass(frozen=True)
class DaemonHooks:
    """What the loop asks of the rest of the daemon, and tells it."""

    blackout_until: Callable[[], datetime | None]
    """Until when nothing may be installed; None: no blackout now."""
    damaged: Callable[[TorrentHash], Awaitable[None]]
    """Called for a file that is not any more what was proven."""
    facts_changed: Callable[[], None]
    """Called after each installation: other patches may apply now."""
    names_changed: Callable[[NameChange], None] = lambda _: None
    """Called for a file that the installer gave another name, or took one from: its proof holds as before."""
    withdrawn: Callable[[], Sequence[Withdrawal]] = tuple
    """The patches that were taken back."""
    recalled: Callable[[], Sequence[RecalledPatch]] = tuple
    """What goes back of what is installed."""
    holds_back: Callable[[], str] = str
    """Why nothing may be begun now, in words; empty: it may."""
    at_work: trio.Lock = field(default_factory=trio.Lock)
    """Held while something is installed: nothing else may end the daemon's parts meanwhile."""
    clock_problem: Callable[[], str] = lambda: ""
    """Why this PC's clock cannot be believed, in words; empty: it can."""
    passed: Callable[[], float] = float
    """The time that has certainly passed, whatever the clock shows, in seconds since 1970; 0: not known."""
    spoken: Callable[[], bool] = bool
    """Whether the server has welcomed this run of the daemon."""
    server: Callable[[], ServerPlace | None] = lambda: None
    """Where the server is, for the supervisor of an upgrade of p2pdist itself."""


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
        self._now = clock.now
        self._monotonic = clock.monotonic
        self._zone = zone
        self.store = JournalStore(home, clock)
        self.supervision = Supervision(home.upgrade, installer, hooks.server, hooks.spoken)
        self.kept = KeptPayloads(home.kept, self.store, hooks.names_changed)
        """The files of a way back."""
        self._swept_at = -math.inf
        self.executor = Executor(home, installer, self.store, hooks.at_work, self.kept, self.supervision)
        self.restarter = Restarter(self.store, installer, clock, may_restart=may_restart)
        self.problem = ""
        """Why nothing is installed, in words; empty while all is well."""
        self.looked = False
        """Whether detection has looked at every patch since the start."""
        self._looked_at: dict[PatchRef, float] = {}
        self._last_candidates: dict[PatchRef, Candidate] = {}
        """Candidates of patches that have been begun: needed to finish one that is withdrawn meanwhile."""
        self._planned: tuple[float, Sequence[Candidate], Journal, bool, list[PlanRow]] | None = None
        self._first_seen: dict[PatchRef, float] = {}
        """When each patch was seen first since the start, by the steady clock."""
        self._wake = trio.Event()
        self._started = False

    @property
    def journal(self) -> Journal:
        """The journal as it is on disk."""
        return self.store.journal

    @property
    def clock_problem(self) -> str:
        """Why this PC's clock cannot be believed, in words; empty: it can."""
        return self._hooks.clock_problem()

    async def load(self) -> None:
        """Read the journal. Call once, first. Raises `OSError`."""
        await self.store.load()
        await self.supervision.resume()

    def wake(self) -> None:
        """Look at once: something has changed."""
        self._wake.set()

    async def run(self) -> None:
        """Install what is due, until cancelled. An installer that runs then gets time to end."""
        while True:
            self._wake = trio.Event()
            wait = await self.step()
            with trio.move_on_after(wait):
                await trio.sleep(look_pause_seconds(len(self._candidates())))
                await self._wake.wait()

    def plan(self) -> list[PlanRow]:
        """Return every patch in the order of installation, with its step as of now, or of a moment ago."""
        now, candidates, believed = self._now(), self._candidates(), not self._hooks.clock_problem()
        if self._planned is not None:
            at, known, journal, was_believed, rows = self._planned
            same = journal is self.journal and known == candidates and was_believed is believed
            settled = same and all(row.settled for row in rows)
            if same and 0 <= now - at < (SETTLED_PLAN_KEPT_SECONDS if settled else PLAN_KEPT_SECONDS):
                return rows
        rows = plan_rows(candidates, self.journal, self.moment())
        self._planned = now, candidates, self.journal, believed, rows
        return rows

    def moment(self) -> PlanMoment:
        """Return the time, and what holds now."""
        now, steady = self._now(), self._monotonic()
        return PlanMoment(
            datetime.fromtimestamp(now, UTC),
            self._zone(now),
            self._hooks.blackout_until(),
            clock_believed=not self._hooks.clock_problem(),
            seen_since={ref: now - (steady - first) for ref, first in self._first_seen.items()},
        )

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
        self._first_seen = {ref: self._first_seen.get(ref, self._monotonic()) for ref in self._seen(candidates)}
        await self._tidy()
        await self._ask_again()
        for ref in journal_notes.published_anew(self.journal, candidates):
            self._looked_at.pop(ref, None)
        await self.store.change(lambda journal: journal_notes.with_patches(journal, candidates, self._now()))
        await self.store.change(lambda journal: journal_notes.with_deadlines(journal, candidates, self.moment()))
        await note_withdrawals(self.store, self._hooks.withdrawn())
        await note_recalls(self.store, self._hooks.recalled())
        self._remember(candidates)
        supervised = False
        for record in self.journal.records:
            candidate = candidates.get(record.ref) or self._last_candidates.get(record.ref)
            if candidate is not None and self._goes_on(record):
                if await self.executor.carry_on(candidate):
                    self._done()
                    return 0.0
                supervised = True
            elif record.supervised:  # its patch is not known yet, or was withdrawn; the supervisor lives on
                progress = await self.executor.own_upgrade.look(record)
                supervised |= progress is not None and not progress.result
        if supervised and self.executor.own_upgrade.works:
            return SUPERVISED_LOOK_SECONDS
        await self._detect_all(candidates)
        await self.executor.own_upgrade.keep_what_is_here(candidates.values())
        self._planned = None
        rows = self.plan()
        due = next((row for row in rows if row.due), None)
        if due is not None and supervised and self.executor.own_upgrade.concerns(due.candidate.manifest.install):
            due = None  # one at a time
        if due is not None and not self.restarter.is_coming and not self._hooks.holds_back():
            await self._install(due)
            return 0.0
        restart_at = await self.restarter.look(self.moment())
        again = [at for at in (restart_at, *(row.again_at for row in rows)) if at is not None]
        longest = SUPERVISED_LOOK_SECONDS if supervised else LONGEST_WAIT_SECONDS
        return min(longest, max(1.0, min(again, default=math.inf) - self._now()))

    async def _tidy(self) -> None:
        """Note the start, and remove once a day what is kept that nothing needs."""
        if not self._started:
            await self.store.change(journal_notes.with_start)
            await self.executor.own_upgrade.tidy()
            self._started = True
        if self._monotonic() - self._swept_at >= KEPT_LOOK_SECONDS:
            self._swept_at = self._monotonic()
            await self.kept.drop_left()

    async def give_up_way_back(self, ref: PatchRef) -> None:
        """Drop the kept file of an installed patch, to make room: nothing goes back to it then. Raises `OSError`."""
        async with self._hooks.at_work:
            record = self.store.record(ref)
            if record is None or record.own is None or record.state != "installed":
                return
            said = "its kept file has left to make room"
            await self.store.update(ref, lambda r: msgspec.structs.replace(r, own=None), said)
            await self.kept.drop_unneeded(ref.patch_id)

    def _seen(self, candidates: dict[PatchRef, Candidate]) -> set[PatchRef]:
        return candidates.keys() | {record.ref for record in self.journal.records if record.restart_boot is not None}

    def _goes_on(self, record: InstallRecord) -> bool:
        """Whether there is something to be done for a decision that was made, or for a rollback that was asked for."""
        if self.restarter.is_coming:  # either may run an installer
            return False
        if record.state in UNDER_WAY:
            return not waiting.waits(record, self._now())
        return record.undo_asked and record.state in ("installed", "unproven")

    async def _ask_again(self) -> None:
        """Have detection asked again for what could not be proven, when its time has come or the PC was restarted."""
        boot, now = system.boot_id(), self._now()
        for record in self.journal.records:
            if record.state == "unproven" and record.retry_at is not None and not waiting.waits(record, now):
                await self.store.update(record.ref, lambda r: waiting.asked_again(r, now))
        for record in self.journal.records:
            if waiting.restarted(record, boot, now) != record:
                await self.store.update(
                    record.ref, lambda r: waiting.restarted(r, boot, now), "the PC has been restarted"
                )

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
            other.manifest == candidate.manifest and not (other.older or other.not_applicable or other.not_yet)
            for other in self._candidates()
        )

    def _done(self) -> None:
        self._looked_at.clear()  # one installation may bring what another patch detects
        self._hooks.facts_changed()

    async def _detect_all(self, candidates: dict[PatchRef, Candidate]) -> None:
        """Detect every patch that was not looked at lately; start retries that are due."""
        for ref, candidate in candidates.items():
            record, now = self.store.record(ref), self._now()
            if record is None:
                continue
            if record.state == "unproven":
                continue  # it is asked for when its time comes, and followed to its end
            if record.retry_at is not None and not waiting.waits(record, now):
                await self._retry(ref)
            looked_at = self._looked_at.get(ref)
            if looked_at is not None and 0 <= now - looked_at < DETECT_AGAIN_SECONDS:
                continue
            self._looked_at[ref] = now
            answer = await self._installer.detector.detected(candidate.manifest, record.package)
            await self._apply_answer(ref, answer)
        self.looked = True

    async def _retry(self, ref: PatchRef) -> None:
        def retried(record: InstallRecord) -> InstallRecord:
            if record.retry_at is None or record.state in UNDER_WAY:
                return record
            return step(record, LifeEvent.RETRIED, self._now())

        before = self.store.record(ref)
        put_off = before is not None and before.put_off is not None  # that is no news
        await self.store.update(ref, retried, "" if put_off else LifeEvent.RETRIED.value)

    async def _apply_answer(self, ref: PatchRef, answer: CheckResult) -> None:
        record = self.store.record(ref)
        if record is None or record.state in UNDER_WAY or answer.finding is Whether.UNKNOWN:
            return
        holds, words = answer.holds, answer.words
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
