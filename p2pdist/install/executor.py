"""Carries out one decision: install, detect, check health, keep the files for a rollback, or roll back."""

import random
from collections.abc import Callable
from pathlib import Path

import trio
from msgspec.structs import replace

from p2pdist.install import lifecycle, process_records, waiting
from p2pdist.install.findings import CheckResult, Whether, changed
from p2pdist.install.installer import Installer
from p2pdist.install.journal import JournalStore
from p2pdist.install.kept_files import KeptPayloads
from p2pdist.install.lifecycle import (
    FailureClass,
    InstallRecord,
    Journal,
    LifeEvent,
    RestartRules,
    failed,
    settled,
    step,
)
from p2pdist.install.outcomes import InstallEnding, Outcome
from p2pdist.install.own_upgrade import NO_ROOM, NOTHING_RUN, OwnUpgrade
from p2pdist.install.packages import HELD, PackageFile
from p2pdist.install.plan import Candidate
from p2pdist.install.proven_files import PayloadChangedError
from p2pdist.install.stopping import to_its_end
from p2pdist.install.supervision import Supervision
from p2pdist.install.undoing import Undoing
from p2pdist.install.verdict import Evidence, failure_of, verdict
from p2pdist.pc import system
from p2pdist.settings import EndpointHome
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.recipe import DebInstall, Install, RpmInstall
from p2pdist.shared.wire.fields import MAX_TEXT_CHARS

log = lazy_log()


class _DecidedOtherwiseError(Exception):
    """The record is not the one that was planned with: the user has decided something meanwhile."""


