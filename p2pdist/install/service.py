"""Installing as a part of the daemon: gives the loop its candidates, and the commands their answers."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import TypeAlias

import msgspec
import trio

from p2pdist.install.file_uses import file_use
from p2pdist.install.installer import Installer
from p2pdist.install.loop import DaemonHooks, Installs
from p2pdist.install.plan import Candidate, PlanRow
from p2pdist.install.recalls import may_go_back
from p2pdist.install.requests import InstallRequests
from p2pdist.install.restart_times import DueRestart, RestartBy
from p2pdist.install.withdrawals import holds_back
from p2pdist.local_api.install_answers import NoticesAnswer, PostureAnswer
from p2pdist.local_api.messages import DEFER, HISTORY, NOTICES, PLAN, POSTURE, RETRY, ROLLBACK, PostureQuestion
from p2pdist.local_api.socket import Handler, answers, answers_as_asked, carries_out
from p2pdist.pc.diagnoser import Diagnoser
from p2pdist.settings import DaemonSettings, EndpointHome
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.documents import Withdrawal
from p2pdist.transfer.eviction import FileUse
from p2pdist.transfer.manager import Transfers
from p2pdist.transfer.states import Place
from p2pdist.transfer.transfer import Transfer
from p2pdist.trust.catalogue import Catalogue, CataloguePatch, NotApplicable, NotYet, RecalledPatch

SWITCHED_OFF = "Nothing is installed on this PC: config.toml says install = false."
MAX_OLDER_SHOWN = 20  # `p2pdist status` is for people

Proven: TypeAlias = tuple[tuple[CataloguePatch, ...], tuple[Place, ...]]
"""A proven file: the patches that have it, and its places."""

log = lazy_log()


class InstallService:
    """Connects the loop that installs with catalogue, transfers and commands. Runs in the daemon's trio thread."""

    def __init__(
        self,
        home: EndpointHome,
        settings: DaemonSettings,
        installer: Installer,
        transfers: Transfers,
        hooks: DaemonHooks,
        diagnoser: Diagnoser,
        clock: Clock,
        *,
        posture: Callable[[InstallRequests, str, PostureQuestion], PostureAnswer],
    ) -> None:
        """``posture``: answers `p2pdist posture`, given why the list of patches is not known (empty: it is)."""
        self._home = home
        self._transfers = transfers
        self._enabled = settings.install
        self._catalogue: Catalogue | None = None
        self._proven: list[Proven] = []
        """The files of the last `refresh_files`."""
        self._kept: tuple[Catalogue, list[Proven], list[Candidate]] | None = None
        """The last candidates, with all that they were made from."""
        self._older: dict[PatchRef, str] = {}
        """What the rollouts name and the offline role does not allow any more, with the reason."""
        self._posture = posture
        self._diagnoser = diagnoser
        self._unable = installer.problem
        """What keeps this PC from installing most patches, in words; empty: nothing."""
        self._now = clock.now
        self._began_at: float | None = None
        """On trio's clock."""
        self._passed, self._clock_problem = hooks.passed, hooks.clock_problem
        hooks = dataclasses.replace(
            hooks, withdrawn=self.withdrawn, recalled=self.recalled, holds_back=self._holds_back
        )
        self._loaded = trio.Event()
        self.installs = Installs(home, installer, self.candidates, hooks, clock, may_restart=settings.may_restart)
        self.orders = InstallRequests(self.installs, clock)

    async def run(self) -> None:
        """Install what is due, until cancelled. Raises `UserError` (STORAGE) for a journal that cannot be read."""
        self._began_at = trio.current_time()
        if not self._enabled:
            await trio.sleep_forever()
        if self._unable:
            log.warning("most patches cannot be installed", reason=self._unable)
        try:
            await self.installs.load()
        except OSError as error:
            raise UserError(
                f"The journal {self._home.installs} cannot be read: {error.strerror}. Check the disk and its "
                "permissions; without it nobody knows what has been begun.",
                FaultKind.STORAGE,
            ) from error
        self._loaded.set()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.installs.supervision.run)
            await self.installs.run()

    async def may_go_back(self) -> frozenset[PatchRef]:
        """Return the patches whose way back may be needed, once the journal is read."""
        if not self._enabled:
            return frozenset()
        await self._loaded.wait()
        return may_go_back(self.installs.journal)

    def candidates(self) -> Sequence[Candidate]:
        """Return every patch that is rolled out to this PC, with its file if that is proven.

        It is the same list until the catalogue or the set of proven files has changed.
        """
        if (catalogue := self._catalogue) is None:
            return ()
        verified = self._verified()
        proven = proven_files(verified)
        if self._kept is not None and self._kept[0] is catalogue and self._kept[1] == proven:
            return self._kept[2]
        directory = self._home.patches
        files = {
            patch.ref: transfer.verified_path(directory, patch) for transfer in verified for patch in transfer.placed
        }
        candidates = [
            Candidate(patch.manifest, patch.entry.sequence, patch.payload, files.get(patch.ref))
            for patch in catalogue.patches
        ]
        candidates += [skipped_candidate(skipped, files) for skipped in catalogue.not_applicable]
        candidates += [waiting_candidate(waiting, files) for waiting in catalogue.not_yet]
        candidates = with_recalled(candidates, catalogue.recalled)
        self._kept = catalogue, proven, candidates
        return candidates

    def file_uses(self) -> dict[PatchRef, FileUse]:
        """Return what the files of patches are here for; of those that are missing nothing is known."""
        if self._enabled and not self._loaded.is_set():
            return {}
        record = self.installs.store.record
        return {each.ref: file_use(each, record(each.ref), installs=self._enabled) for each in self.candidates()}

    def kept_for_way_back(self) -> set[PatchRef]:
        """Return the versions whose kept files what is installed now goes back to."""
        return {
            PatchRef(record.patch_id, record.previous.version)
            for record in self.installs.journal.records
            if record.previous is not None
        }

    async def give_up_way_back(self, ref: PatchRef) -> None:
        """As `Installs.give_up_way_back`; what goes wrong is logged."""
        try:
            await self.installs.give_up_way_back(ref)
        except OSError as error:
            log.warning("a kept file cannot be given up", patch=str(ref), reason=error.strerror)

    def withdrawn(self) -> tuple[Withdrawal, ...]:
        """Return the patches that were taken back, each with its reason."""
        return () if self._catalogue is None else self._catalogue.withdrawn

    def recalled(self) -> tuple[RecalledPatch, ...]:
        """Return what goes back of what is installed here."""
        return () if self._catalogue is None else self._catalogue.recalled

    def _holds_back(self) -> str:
        seconds = 0.0 if self._began_at is None else trio.current_time() - self._began_at
        now, believed = max(self._now(), self._passed()), not self._clock_problem()
        return holds_back(self._catalogue, now, clock_believed=believed, running_seconds=seconds)

    def follow_catalogue(self, catalogue: Catalogue) -> None:
        """Accept a new catalogue: what is rolled out now."""
        self._catalogue = catalogue
        older = {skipped.manifest.ref: skipped.reason for skipped in catalogue.not_applicable if skipped.older}
        for ref in older.keys() - self._older.keys():
            log.warning("patch refused", patch=str(ref), reason=older[ref])
        self._older = older
        self.installs.wake()
        self._diagnoser.set_templates(catalogue.templates)
        self._diagnoser.facts_changed()  # changed facts are one reason for a new choice from the catalogue: scan again

    def refresh_files(self) -> None:
        """Wake the loop if the set of proven files has changed since the last call."""
        proven = proven_files(self._verified())
        if proven != self._proven:
            self._proven = proven
            self.installs.wake()

    def _verified(self) -> list[Transfer]:
        return [transfer for transfer in self._transfers.everything() if transfer.is_here]

    def plan(self) -> list[PlanRow]:
        """Return the plan of each patch that is rolled out to this PC; nothing where installing is switched off."""
        return self.installs.plan() if self._enabled else []

    @property
    def problems(self) -> list[str]:
        """What the user should know, in words."""
        if not self._enabled:
            return [SWITCHED_OFF]
        moment, rows = self.installs.moment(), self.plan()
        restarts = [restart_words(restart, moment.zone) for restart in self.installs.restarter.due(moment)]
        forced = [forced_words(row, moment.zone) for row in rows]
        refused = [
            f"{row.candidate.ref} is refused: {row.older}."
            for row in rows
            if row.older and row.state == "not_applicable"
        ]
        held = self._holds_back() if any(row.due for row in rows) else ""
        return [
            problem
            for problem in (self.installs.problem, self._unable, held, *restarts, *forced, *refused[:MAX_OLDER_SHOWN])
            if problem
        ]

    # --- questions of the commands -----------------------------------------------------------

    def handlers(self) -> list[Handler]:
        """Return the handlers of the commands about installing."""
        handlers = [
            answers(PLAN, self.orders.plan),
            answers(HISTORY, self.orders.history),
            answers(NOTICES, self._answer_notices),
            answers_as_asked(POSTURE, self._answer_posture),
            carries_out(DEFER, self.orders.defer),
            carries_out(ROLLBACK, self.orders.roll_back),
            carries_out(RETRY, self.orders.retry),
        ]
        return handlers if self._enabled else [Handler(handler.command, _switched_off) for handler in handlers]

    def _answer_notices(self) -> NoticesAnswer:
        if self._catalogue is None or not self.installs.looked:  # an empty answer would say that nothing comes
            raise UserError(
                "What is to be installed here is not known yet: the daemon has just started.", FaultKind.BUSY
            )
        return self.orders.notices()

    def _answer_posture(self, question: PostureQuestion) -> PostureAnswer:
        unknown = "" if self._catalogue else "the list of patches is not known yet"
        return self._posture(self.orders, unknown, question)


