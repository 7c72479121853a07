"""The patch life on this PC: what is installed when, carried out step by step with the journal, and proven."""

import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import TypeVar

import structlog
import trio
from msgspec.structs import replace

from p2pdist.core.install_life import (
    MAX_OUTPUT_CHARS,
    UNDER_WAY,
    Failure,
    HistoryEntry,
    InstallRecord,
    Journal,
    KeptFile,
    LifeEvent,
    failed,
    settled,
    step,
)
from p2pdist.core.install_plan import Offer, PlanRow, plan_rows
from p2pdist.edges import install_journal, local_facts, local_time
from p2pdist.edges.installer import Installer, KeptPayload, Outcome, PayloadChangedError
from p2pdist.identifiers import TorrentHash
from p2pdist.settings import EndpointHome
from p2pdist.wire.messages import MAX_TEXT_CHARS, InstallState

LONGEST_WAIT_SECONDS = 60.0  # clocks are set and laptops sleep: what is due is looked at again this often
LOOK_SECONDS = 3_600.0  # between detections of what is settled: somebody may have removed it
STOP_SECONDS = 60.0  # an installer that runs when the daemon stops may come to its end
RESTART_MINUTES = 5  # for whoever is at the PC to save their work

T = TypeVar("T")

log = structlog.get_logger()


@dataclass(frozen=True)
class Surroundings:
    """What the rest of the daemon knows, and is told."""

    blackout_until: Callable[[], datetime | None]
    """Until when nothing may be installed; None: no blackout now."""
    damaged: Callable[[TorrentHash], Awaitable[None]]
    """Told of a file that is not what was proven."""
    facts_changed: Callable[[], None]
    """Told after each installation: other patches may apply now."""


