"""The way back: undoes one installation, waits where that has to wait, and keeps what the administrator holds."""

import random
from pathlib import Path

from msgspec.structs import replace

from p2pdist.install import waiting
from p2pdist.install.installer import Installer
from p2pdist.install.journal import JournalStore
from p2pdist.install.kept_files import KeptPayloads
from p2pdist.install.lifecycle import FailureClass, InstallRecord, LifeEvent, failed, settled, step
from p2pdist.install.outcomes import Outcome
from p2pdist.install.own_upgrade import NO_REMOVAL, OwnUpgrade
from p2pdist.install.package_manager import UndoCommand, WasThere
from p2pdist.install.plan import Candidate
from p2pdist.install.proven_files import KeptPayload, PayloadChangedError
from p2pdist.install.supervision import Progress
from p2pdist.pc import system
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.recipe import Install, ScriptInstall
from p2pdist.shared.wire.fields import MAX_TEXT_CHARS

log = lazy_log()


class Undoing:
    """Undoes installations, one at a time. Runs in the daemon's trio thread."""

    def __init__(self, installer: Installer, store: JournalStore, kept: KeptPayloads, own: OwnUpgrade) -> None:
        self._own = own
        self._installer = installer
        self._store = store
        self._kept = kept

    def asked_for(self, record: InstallRecord) -> InstallRecord:
        """Return the record of a patch that this PC's user wants rolled back, or that is recalled."""
        recalled = record.failure is FailureClass.RECALL
        asked = (
            failed(record, FailureClass.RECALL, record.reason)
            if recalled
            else failed(record, FailureClass.USER, "this PC's user has rolled it back")
        )
        return replace(step(asked, LifeEvent.UNDONE, self._store.now()), undo_asked=False)

    async def roll_back(self, candidate: Candidate, record: InstallRecord) -> None:
        """Undo what ``record`` says was installed, or note that it has to wait. Raises `OSError`.

        What is p2pdist's own is handed over; `settle` takes up what comes of it.
        """
        if not self._own.concerns(candidate.manifest.install):
            await self.settle(candidate, record, await self._undone(candidate, record))
            return
        way = await self._way_back(candidate, record)
        if isinstance(way, UndoCommand) and not way.removes:
            await self._own.hand_over_way_back(candidate, record, way)
        else:
            await self.settle(candidate, record, way if isinstance(way, Outcome) else Outcome(False, NO_REMOVAL))

    async def settle(self, candidate: Candidate, record: InstallRecord, outcome: Outcome) -> None:
        """Note how the way back of ``record`` has ended. Raises `OSError`."""
        if outcome.busy or not outcome.known:
            await self._store.update(
                candidate.ref,
                lambda r: waiting.put_off(
                    replace(r, supervised=False), self._store.now(), _jitter(), record.reason, waiting.BUSY_WAITS
                ),
                "" if record.put_off else f"the way back waits: {outcome.words}",
                outcome.output,
            )
            return
        hold = ""
        if candidate.manifest.install is not None:
            hold = await self.selection_put_back(candidate.manifest.install, record)
        event = LifeEvent.ROLLED_BACK if outcome.succeeded else LifeEvent.NOT_ROLLED_BACK

        def rolled_back(current: InstallRecord) -> InstallRecord:
            boot = system.boot_id() if outcome.reboot else current.restart_boot
            after = replace(step(current, event, self._store.now()), own=None, restart_boot=boot)
            if outcome.succeeded:
                return settled(after, self._store.now(), _jitter())
            # in a state that nobody has planned: it is left alone, for somebody to look at
            return replace(after, reason=f"{after.reason}; not rolled back: {outcome.words}"[:MAX_TEXT_CHARS])

        after = await self._store.update(
            candidate.ref, rolled_back, f"{event.value}: {outcome.words}{hold}", outcome.output
        )
        log.warning(event.value, patch=str(candidate.ref), reason=after.reason)

    async def settle_bad_upgrade(self, candidate: Candidate, record: InstallRecord, progress: Progress) -> None:
        """Note that the supervisor of an upgrade of p2pdist itself went back, or could not. Raises `OSError`."""
        outcome = self._own.outcome_of_way_back(candidate, progress)
        install = candidate.manifest.install
        hold = "" if install is None else await self.selection_put_back(install, record)
        after = await self._store.update(
            candidate.ref,
            lambda r: self._own.went_back(r, progress, outcome),
            lambda r: f"{r.reason}; {r.state.replace('_', ' ')}: {outcome.words}{hold}",
            f"{progress.output}\n{outcome.output}",
        )
        log.warning("an upgrade of p2pdist was not healthy", patch=str(candidate.ref), reason=after.reason)

    async def selection_put_back(self, install: Install, record: InstallRecord) -> str:
        """Put back that the package is held, if it was; return what to add to the history."""
        name = record.package.name if record.package else getattr(install, "package", "")
        problem = await self._installer.keep_selection(install, name, record.selection)
        return f"; {name} is not held any more, as it was: {problem}" if problem else ""

    async def _way_back(self, candidate: Candidate, record: InstallRecord) -> Outcome | UndoCommand:
        own = self._own_file(candidate, record)
        if candidate.manifest.install is None or own is None:
            return Outcome(False, "its file is not here any more")
        previous = self._kept.payload(record.patch_id, record.previous)
        was = WasThere(record.version, record.previous_version, previous, record.installed_as, record.package)
        return await self._installer.way_back(candidate.manifest.install, was, own)

    def _own_file(self, candidate: Candidate, record: InstallRecord) -> KeptPayload | None:
        # prefer the kept file: the offered one may have been withdrawn
        own = self._kept.payload(record.patch_id, record.own)
        if own is None and candidate.file is not None and candidate.payload is not None:
            own = KeptPayload(Path(candidate.file), candidate.payload.sha256, record.version)
        if own is None and not isinstance(candidate.manifest.install, ScriptInstall):
            own = KeptPayload(self._kept.directory, "", record.version)  # only a script is undone by its own file
        return own

    async def _undone(self, candidate: Candidate, record: InstallRecord) -> Outcome:
        if not waiting.undoable(record):
            await self._installer.wait_for_outlived(candidate.manifest.install)
            return Outcome(False, f"it was interrupted {record.interrupted} times: does undoing it restart p2pdist?")
        own = self._own_file(candidate, record)
        if candidate.manifest.install is None or own is None:
            return Outcome(False, "its file is not here any more")
        previous = self._kept.payload(record.patch_id, record.previous)
        try:
            return await self._installer.roll_back(
                candidate.manifest.install, record.version, own.file, own.sha256, previous, record.previous_version,
                installed_as=record.installed_as, package=record.package,
            )  # fmt: skip
        except PayloadChangedError:
            return Outcome(False, "the file that undoes it is not what was signed")


def _jitter() -> float:
    return random.random()  # noqa: S311