class Executor:
    """Carries out decisions to install or roll back, one at a time. Runs in the daemon's trio thread."""

    def __init__(
        self,
        home: EndpointHome,
        installer: Installer,
        store: JournalStore,
        at_work: trio.Lock,
        kept: KeptPayloads,
        supervision: Supervision,
    ) -> None:
        self._kept = kept
        self._installer = installer
        self._store = store
        self.own_upgrade = OwnUpgrade(installer, store, self._kept, supervision)
        self._undoing = Undoing(installer, store, self._kept, self.own_upgrade)
        self._unwritten: dict[PatchRef, Outcome] = {}
        """Outcomes that are not in the journal yet, as when the disk was full."""
        self.at_work = at_work
        """Held while something is carried out."""
        self._record = home.scratch / "installing"

    # --- installing ----------------------------------------------------------------------------

    async def begin(
        self, candidate: Candidate, why: str, planned: InstallRecord, *, still: Callable[[], bool] = lambda: True
    ) -> bool:
        """Install ``candidate`` and follow it to a final state; return whether its file was what was signed.

        Does nothing if the record is not ``planned`` any more: the user has decided otherwise. Neither where ``still``,
        asked last of all, says that it may not be begun any more. Raises `OSError`.
        """
        assert candidate.payload is not None
        assert candidate.file is not None
        file = Path(candidate.file)
        async with process_records.under_way(self.at_work, self._record):
            try:
                record = await self._begun(candidate, file, why, planned, still)
            except _DecidedOtherwiseError:
                await self._kept.drop_unneeded(candidate.ref.patch_id)
                return True
            if record is None:
                return True
            log.info("installing", patch=record.patch_id, version=record.version, decision=record.decision)
            if record.supervised:
                await self.own_upgrade.hand_over(candidate, record)
                return True
            sha256, package = candidate.payload.sha256, record.package
            record = await to_its_end(lambda: self._run(candidate, file, sha256, package))
            await self._carry_on(candidate, record)
            return record.failure is not FailureClass.VERIFY

    async def _begun(
        self, candidate: Candidate, file: Path, why: str, planned: InstallRecord, still: Callable[[], bool]
    ) -> InstallRecord | None:
        """Look at the PC, and note in the journal that the installation begins; None: it has to wait."""
        manifest, payload = candidate.manifest, candidate.payload
        install = manifest.install
        assert install is not None
        assert payload is not None
        try:
            package = await self._installer.package_in(install, file, payload.sha256)
        except PayloadChangedError:
            package = None  # the installer says so too, and nothing is run
        supervised = self.own_upgrade.concerns(install)
        if supervised and (refusal := self.own_upgrade.refusal()):
            await self._wait(candidate.ref, refusal, planned, waiting.BUSY_WAITS)
            return None
        selection = ""
        if isinstance(install, DebInstall):
            name = package.name if package else install.package
            wanted = await self._installer.detector.selection(name)
            if wanted is None:
                unsaid = f"dpkg does not say whether {name} is held"
                await self._wait(candidate.ref, unsaid, planned, waiting.BUSY_WAITS)
                return None
            if wanted == HELD and not install.despite_hold:
                held = f"{name} is held by this PC's administrator (apt-mark hold)"
                await self._wait(candidate.ref, held, planned, waiting.HELD_WAITS)
                return None
            selection = wanted
        look = await self._installer.detector.look(manifest, package)
        before = await self._installer.detector.installed_version(install, package)
        own = await self._kept.keep(candidate.ref, payload, file)
        if supervised and own is None:
            await self._wait(candidate.ref, NO_ROOM, planned, waiting.BUSY_WAITS)
            return None

        def begun(record: InstallRecord) -> InstallRecord:
            if record != planned or not still():
                raise _DecidedOtherwiseError
            return replace(
                step(record, LifeEvent.BEGUN, self._store.now()),
                begun_boot=system.boot_id(),
                seen_before=look.sight,
                package=package,
                selection=selection,
                previous_version=before,
                previous=self._kept.of_others(candidate.ref) or record.previous,
                own=own,
                restart_rules=record.restart_rules if record.restart_boot else RestartRules.of(manifest.schedule),
                failure=None,
                reason="",
                supervised=supervised,
            )

        # the journal is written before anything runs: what is not in it has not been begun
        forget = planned.put_off.decision if planned.put_off else None
        return await self._store.decide(candidate.ref, begun, f"installing ({why})", forget=forget)

    async def _wait(
        self, ref: PatchRef, reason: str, planned: InstallRecord, waits_seconds: tuple[float, float]
    ) -> None:
        """Note that an installation that is due has to wait, and why."""

        def waits(record: InstallRecord) -> InstallRecord:
            if record != planned:
                raise _DecidedOtherwiseError
            return self._put_off(record, reason, waits_seconds)

        await self._store.update(ref, waits, "" if planned.reason == reason else f"not installed: {reason}")

    async def carry_on(self, candidate: Candidate) -> bool:
        """Follow a patch that is under way to its final state; False: a supervisor is still at it. Raises `OSError`."""
        async with process_records.under_way(self.at_work, self._record):
            record = self._known(candidate.ref)
            if record.supervised:
                await self._take_up(candidate, record)
                record = self._known(candidate.ref)
            if not record.supervised:
                await self._carry_on(candidate, record)
            return not self._known(candidate.ref).supervised

    async def _take_up(self, candidate: Candidate, record: InstallRecord) -> None:
        """Note in the journal what has come of what was handed to a supervisor, once that is over."""
        own, installing = self.own_upgrade, record.state == "installing"
        progress = await own.look(record)
        if progress is None and installing:  # this daemon's predecessor was stopped before it gave the order
            await self._ended(candidate.ref, candidate.manifest.install, Outcome(False, NOTHING_RUN, busy=True))
        elif progress is None:
            await self._store.update(candidate.ref, lambda r: replace(r, supervised=False))
        elif not progress.result:
            return
        elif not installing:
            await self._undoing.settle(candidate, record, own.outcome_of_way_back(candidate, progress))
        elif progress.result == "not_run":
            await self._store.update(candidate.ref, self._not_run, "its file is not what was signed; nothing was run")
        elif progress.result in ("spoke", "lives"):
            await self._ended(candidate.ref, candidate.manifest.install, own.outcome(candidate, progress))
        else:
            await self._undoing.settle_bad_upgrade(candidate, record, progress)
        if progress is not None:
            await own.over()

    async def _run(self, candidate: Candidate, file: Path, sha256: str, package: PackageFile | None) -> InstallRecord:
        manifest = candidate.manifest
        assert manifest.install is not None
        try:
            outcome = await self._installer.install(
                manifest.install, manifest.version, file, sha256, downgrade=manifest.downgrade, package=package
            )
        except PayloadChangedError:
            return await self._store.update(
                candidate.ref, self._not_run, "its file is not what was signed; nothing was run"
            )
        return await self._ended(candidate.ref, manifest.install, outcome)

    def _not_run(self, record: InstallRecord) -> InstallRecord:
        wrong = failed(record, FailureClass.VERIFY, "its file is not what was signed any more; it is fetched again")
        wrong = replace(wrong, own=None)
        return self._settled(step(wrong, LifeEvent.NOT_RUN, self._store.now()))

    async def _ended(self, ref: PatchRef, install: Install | None, outcome: Outcome) -> InstallRecord:
        self._unwritten[ref] = outcome
        before = self._known(ref)
        found = "" if install is None else await self._installer.detector.installed_version(install, before.package)
        hold = "" if install is None else await self._undoing.selection_put_back(install, before)

        def ended(record: InstallRecord) -> InstallRecord:
            after = replace(
                step(record, LifeEvent.ENDED, self._store.now()),
                installed_as=found,
                ending=outcome.ending,
                reason=outcome.reason[:MAX_TEXT_CHARS],
            )
            return replace(after, restart_boot=system.boot_id()) if outcome.reboot else after

        record = await self._store.update(ref, ended, f"the installer has ended: {outcome.words}{hold}", outcome.output)
        del self._unwritten[ref]
        return record

    # --- what comes of it ----------------------------------------------------------------------

    async def _carry_on(self, candidate: Candidate, record: InstallRecord) -> None:
        if record.state == "installing":  # interrupted: the installer is never run again for this decision
            record = await self._after_interruption(candidate, record)
        if record.state == "detecting":
            record = await self._detect(candidate, record)
        if record.state == "checking":
            record = await self._check_health(candidate, record)
        if record.state in ("installed", "unproven") and record.undo_asked:
            recalled = record.failure is FailureClass.RECALL
            why = "it is recalled" if recalled else "this PC's user asks for it"
            record = await self._store.decide(candidate.ref, self._undoing.asked_for, f"rolling back: {why}")
        if record.state == "rolling_back":
            await to_its_end(lambda: self._undoing.roll_back(candidate, record))
        elif record.state == "installed":
            log.info("installed", patch=record.patch_id, version=record.version)
            await self._forget_predecessors(record)
        await self._kept.drop_unneeded(record.patch_id)

    async def _after_interruption(self, candidate: Candidate, record: InstallRecord) -> InstallRecord:
        outcome, install = self._unwritten.get(candidate.ref), candidate.manifest.install
        if outcome is None:
            words, output = "interrupted: the daemon or the PC was stopped", ""
            if not waiting.repairable(record):
                words = f"interrupted {record.interrupted} times: does it restart p2pdist? It is not repaired again"
                await self._installer.wait_for_outlived(install)
            elif install is not None and (repaired := await self._installer.repair(install)):
                words, output = f"{words}; {repaired.words}", repaired.output
            outcome = Outcome(False, words, output, known=False)
        return await self._ended(candidate.ref, install, outcome)

    async def _detect(self, candidate: Candidate, record: InstallRecord) -> InstallRecord:
        look, now = await self._installer.detector.look(candidate.manifest, record.package), self._store.now()
        lately = waiting.restarted_lately(record, now)
        event = verdict(
            Evidence(
                ending=record.ending or InstallEnding.UNKNOWN,
                finding=look.answer.finding,
                changed=changed(record.seen_before, look.sight),
                restart_pending=record.restart_boot is not None,
                restarted_lately=lately,
            )
        )
        match event:
            case LifeEvent.DETECTED:
                said = (
                    f", although {record.reason}"
                    if record.ending in (InstallEnding.FAILED, InstallEnding.UNKNOWN)
                    else ""
                )
                return await self._store.update(
                    candidate.ref, lambda r: step(r, event, now), f"detected: {look.answer.words}{said}"
                )
            case LifeEvent.UNCERTAIN:
                return await self._ask_again(record, look.answer, settling=lately)
            case LifeEvent.BUSY:
                return await self._store.update(
                    candidate.ref,
                    lambda r: self._put_off(
                        replace(step(r, event, now), own=None), r.reason, waiting.BUSY_WAITS, decision=r.decision
                    ),
                )
            case _:
                return await self._not_detected(candidate, look.answer, event)

    async def _ask_again(self, record: InstallRecord, answer: CheckResult, *, settling: bool) -> InstallRecord:
        """Note that it cannot be told yet whether a patch is installed."""
        reason = f"whether it is installed is not known: {answer.words}"
        if record.restart_boot is not None:
            reason = f"installed, restart pending; before it: {answer.words}"
        elif settling:
            reason = f"looked for again a while after the restart: {answer.words}"
        elif record.state == "checking":
            reason = f"installed; whether it is healthy is not known: {answer.words}"
        now, said = self._store.now(), record.reason == reason[:MAX_TEXT_CHARS]
        first, longest = waiting.ASK_WAITS
        return await self._store.update(
            record.ref,
            lambda r: self._put_off(step(r, LifeEvent.UNCERTAIN, now), reason, (first, first if settling else longest)),
            "" if said else reason,
        )

    async def _not_detected(self, candidate: Candidate, answer: CheckResult, event: LifeEvent) -> InstallRecord:
        def not_detected(record: InstallRecord) -> InstallRecord:
            ending = record.ending or InstallEnding.UNKNOWN
            after = failed(record, failure_of(ending), _reason(candidate.manifest, record, answer))
            after = step(after, event, self._store.now())
            return self._settled(replace(after, own=None)) if event is LifeEvent.UNCHANGED else after

        left = "; nothing was seen to change, so nothing is undone" if event is LifeEvent.UNCHANGED else ""
        return await self._store.update(candidate.ref, not_detected, f"not detected: {answer.words}{left}")

    async def _check_health(self, candidate: Candidate, record: InstallRecord) -> InstallRecord:
        now = self._store.now
        if candidate.manifest.health is None:
            return await self._store.update(candidate.ref, lambda r: step(r, LifeEvent.HEALTHY, now()), "installed")
        answer = await self._installer.detector.healthy(candidate.manifest.health)
        if answer.holds:
            return await self._store.update(
                candidate.ref, lambda r: step(r, LifeEvent.HEALTHY, now()), f"healthy: {answer.words}"
            )
        if answer.finding is Whether.UNKNOWN:
            return await self._ask_again(record, answer, settling=False)
        look = await self._installer.detector.look(candidate.manifest, record.package)
        did = changed(record.seen_before, look.sight)
        reason = f"not healthy: {answer.words}"

        def unhealthy(current: InstallRecord) -> InstallRecord:
            after = failed(current, FailureClass.HEALTH, reason)
            after = step(after, LifeEvent.UNHEALTHY if did else LifeEvent.UNCHANGED, now())
            return after if did else self._settled(replace(after, own=None))

        return await self._store.update(candidate.ref, unhealthy, reason)

    # --- shared ----------------------------------------------------------------------------------

    def _known(self, ref: PatchRef) -> InstallRecord:
        record = self._store.record(ref)
        assert record is not None
        return record

    def _settled(self, record: InstallRecord) -> InstallRecord:
        return settled(record, self._store.now(), random.random())  # noqa: S311 - jitter

    def _put_off(
        self, record: InstallRecord, reason: str, waits_seconds: tuple[float, float], *, decision: int | None = None
    ) -> InstallRecord:
        jitter = random.random()  # noqa: S311
        return waiting.put_off(record, self._store.now(), jitter, reason, waits_seconds, decision=decision)

    async def _forget_predecessors(self, record: InstallRecord) -> None:
        """Drop the records of its predecessors, which are replaced."""

        def gone(other: InstallRecord) -> bool:
            return other.patch_id == record.patch_id and other.version != record.version and other.state == "installed"

        def forgotten(journal: Journal) -> Journal:
            kept = [r for r in journal.records if not gone(r)]
            mine = journal.record(record.ref)
            if mine is not None:  # a restart that a predecessor needs is not done because a newer version is there
                others = [r for r in kept if r.ref != record.ref]
                replaced = list(filter(gone, journal.records))
                kept = [*others, lifecycle.with_predecessors(lifecycle.with_restart_of(mine, replaced), replaced)]
            return replace(journal, records=tuple(kept))

        await self._store.change(forgotten)


def _reason(manifest: Manifest, record: InstallRecord, answer: CheckResult) -> str:
    """Return why a patch is not installed: by its installer's word, and by what detection has found."""
    found = answer.words if record.ending is not InstallEnding.SUCCEEDED else f"not detected: {answer.words}"
    said = [record.reason] if record.reason else []
    if not any(answer.words in part for part in said):  # for what the installer failed for too, once is enough
        said = [*said, found] if record.ending is not InstallEnding.SUCCEEDED else [found, *said]
    install, package = manifest.install, record.package
    if isinstance(install, DebInstall | RpmInstall) and package is not None and package.name != install.package:
        said.append(f"the file holds the package {package.name}, and the recipe says {install.package}")
    return "; ".join(said)
