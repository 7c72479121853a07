"""Upgrades of p2pdist itself: what the executor does for any other package, a supervisor outside does here.

It is given the installation and the way back together, since afterwards nobody else may be there to go back.
"""

import secrets
from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from p2pdist.install.command_lines import CommandLine
from p2pdist.install.installer import Installer, judged
from p2pdist.install.journal import JournalStore
from p2pdist.install.kept_files import KeptPayloads
from p2pdist.install.lifecycle import FailureClass, InstallRecord, LifeEvent, failed, settled, step
from p2pdist.install.limits import RESOURCE_LIMITS
from p2pdist.install.outcomes import Outcome, printable
from p2pdist.install.package_manager import PAYLOAD, UndoCommand
from p2pdist.install.plan import Candidate
from p2pdist.install.proven_files import KeptPayload, PayloadChangedError
from p2pdist.install.supervision import Order, OrderedCommand, Progress, Supervision
from p2pdist.install.supervisor import MAX_WAYS_BACK
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.recipe import DebInstall, Install, RpmInstall, SelfUpgrade, self_upgrade_of
from p2pdist.shared.wire.fields import MAX_TEXT_CHARS

RESTART_SECONDS = 300.0  # for the recipe's command that starts the daemon anew
NOT_SPOKEN = "this daemon has not spoken with its server yet, so it could not be told whether the new one does"
NOT_ON_THIS_PC = "p2pdist upgrades itself on Linux alone, and not in another root"
NO_ROOM = "its file cannot be kept for the way back: make room on the disk"
NOTHING_RUN = "p2pdist was stopped before the installer was started; nothing was run"
INTERRUPTED = "interrupted: the supervisor, its installer or the PC was stopped"
NO_REMOVAL = "nothing of it was there before, and p2pdist does not remove itself"
_STEP_WORDS = {
    "": "waits for its supervisor to start",
    "installing": "its installer runs, outside of p2pdist",
    "waiting": "it was installed, and waits until the new daemon is well",
    "going_back": "the former version comes back",
}

log = lazy_log()


