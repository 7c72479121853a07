"""Carries out one decision: install, detect, check health, keep the files for a rollback, or roll back."""

import random
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import structlog
import trio
from msgspec.structs import replace

from p2pdist.install import kept_files
from p2pdist.install.installer import Installer
from p2pdist.install.journal import JournalStore
from p2pdist.install.lifecycle import FailureClass, InstallRecord, KeptFile, LifeEvent, failed, settled, step
from p2pdist.install.outcomes import Outcome
from p2pdist.install.plan import Candidate
from p2pdist.install.proven_files import KeptPayload, PayloadChangedError
from p2pdist.pc import system
from p2pdist.settings import EndpointHome
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Payload
from p2pdist.shared.manifest.recipe import Install, ScriptInstall
from p2pdist.shared.wire.messages import MAX_TEXT_CHARS

STOP_SECONDS = 60.0  # how long an installer that runs when the daemon stops may go on

T = TypeVar("T")

log = structlog.get_logger()


class _DecidedOtherwiseError(Exception):
    """The record is not the one that was planned with: the user has decided something meanwhile."""


class Executor:
    """Carries out decisions to install or roll back, one at a time. Runs in the daemon's trio thread."""

    def __init__(self, home: EndpointHome, installer: Installer, store: JournalStore, at_work: trio.Lock) -> None:
        self._kept_files = home.kept
        self._installer = installer
        self._store = store
        self._unwritten: dict[PatchRef, Outcome] = {}
        """Outcomes that are not in the journal yet, as when the disk was full."""
        self.at_work = at_work
        """Held while something is carried out."""

    async def begin(
        self, candidate: Candidate, why: str, planned: InstallRecord, *, still: Callable[[], bool] = lambda: True
    ) -> bool:
        """Install ``candidate`` and follow it to a final state; return whether its file was what was signed.

        Does nothing if the record is not ``planned`` any more: the user has decided otherwise. Neither where ``still``,
        asked last of all, says that it may not be begun any more. Raises `OSError`.
        """
        install, payload = candidate.manifest.install, candidate.payload
        assert install is not None
        assert payload is not None
        assert candidate.file is not None
        file = Path(candidate.file)
        async with self.at_work:
            before = await self._installer.detector.installed_version(install)
            kept = await self._keep_file(candidate, payload, file)

            def begun(record: InstallRecord) -> InstallRecord:
                if record != planned or not still():
                    raise _DecidedOtherwiseError
                return replace(
                    step(record, LifeEvent.BEGUN, self._store.now()),
                    previous_version=before,
                    previous=self._kept_of_others(candidate) or record.previous,
                    own=kept,
                    failure=None,
                    reason="",
                )

            # the journal is written before anything runs: what is not in it has not been begun
            try:
                record = await self._store.decide(candidate.ref, begun, f"installing ({why})")
            except _DecidedOtherwiseError:
                await self._forget_unneeded(candidate.ref)
                return True
            log.info("installing", patch=record.patch_id, version=record.version, decision=record.decision)
            record = await _to_its_end(lambda: self._run(candidate, file, payload.sha256))
            if record.state == "failed":
                return False
            await self._carry_on(candidate, record)
            return True

    async def carry_on(self, candidate: Candidate) -> None:
        """Follow a patch that is under way or to be rolled back from its state to a final one. Raises `OSError`."""
        async with self.at_work:
            record = self._store.record(candidate.ref)
            assert record is not None
            await self._carry_on(candidate, record)

    async def _run(self, candidate: Candidate, file: Path, sha256: str) -> InstallRecord:
        manifest = candidate.manifest
        assert manifest.install is not None
        try:
            outcome = await self._installer.install(
                manifest.install, manifest.version, file, sha256, downgrade=manifest.downgrade
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
        found = "" if install is None else await self._installer.detector.installed_version(install)

        def ended(record: InstallRecord) -> InstallRecord:
            after = replace(step(record, LifeEvent.ENDED, self._store.now()), installed_as=found)
            if not outcome.succeeded:
                # not counted as an attempt yet: detection decides
                after = replace(after, failure=FailureClass.INSTALL, reason=outcome.words[:MAX_TEXT_CHARS])
            return replace(after, restart_boot=system.boot_id()) if outcome.reboot else after

        record = await self._store.update(ref, ended, f"the installer has ended: {outcome.words}", outcome.output)
        del self._unwritten[ref]
        return record

    async def _carry_on(self, candidate: Candidate, record: InstallRecord) -> None:
        if record.state == "installing":  # interrupted: the installer is never run again for this decision
            record = await self._after_interruption(candidate)
        if record.state == "detecting":
            record = await self._detect(candidate, record)
        if record.state == "checking":
            record = await self._check_health(candidate)
        if record.state == "installed" and record.undo_asked:
            record = await self._store.decide(candidate.ref, self._undone, "rolling back: this PC's user asks for it")
        if record.state == "rolling_back":
            await _to_its_end(lambda: self._roll_back(candidate, record))
        elif record.state == "installed":
            log.info("installed", patch=record.patch_id, version=record.version)
            await self._forget_predecessors(record)

    async def _after_interruption(self, candidate: Candidate) -> InstallRecord:
        outcome, install = self._unwritten.get(candidate.ref), candidate.manifest.install
        if outcome is None:
            repaired = None if install is None else await self._installer.repair(install)
            words = "interrupted: the daemon or the PC was stopped" + (f"; {repaired.words}" if repaired else "")
            outcome = Outcome(False, words, repaired.output if repaired else "")
        return await self._ended(candidate.ref, install, outcome)

    async def _detect(self, candidate: Candidate, record: InstallRecord) -> InstallRecord:
        answer, now = await self._installer.detector.detected(candidate.manifest), self._store.now()
        if answer.holds:
            said = f", although {record.reason}" if record.failure is FailureClass.INSTALL else ""
            return await self._store.update(
                candidate.ref, lambda r: step(r, LifeEvent.DETECTED, now), f"detected: {answer.words}{said}"
            )

        def not_detected(current: InstallRecord) -> InstallRecord:
            failure = current.failure or FailureClass.DETECT
            reason = f"not detected: {answer.words}"
            if current.failure:  # the installer has failed for what detection finds too: once is enough
                reason = current.reason if answer.words in current.reason else f"{current.reason}; {answer.words}"
            return step(failed(current, failure, reason), LifeEvent.NOT_DETECTED, now)

        return await self._store.update(candidate.ref, not_detected, f"not detected: {answer.words}")

    async def _check_health(self, candidate: Candidate) -> InstallRecord:
        now = self._store.now
        if candidate.manifest.health is None:
            return await self._store.update(candidate.ref, lambda r: step(r, LifeEvent.HEALTHY, now()), "installed")
        answer = await self._installer.detector.healthy(candidate.manifest.health)
        if answer.holds:
            return await self._store.update(
                candidate.ref, lambda r: step(r, LifeEvent.HEALTHY, now()), f"healthy: {answer.words}"
            )
        reason = f"not healthy: {answer.words}"
        return await self._store.update(
            candidate.ref, lambda r: step(failed(r, FailureClass.HEALTH, reason), LifeEvent.UNHEALTHY, now()), reason
        )

    def _undone(self, record: InstallRecord) -> InstallRecord:
        asked = failed(record, FailureClass.USER, "this PC's user has rolled it back")
        return replace(step(asked, LifeEvent.UNDONE, self._store.now()), undo_asked=False)

    async def _roll_back(self, candidate: Candidate, record: InstallRecord) -> None:
        # prefer the kept file: the offered one may have been withdrawn
        own = self._kept(record.patch_id, record.own)
        if own is None and candidate.file is not None and candidate.payload is not None:
            own = KeptPayload(Path(candidate.file), candidate.payload.sha256, record.version)
        if own is None and not isinstance(candidate.manifest.install, ScriptInstall):
            own = KeptPayload(self._kept_files, "", record.version)  # only a script is undone by its own file
        if candidate.manifest.install is None or own is None:
            outcome = Outcome(False, "its file is not here any more")
        else:
            previous = self._kept(record.patch_id, record.previous)
            try:
                outcome = await self._installer.roll_back(
                    candidate.manifest.install, record.version, own.file, own.sha256, previous, record.previous_version,
                    installed_as=record.installed_as,
                )  # fmt: skip
            except PayloadChangedError:
                outcome = Outcome(False, "the file that undoes it is not what was signed")
        event = LifeEvent.ROLLED_BACK if outcome.succeeded else LifeEvent.NOT_ROLLED_BACK

        def rolled_back(current: InstallRecord) -> InstallRecord:
            after = step(current, event, self._store.now())
            if not outcome.succeeded:
                after = replace(after, reason=f"{after.reason}; not rolled back: {outcome.words}"[:MAX_TEXT_CHARS])
            boot = system.boot_id() if outcome.reboot else after.restart_boot
            return self._settled(replace(after, own=None, restart_boot=boot))

        after = await self._store.update(candidate.ref, rolled_back, f"{event.value}: {outcome.words}", outcome.output)
        log.warning(event.value, patch=str(candidate.ref), reason=after.reason)

    def _settled(self, record: InstallRecord) -> InstallRecord:
        return settled(record, self._store.now(), random.random())  # noqa: S311 - jitter

    # --- files for a rollback ------------------------------------------------------------------

    async def _keep_file(self, candidate: Candidate, payload: Payload, file: Path) -> KeptFile | None:
        """Keep the file before it is run: the patch may be withdrawn meanwhile, and its file removed."""
        kept = KeptFile(version=candidate.ref.version, file_name=payload.file_name, sha256=payload.sha256)
        try:
            await kept_files.keep_payload(file, self._kept_files / candidate.ref.patch_id, kept)
        except OSError as error:
            log.warning("the payload cannot be kept to roll back to", patch=str(candidate.ref), reason=error.strerror)
            return None
        return kept

    async def _forget_predecessors(self, record: InstallRecord) -> None:
        """Drop the records of its predecessors, which are replaced, and all their kept files but the last."""

        def gone(other: InstallRecord) -> bool:
            return other.patch_id == record.patch_id and other.version != record.version and other.state == "installed"

        await self._store.change(lambda j: replace(j, records=tuple(r for r in j.records if not gone(r))))
        versions = {record.version, *([record.previous.version] if record.previous else [])}
        await kept_files.drop_kept(self._kept_files / record.patch_id, versions)

    async def _forget_unneeded(self, ref: PatchRef) -> None:
        """Drop the file that was kept for an installation that was not begun."""
        records = [record for record in self._store.journal.records if record.patch_id == ref.patch_id]
        kept = {file.version for record in records for file in (record.own, record.previous) if file is not None}
        await kept_files.drop_kept(self._kept_files / ref.patch_id, kept)

    def _kept_of_others(self, candidate: Candidate) -> KeptFile | None:
        """Return the kept payload of the installed version of this patch; None if we have not installed it."""
        patch_id, version = candidate.ref
        others = [
            (record.changed_at, record.previous if record.state == "rolled_back" else record.own)
            for record in self._store.journal.records
            if record.patch_id == patch_id and record.version != version
        ]
        return max(((at, kept) for at, kept in others if kept), key=lambda found: found[0], default=(0.0, None))[1]

    def _kept(self, patch_id: str, kept: KeptFile | None) -> KeptPayload | None:
        if kept is None:
            return None
        return KeptPayload(self._kept_files / patch_id / kept.version / kept.file_name, kept.sha256, kept.version)


async def _to_its_end(work: Callable[[], Awaitable[T]]) -> T:
    """Return what ``work`` returns; when this is cancelled, ``work`` first has `STOP_SECONDS` to end."""
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