def proven_files(verified: Iterable[Transfer]) -> list[Proven]:
    """Return what says which patches have a proven file: it is another one when that changes."""
    return [(transfer.patches, transfer.record.places) for transfer in verified]


def restart_words(restart: DueRestart, zone: tzinfo) -> str:
    """Return what this PC's user should know of a restart; empty: nothing."""
    if not restart.is_asked:
        return ""
    if restart.by is not RestartBy.DAEMON:
        return f"Restart this PC to finish {restart.ref}."
    if restart.notice is not None:
        return f"This PC restarts by itself in a few minutes to finish {restart.ref}: save your work."
    again = "" if restart.again_at is None else f" at {_clock(restart.again_at, zone)} at the latest"
    return f"This PC restarts by itself{again} to finish {restart.ref}, or restart it before."


def forced_words(row: PlanRow, zone: tzinfo) -> str:
    """Return the notice of an installation that a deadline forces; empty: there is none."""
    if row.forced_at is None:
        return ""
    return (
        f"{row.candidate.ref} is installed at {_clock(row.forced_at, zone)} at the latest, its deadline is over: "
        "save your work until then."
    )


def _clock(at: float, zone: tzinfo) -> str:
    return f"{datetime.fromtimestamp(at, zone):%Y-%m-%d %H:%M}"