class OwnUpgrade:
    """Hands over decisions about p2pdist's own package, and takes up what has come of them."""

    def __init__(self, installer: Installer, store: JournalStore, kept: KeptPayloads, supervision: Supervision) -> None:
        self._installer = installer
        self._store = store
        self._kept = kept
        self.supervision = supervision
        self._looked_into: set[str] = set()
        """The files that were looked into by `keep_what_is_here`."""
        self.phase = ""
        """The step that the last look found; empty: none is under way."""

    @property
    def works(self) -> bool:
        """Whether a supervisor changes this PC at this moment: nothing else is begun that it would interrupt."""
        return self.phase in ("installing", "going_back")

    def concerns(self, install: Install | None) -> bool:
        """Return whether ``install`` is of p2pdist's own package, and has to be carried out from outside."""
        return self_upgrade_of(install) is not None

    def refusal(self) -> str:
        """Return why none can be begun now, in words; empty: it can."""
        if not self._installer.supervises:
            return NOT_ON_THIS_PC
        return "" if self.supervision.spoken() else NOT_SPOKEN

    async def keep_what_is_here(self, candidates: Iterable[Candidate]) -> None:
        """Keep the package of a version that somebody else has installed, once its file is here, for a way back to it.

        Raises `OSError`.
        """
        for candidate in candidates:
            record, install = self._store.record(candidate.ref), candidate.manifest.install
            if record is None or record.state != "installed" or record.own is not None or candidate.file is None:
                continue
            if not self.concerns(install) or not isinstance(install, DebInstall | RpmInstall):
                continue
            if candidate.file not in self._looked_into:
                self._looked_into.add(candidate.file)
                await self._keep(candidate, install, Path(candidate.file))

    async def _keep(self, candidate: Candidate, install: Install, file: Path) -> None:
        assert candidate.payload is not None
        try:
            package = await self._installer.package_in(install, file, candidate.payload.sha256)
        except PayloadChangedError:
            return  # a look at the file itself says so
        there = await self._installer.detector.installed_version(install, package)
        if package is None or there != package.version:
            return  # a later version is here than the one in the file
        own = await self._kept.keep(candidate.ref, candidate.payload, file)
        kept = "its package is kept for a way back"
        await self._store.update(
            candidate.ref, lambda r: replace(r, own=own, installed_as=there, package=package), kept if own else ""
        )

    async def hand_over(self, candidate: Candidate, record: InstallRecord) -> None:
        """Have an installation carried out that the journal has as begun. Raises `OSError`."""
        install = candidate.manifest.install
        own = self._kept.payload(record.patch_id, record.own)
        assert install is not None
        assert own is not None
        command = self._installer.command(install, downgrade=candidate.manifest.downgrade, package=record.package)
        way = self._installer.way_to(install, self._kept.payload(record.patch_id, record.previous), own)
        await self._order(record, install, _ordered(command, own), way)

    async def hand_over_way_back(self, candidate: Candidate, record: InstallRecord, way: UndoCommand) -> None:
        """Have a way back carried out, likewise."""
        assert candidate.manifest.install is not None
        record = await self._store.update(candidate.ref, lambda r: replace(r, supervised=True))
        await self._order(record, candidate.manifest.install, None, way)

    async def _order(
        self, record: InstallRecord, install: Install, command: OrderedCommand | None, way: UndoCommand | None
    ) -> None:
        rules = self_upgrade_of(install) or SelfUpgrade()
        repair = self._installer.repair_command(install)
        restart = None if rules.restart is None else CommandLine(rules.restart, RESTART_SECONDS)
        await self.supervision.hand_over(
            Order(
                id=f"{_beginning(record)}{secrets.token_hex(4)}",
                install=command,
                back=None if way is None else _ordered(way.command, way.payload),
                repair=None if repair is None else _ordered(repair),
                restart=None if restart is None else _ordered(restart),
                contact_seconds=rules.contact_within_minutes * 60.0,
                server=self.supervision.server(),
                environment=self._installer.environment,
                limits=RESOURCE_LIMITS,
                pace=self.supervision.pace,
            )
        )

    async def tidy(self) -> None:
        """Forget an order whose outcome the journal has. Raises `OSError`."""
        await self.supervision.tidy([_beginning(record) for record in self._store.journal.records if record.supervised])

    async def look(self, record: InstallRecord) -> Progress | None:
        """Return how far ``record`` is; None: it was never handed over. Raises `OSError`."""
        progress = await self.supervision.look(_beginning(record))
        self.phase = "" if progress is None or progress.result else progress.step or "installing"
        # why something goes back is said already
        if progress is not None and not progress.result and record.state == "installing":
            await self._tell(record, progress)
        return progress

    async def _tell(self, record: InstallRecord, progress: Progress) -> None:
        """Note what is waited for, for people: in the history once for each step."""
        words = _STEP_WORDS.get(progress.step, progress.step)
        detail = self.supervision.problem or progress.cause
        reason = f"{words}: {detail}" if detail else words
        if record.reason != reason[:MAX_TEXT_CHARS]:
            said = record.reason.startswith(words)
            await self._store.update(
                record.ref, lambda r: replace(r, reason=reason[:MAX_TEXT_CHARS]), "" if said else words
            )

    def outcome(self, candidate: Candidate, progress: Progress) -> Outcome:
        """Return how the installer has ended."""
        install, output = candidate.manifest.install, printable(progress.output.encode())
        if not progress.known or install is None:
            return Outcome(False, INTERRUPTED, output, known=False)
        return judged(self._installer.command(install), progress.code, output)

    def outcome_of_way_back(self, candidate: Candidate, progress: Progress) -> Outcome:
        """Return how the way back has ended."""
        install, output = candidate.manifest.install, printable(progress.back_output.encode())
        if progress.result == "no_way_back":
            return Outcome(False, "the package of the former version is not kept on this PC")
        if progress.result == "stayed" and progress.tries >= MAX_WAYS_BACK and progress.back_code is None:
            return Outcome(False, f"it was interrupted {progress.tries} times", output)
        if install is None:
            return Outcome(progress.result == "went_back", progress.result, output)
        nothing = KeptPayload(Path(), "", "")
        way = self._installer.way_to(install, nothing, nothing)
        assert way is not None
        return judged(way.command, progress.back_code, output)

    def went_back(self, record: InstallRecord, progress: Progress, outcome: Outcome) -> InstallRecord:
        """Return the record of an upgrade after which the daemon was not well."""
        event = LifeEvent.ROLLED_BACK if outcome.succeeded else LifeEvent.NOT_ROLLED_BACK
        reason = f"not healthy: {progress.cause}"
        if not outcome.succeeded:
            reason = f"{reason}; not rolled back: {outcome.words}"
        after = step(failed(record, FailureClass.HEALTH, reason), event, self._store.now())
        return settled(replace(after, own=None), self._store.now(), 1.0)

    async def over(self) -> None:
        """Forget the order: the journal has what came of it. Raises `OSError`."""
        self.phase = ""
        await self.supervision.over()


def _beginning(record: InstallRecord) -> str:
    """Return how the id of the order begins that is under way for ``record``."""
    return f"{record.decision}-{'install' if record.state == 'installing' else 'back'}-"


def _ordered(command: CommandLine, payload: KeptPayload | None = None) -> OrderedCommand:
    given = {} if payload is None else {"file": str(payload.file), "sha256": payload.sha256}
    # a recipe's own arguments come after the file
    return OrderedCommand(
        command.argv, command.timeout_seconds, command.success_codes, command.reboot_codes, command.busy_codes,
        file_at=command.argv.index(PAYLOAD) if payload is not None else 0, **given,
    )  # fmt: skip