class Installs:
    """All methods run in the daemon's one trio thread."""

    def __init__(
        self,
        home: EndpointHome,
        installer: Installer,
        offers: Callable[[], Sequence[Offer]],
        around: Surroundings,
        *,
        may_restart: bool,
        now: Callable[[], float] = time.time,
        zone: Callable[[], tzinfo] = local_time.zone,
    ) -> None:
        self._home = home
        self._installer = installer
        self._offers = offers
        self._around = around
        self._may_restart = may_restart
        self._now = now
        self._zone = zone
        self.journal = Journal()
        self.rows: list[PlanRow] = []
        """The plan as of the last step."""
        self.problem = ""
        """Why nothing is installed, in words; empty while all is well."""
        self._looked_at: dict[tuple[str, str], float] = {}
        self._wake = trio.Event()
        self._restarting = False

    async def load(self) -> None:
        """Read the journal. Call once, first. Raises `OSError`."""
        self.journal = await install_journal.load_journal(self._home.installs)

    def wake(self) -> None:
        """Look at once: something has changed."""
        self._wake.set()

    def look_again(self) -> None:
        """Detect everything anew, and at once."""
        self._looked_at.clear()
        self.wake()

    async def decided(self, record: InstallRecord, what: str) -> None:
        """Take in what this PC's user has decided. Raises `OSError`."""
        await self._write(record, what)
        self.wake()

    def state_of(self, patch_id: str, version: str) -> tuple[InstallState, str]:
        """Return what the server is told of a patch: its state, and why in words."""
        for row in self.rows:
            if row.offer.name == (patch_id, version):
                return row.state, row.reason
        return "", ""

    async def run(self) -> None:
        """Install what is due, until cancelled. An installer that runs then has `STOP_SECONDS` to end."""
        while True:
            self._wake = trio.Event()
            wait = await self.step()
            with trio.move_on_after(wait):
                await self._wake.wait()

    async def step(self) -> float:
        """Do what is due now: one decision at most. Return after how many seconds to look again."""
        offers = {offer.name: offer for offer in self._offers()}
        try:
            await self._take_up(offers)
            for record in self.journal.records:
                offer = offers.get((record.patch_id, record.version))
                if offer is not None and (record.state in UNDER_WAY or record.undo_asked):
                    await self._carry_on(offer, record)
                    return 0.0
            await self._look(offers)
            self.rows = self._plan(offers)
            due = next((row for row in self.rows if row.due), None)
            if due is not None:
                await self._install(due.offer)
                return 0.0
            await self._restart_if_due()
        except OSError as error:
            self.problem = (
                f"Nothing can be installed: {self._home.installs} cannot be written ({error.strerror}). "
                "Make room, or check the disk."
            )
            log.error("the journal cannot be written", path=str(self._home.installs), cause=error.strerror)  # noqa: TRY400
            return LONGEST_WAIT_SECONDS
        self.problem = ""
        waits = [row.again_at - self._now() for row in self.rows if row.again_at is not None]
        return min(LONGEST_WAIT_SECONDS, max(1.0, min(waits, default=math.inf)))

    def _plan(self, offers: dict[tuple[str, str], Offer]) -> list[PlanRow]:
        return plan_rows(
            list(offers.values()), self.journal, self._now(), self._zone(), blackout_until=self._around.blackout_until()
        )

    async def _take_up(self, offers: dict[tuple[str, str], Offer]) -> None:
        """Begin a record for each new patch; forget those of withdrawn ones that have never been installed."""
        known = {(record.patch_id, record.version): record for record in self.journal.records}
        now = self._now()
        new = [
            InstallRecord(patch_id=name[0], version=name[1], state="waiting", first_seen_at=now, changed_at=now)
            for name, offer in offers.items()
            if name not in known and offer.manifest.install is not None and not offer.not_applicable
        ]
        gone = {name for name, record in known.items() if offers and name not in offers and record.own is None}
        if new or gone:
            records = [record for name, record in known.items() if name not in gone]
            await self._save(replace(self.journal, records=(*records, *new)))

    # --- looking ---------------------------------------------------------------------

    async def _look(self, offers: dict[tuple[str, str], Offer]) -> None:
        """Ask detection of everything that is settled or waits, where that is long ago; begin retries that are due."""
        for name, offer in offers.items():
            record, now = self.journal.record(*name), self._now()
            if record is None:
                continue
            if record.retry_at is not None and now >= record.retry_at:
                record = await self._write(step(record, LifeEvent.RETRIED, now), LifeEvent.RETRIED.value)
            looked_at = self._looked_at.get(name)
            if looked_at is not None and 0 <= now - looked_at < LOOK_SECONDS:
                continue
            self._looked_at[name] = now
            answer = await self._installer.detected(offer.manifest)
            if answer.holds and record.state != "installed":
                await self._write(step(record, LifeEvent.DETECTED, now), f"is here already: {answer.words}")
            elif not answer.holds and record.state == "installed":
                await self._write(step(record, LifeEvent.NOT_DETECTED, now), f"is not here any more: {answer.words}")

    # --- carrying out ------------------------------------------------------------------

    async def _install(self, offer: Offer) -> None:
        install, payload, record = offer.manifest.install, offer.payload, self.journal.record(*offer.name)
        assert install is not None
        assert payload is not None
        assert record is not None
        assert offer.file is not None
        file = Path(offer.file)
        before = await self._installer.installed_version(install)
        decided = replace(
            step(record, LifeEvent.BEGUN, self._now()),
            decision=self.journal.decisions + 1,
            previous_version=before,
            previous=self._kept_of_others(offer),
            failure=None,
            reason="",
        )
        # written before anything runs: what is not in the journal has not been begun
        await self._save(replace(self.journal, decisions=decided.decision))
        record = await self._write(decided, f"installing ({offer.why_now})")
        log.info("installing", patch=record.patch_id, version=record.version, decision=record.decision)

        async def run() -> InstallRecord:
            try:
                outcome = await self._installer.install(install, decided.version, file, payload.sha256)
            except PayloadChangedError:
                wrong = failed(decided, Failure.VERIFY, "its file is not what was signed any more; it is fetched again")
                wrong = settled(step(wrong, LifeEvent.NOT_RUN, self._now()), self._now(), random.random())  # noqa: S311
                return await self._write(wrong, wrong.reason)
            return await self._ended(decided, outcome)

        record = await _to_its_end(run)
        if record.state == "failed":
            await self._around.damaged(TorrentHash(payload.torrent_hash))
        else:
            await self._carry_on(offer, record)

    async def _ended(self, record: InstallRecord, outcome: Outcome) -> InstallRecord:
        after = step(record, LifeEvent.ENDED, self._now())
        if not outcome.succeeded:
            # no attempt is counted yet: detection decides
            after = replace(after, failure=Failure.INSTALL, reason=outcome.words[:MAX_TEXT_CHARS])
        if outcome.reboot:
            after = replace(after, restart_boot=local_facts.boot_id())
        return await self._write(after, f"the installer has ended: {outcome.words}", outcome.output)

    async def _carry_on(self, offer: Offer, record: InstallRecord) -> None:
        """Take a patch that is under way to its end, from wherever it is."""
        if record.state == "installing":  # interrupted: it is never run again for this decision
            repaired = None if offer.manifest.install is None else await self._installer.repair(offer.manifest.install)
            words = "interrupted: the daemon or the PC was stopped" + (f"; {repaired.words}" if repaired else "")
            record = await self._ended(record, Outcome(False, words, repaired.output if repaired else "", False, None))
        if record.state == "detecting":
            record = await self._detect(offer, record)
        if record.state == "checking":
            record = await self._check_health(offer, record)
        if record.state == "installed" and record.undo_asked:
            record = failed(record, Failure.USER, "this PC's user has rolled it back")
            record = replace(
                step(record, LifeEvent.UNDONE, self._now()), undo_asked=False, decision=self.journal.decisions + 1
            )
            await self._save(replace(self.journal, decisions=record.decision))
            record = await self._write(record, "rolling back: this PC's user asks for it")
            await self._roll_back(offer, record)
        elif record.state == "rolling_back":
            await self._roll_back(offer, record)
        elif record.state == "installed":
            await self._installed(offer, record)
        self._looked_at.clear()  # what one installation brings may be what another detects
        self._around.facts_changed()

    async def _detect(self, offer: Offer, record: InstallRecord) -> InstallRecord:
        answer = await self._installer.detected(offer.manifest)
        if answer.holds:
            said = f", although {record.reason}" if record.failure is Failure.INSTALL else ""
            return await self._write(step(record, LifeEvent.DETECTED, self._now()), f"detected: {answer.words}{said}")
        failure = record.failure or Failure.DETECT
        reason = f"{record.reason}; {answer.words}" if record.failure else f"not detected: {answer.words}"
        record = step(failed(record, failure, reason), LifeEvent.NOT_DETECTED, self._now())
        return await self._write(record, f"not detected: {answer.words}")

    async def _check_health(self, offer: Offer, record: InstallRecord) -> InstallRecord:
        if offer.manifest.health is None:
            return await self._write(step(record, LifeEvent.HEALTHY, self._now()), "installed")
        answer = await self._installer.healthy(offer.manifest.health)
        if answer.holds:
            return await self._write(step(record, LifeEvent.HEALTHY, self._now()), f"healthy: {answer.words}")
        record = step(failed(record, Failure.HEALTH, f"not healthy: {answer.words}"), LifeEvent.UNHEALTHY, self._now())
        return await self._write(record, record.reason)

    async def _roll_back(self, offer: Offer, record: InstallRecord) -> None:
        own = self._kept(record.patch_id, record.own)
        if offer.file is not None and offer.payload is not None:
            own = KeptPayload(Path(offer.file), offer.payload.sha256, record.version)
        await _to_its_end(lambda: self._undo(offer, record, own))

    async def _undo(self, offer: Offer, record: InstallRecord, own: KeptPayload | None) -> None:
        previous = self._kept(record.patch_id, record.previous)
        if offer.manifest.install is None or own is None:
            outcome = Outcome(False, "its file is not here any more", "", False, None)
        else:
            try:
                outcome = await self._installer.roll_back(
                    offer.manifest.install, record.version, own.file, own.sha256, previous, record.previous_version
                )
            except PayloadChangedError:
                outcome = Outcome(False, "the file that undoes it is not what was signed", "", False, None)
        now = self._now()
        if outcome.succeeded:
            after = replace(step(record, LifeEvent.ROLLED_BACK, now), own=None)
        else:
            words = f"{record.reason}; not rolled back: {outcome.words}"[:MAX_TEXT_CHARS]
            after = replace(step(record, LifeEvent.NOT_ROLLED_BACK, now), reason=words)
        after = settled(after, now, random.random())  # noqa: S311 - jitter
        what = LifeEvent.ROLLED_BACK if outcome.succeeded else LifeEvent.NOT_ROLLED_BACK
        await self._write(after, f"{what.value}: {outcome.words}", outcome.output)
        log.warning(what.value, patch=offer.label, reason=after.reason)

    async def _installed(self, offer: Offer, record: InstallRecord) -> None:
        log.info("installed", patch=record.patch_id, version=record.version)
        if offer.file is None or offer.payload is None:
            return
        kept = KeptFile(version=record.version, file_name=offer.payload.file_name, sha256=offer.payload.sha256)
        directory = self._home.kept / record.patch_id
        try:
            await install_journal.keep_payload(Path(offer.file), directory, kept)
        except OSError as error:
            log.warning("the payload cannot be kept to roll back to", patch=offer.label, reason=error.strerror)
            return
        others = [r for r in self.journal.records if r.patch_id == record.patch_id and r.version != record.version]
        # its predecessors are not installed any more, and of their files the last is enough
        records = tuple(r for r in self.journal.records if r not in others)
        await self._save(replace(self.journal, records=records))
        await self._write(replace(self._current(record), own=kept))
        await install_journal.drop_kept(
            directory, {record.version, *([record.previous.version] if record.previous else [])}
        )

    def _kept_of_others(self, offer: Offer) -> KeptFile | None:
        """Return the payload of the version of this patch that was installed last."""
        patch_id, version = offer.name
        others = [r for r in self.journal.records if r.patch_id == patch_id and r.version != version and r.own]
        return max(others, key=lambda record: record.changed_at).own if others else None

    def _kept(self, patch_id: str, kept: KeptFile | None) -> KeptPayload | None:
        if kept is None:
            return None
        path: Path = self._home.kept / patch_id / kept.version / kept.file_name
        return KeptPayload(path, kept.sha256, kept.version)

    async def _restart_if_due(self) -> None:
        """Restart the PC for a patch that asks for it, once, in a window."""
        boot = local_facts.boot_id()
        for row in self.rows:
            record = row.record
            if record is None or record.restart_boot is None:
                continue
            if record.restart_boot != boot:
                await self._write(replace(record, restart_boot=None), "the PC has been restarted")
            elif row.restart_due and self._may_restart and not self._restarting:
                self._restarting = True
                outcome = await self._installer.restart_pc(
                    RESTART_MINUTES, f"This PC restarts in {RESTART_MINUTES} minutes to finish {row.offer.label}."
                )
                await self._write(record, f"the PC is restarted: {outcome.words}", outcome.output)

    # --- the journal -------------------------------------------------------------------

    def _current(self, record: InstallRecord) -> InstallRecord:
        return self.journal.record(record.patch_id, record.version) or record

    async def _write(self, record: InstallRecord, what: str = "", output: str = "") -> InstallRecord:
        entry = HistoryEntry(
            at=self._now(),
            patch_id=record.patch_id,
            version=record.version,
            decision=record.decision,
            what=what[:MAX_TEXT_CHARS],
            output=output[-MAX_OUTPUT_CHARS:],
        )
        await self._save(self.journal.with_record(record, entry if what else None))
        return record

    async def _save(self, journal: Journal) -> None:
        await install_journal.save_journal(self._home.installs, journal)
        self.journal = journal


async def _to_its_end(work: Callable[[], Awaitable[T]]) -> T:
    """Return what ``work`` does; when this is cancelled, it has `STOP_SECONDS` to come to its end first."""
    result: list[T] = []
    problem: list[Exception] = []
    async with trio.open_nursery() as nursery:
        scope = trio.CancelScope(shield=True)

        async def give_notice() -> None:
            try:
                await trio.sleep_forever()
            finally:
                scope.deadline = trio.current_time() + STOP_SECONDS

        nursery.start_soon(give_notice)
        with scope:
            try:
                result.append(await work())
            except Exception as error:  # noqa: BLE001 - raised below: a nursery would wrap it
                problem.append(error)
        nursery.cancel_scope.cancel()
    if problem:
        raise problem[0]
    return result[0]