def skipped_candidate(skipped: NotApplicable, files: Mapping[PatchRef, str]) -> Candidate:
    """Return what is planned of a patch that is not for this PC; ``files`` are the proven files."""
    shared = skipped.shared
    return Candidate(
        skipped.manifest,
        skipped.entry.sequence,
        shared.payload if shared else None,
        files.get(shared.ref) if shared else None,
        not_applicable="" if skipped.older else skipped.reason,
        older=skipped.reason if skipped.older else "",
    )


def waiting_candidate(waiting: NotYet, files: Mapping[PatchRef, str]) -> Candidate:
    """Return what is planned of a patch that waits for its rollout; ``files`` are the proven files."""
    shared = waiting.shared
    return Candidate(
        waiting.manifest,
        waiting.entry.sequence,
        shared.payload if shared else None,
        files.get(shared.ref) if shared else None,
        not_yet=waiting.wait.words,
        not_yet_until=waiting.wait.until,
    )


def with_recalled(candidates: Sequence[Candidate], recalled: Sequence[RecalledPatch]) -> list[Candidate]:
    """Return the candidates, and those that go back: their recipes say how, though they may be offered no more."""
    going = {one.ref: f"recalled: {one.recall.reason}" for one in recalled}
    known = {candidate.ref for candidate in candidates}
    gone = [
        Candidate(one.manifest, 0, None, None, older=going[one.ref], recalled=going[one.ref])
        for one in recalled
        if one.manifest is not None and one.ref not in known
    ]
    offered = [
        dataclasses.replace(candidate, recalled=going[candidate.ref]) if candidate.ref in going else candidate
        for candidate in candidates
    ]
    return [*offered, *gone]


async def _switched_off(_question: msgspec.Struct) -> msgspec.Struct:
    raise UserError(SWITCHED_OFF, FaultKind.REFUSED)
