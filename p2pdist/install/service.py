"""The patch life as a part of the daemon: what is offered to it, who hears of it, and what the commands ask of it."""

from collections.abc import Callable, Mapping
from typing import Any

import trio

from p2pdist.install.installer import Installer
from p2pdist.install.loop import DaemonHooks, Installs
from p2pdist.install.plan import Candidate
from p2pdist.install.requests import InstallOrders
from p2pdist.local_api.socket import Answer, Order, Question
from p2pdist.pc.diagnoser import Diagnoser
from p2pdist.settings import DaemonSettings, EndpointHome
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.wire.messages import MAX_PATCHES_PER_REPORT, PatchReport, Report
from p2pdist.transfer.manager import Transfers
from p2pdist.trust.catalogue import Catalogue

SWITCHED_OFF = "Nothing is installed on this PC: config.toml says install = false."


class Patching:
    """Runs in the daemon's trio thread."""

    def __init__(
        self,
        home: EndpointHome,
        settings: DaemonSettings,
        installer: Installer,
        transfers: Transfers,
        surroundings: DaemonHooks,
        diagnoser: Diagnoser,
        clock: Clock,
        *,
        posture: Callable[[InstallOrders, str], Answer],
    ) -> None:
        """``posture``: answers `p2pdist posture`, given why the list of patches is not known (empty: it is)."""
        self._home = home
        self._transfers = transfers
        self._enabled = settings.install
        self._catalogue: Catalogue | None = None
        self._proven: set[TorrentHash] = set()
        self._reported: list[PatchReport] = []
        self._posture = posture
        self._diagnoser = diagnoser
        self.installs = Installs(
            home, installer, self.candidates, surroundings, clock, may_restart=settings.may_restart
        )
        self.orders = InstallOrders(self.installs, clock)

    async def run(self) -> None:
        """Install what is due, until cancelled. Raises `UserError` (STORAGE) for a journal that cannot be read."""
        if not self._enabled:
            await trio.sleep_forever()
        try:
            await self.installs.load()
        except OSError as error:
            raise UserError(
                f"The journal {self._home.installs} cannot be read: {error.strerror}. Check the disk and its "
                "permissions; without it nobody knows what has been begun.",
                FaultKind.STORAGE,
            ) from error
        await self.installs.run()

    def candidates(self) -> list[Candidate]:
        """Return every patch that is rolled out to this PC, as far as it has come."""
        if self._catalogue is None:
            return []
        files = {
            transfer.ref: str(transfer.verified_path(self._home.patches))
            for transfer in self._transfers.everything()
            if transfer.state == "verified"
        }
        candidates = [
            Candidate(patch.manifest, patch.entry.sequence, patch.payload, files.get(patch.ref))
            for patch in self._catalogue.patches
        ]
        for skipped in self._catalogue.not_applicable:
            shared = skipped.shared
            file = files.get(shared.ref) if shared else None
            payload = shared.payload if shared else None
            candidates.append(Candidate(skipped.manifest, skipped.entry.sequence, payload, file, skipped.reason))
        return candidates

    def follow_catalogue(self, catalogue: Catalogue) -> None:
        """Take in what is rolled out now."""
        self._catalogue = catalogue
        self.installs.wake()
        self._diagnoser.set_templates(catalogue.templates)
        self._diagnoser.facts_changed()  # they are a reason to choose anew

    def refresh_files(self) -> None:
        """Install what has been proven since the last look."""
        transfers = self._transfers.everything()
        proven = {transfer.torrent_hash for transfer in transfers if transfer.state == "verified"}
        if proven != self._proven:
            self._proven = proven
            self.installs.wake()

    def reports(self) -> list[Report]:
        """Note with each transfer what has become of it, so that it is reported.

        Return what the server does not know yet of patches without one: they do not apply.
        """
        if not self._enabled:
            return []
        rows = {row.candidate.ref: row for row in self.installs.plan()}
        transfers = self._transfers.everything()
        for transfer in transfers:
            row = rows.get(transfer.ref)
            transfer.install = ("", "") if row is None else (row.state, row.reason)
        known, self._reported = self._reported, self.orders.reports({transfer.ref for transfer in transfers})
        reports = [report for report in self._reported if report not in known]
        starts = range(0, len(reports), MAX_PATCHES_PER_REPORT)
        return [Report(patches=reports[start : start + MAX_PATCHES_PER_REPORT]) for start in starts]

    def forget_reports(self) -> None:
        """Report everything again: the server is a new one, or the same after a restart."""
        self._reported = []
        self._diagnoser.reconnected()

    @property
    def problems(self) -> list[str]:
        """What the user should know, in words."""
        restarts = [
            f"Restart this PC to finish {row.candidate.ref}."
            for row in self.installs.plan()
            if row.record is not None
            and row.record.restart_boot is not None
            and row.candidate.manifest.schedule.reboot != "never"
        ]
        return [problem for problem in (self.installs.problem, *restarts) if problem]

    # --- what the commands ask -----------------------------------------------------------

    def questions(self) -> Mapping[str, Question]:
        """Return what changes nothing, by command."""
        if not self._enabled:
            return {name: lambda: {"disabled": SWITCHED_OFF} for name in ("plan", "history", "posture")}
        return {
            "plan": self.orders.plan,
            "history": self.orders.history,
            "posture": self._answer_posture,
        }

    def commands(self) -> Mapping[str, Order]:
        """Return what changes something, by command."""
        if not self._enabled:
            return dict.fromkeys(("defer", "rollback", "retry"), _switched_off)
        return {"defer": self.orders.defer, "rollback": self.orders.roll_back, "retry": self.orders.retry}

    def _answer_posture(self) -> Answer:
        return self._posture(self.orders, "" if self._catalogue else "the list of patches is not known yet")

    def add_to_status(self, answer: Answer) -> Answer:
        """Return the answer to `p2pdist status` with what is installed, and what the user should do."""
        answer["problems"] += self.problems
        answer["installs"] = {str(row.candidate.ref): row.state for row in self.installs.plan() if row.state}
        return answer

    def explain(self, answer: Answer) -> Answer:
        """Return the answer to `p2pdist why` with what comes after the file."""
        if self._enabled:
            self.orders.explain(answer["patches"])
        return answer


async def _switched_off(_arguments: dict[str, Any]) -> Answer:
    raise UserError(SWITCHED_OFF, FaultKind.REFUSED)
