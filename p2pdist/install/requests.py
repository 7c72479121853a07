"""What the commands ask of the patch life: the plan, the history, the posture, and the user's own decisions."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec.structs import replace

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.install import local_time
from p2pdist.install.compliance import PatchStanding, posture
from p2pdist.install.lifecycle import UNDER_WAY, InstallRecord
from p2pdist.install.loop import Installs
from p2pdist.install.plan import PlanRow
from p2pdist.install.schedule import DeferralRefusedError, Deferrals, defer, schedule_of
from p2pdist.local_api.socket import Answer
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef, related_id
from p2pdist.shared.wire.messages import MAX_TEXT_CHARS, PatchReport

MAX_HISTORY_SHOWN = 500
MAX_DEFERRAL_DAYS = 30  # as in a recipe


class InstallOrders:
    """Answers for the local socket; runs in the daemon's trio thread."""

    def __init__(self, installs: Installs, clock: Clock) -> None:
        self._installs = installs
        self._now = clock.now

    # --- questions --------------------------------------------------------------------

    def plan(self) -> Answer:
        """Return the answer to `p2pdist plan`."""
        return {"problem": self._installs.problem, "patches": [self._row(row) for row in self._installs.plan()]}

    def history(self) -> Answer:
        """Return the answer to `p2pdist history`: the newest last."""
        steps = self._installs.journal.history[-MAX_HISTORY_SHOWN:]
        return {
            "history": [
                {
                    "at": entry.at,
                    "id": entry.patch_id,
                    "version": entry.version,
                    "decision": entry.decision,
                    "what": entry.what,
                    "output": entry.output,
                }
                for entry in steps
            ]
        }

    def posture(self, endpoint_id: str, hostname: str, problem: str) -> Answer:
        """Return this PC's posture, not yet signed."""
        patches = [_standing(row, self._now()) for row in self._installs.plan()]
        if not self._installs.looked:
            problem = problem or "what is installed here has not been looked at yet"
        return posture(endpoint_id, hostname, patches, problem or self._installs.problem, self._now())

    def explain(self, rows: list[dict[str, Any]]) -> None:
        """Say of patches whose file is here what they wait for instead, and add those that do not apply."""
        by_ref = {row.candidate.ref: row for row in self._installs.plan()}
        for answer in rows:
            row = by_ref.pop(PatchRef(answer["id"], answer["version"]), None)
            if row is not None and row.candidate.manifest.install is not None and answer["state"] == "verified":
                answer |= {"state": row.state, "reason": _sentence(row), "detail": "", "since_seconds": 0.0}
                if row.record is not None:
                    answer["since_seconds"] = round(max(0.0, self._now() - row.record.changed_at), 1)
        rows += [
            {
                "id": row.candidate.manifest.patch_id,
                "version": row.candidate.manifest.version,
                "state": row.state,
                "progress": 0.0,
                "reason": _sentence(row),
                "detail": "",
                "since_seconds": 0.0,
                "seconds": {},
            }
            for row in by_ref.values()
            if row.candidate.not_applicable
        ]

    def reports(self, transferred: Collection[tuple[str, str]]) -> list[PatchReport]:
        """Return what the server is told of patches that do not apply and are not among ``transferred``."""
        return [
            PatchReport(
                patch_id=row.candidate.manifest.patch_id,
                version=row.candidate.manifest.version,
                state="waiting",
                progress=0.0,
                bytes_from_origin=0,
                bytes_from_peers=0,
                bytes_wasted=0,
                seconds=0.0,
                error="",
                install="not_applicable",
                install_reason=row.reason[:MAX_TEXT_CHARS],
            )
            for row in self._installs.plan()
            if row.state == "not_applicable" and row.candidate.ref not in transferred
        ]

    # --- the user's decisions ----------------------------------------------------------

    async def defer(self, arguments: dict[str, Any]) -> Answer:
        """Put a patch off. Raises `UserError` (REFUSED) where it may not be, and says why."""
        row = self._installable(arguments)
        schedule = schedule_of(row.candidate.manifest.schedule, local_time.zone(self._now()))
        seconds = arguments.get("seconds", schedule.longest_deferral.total_seconds())
        if not isinstance(seconds, int | float) or not 0 < seconds <= MAX_DEFERRAL_DAYS * DAY_SECONDS:
            raise UserError("A deferral lasts from a second to 30 days.", FaultKind.BAD_INPUT)

        def deferred(record: InstallRecord) -> InstallRecord:
            if record.state != "waiting":
                raise UserError(
                    f"{row.candidate.ref} cannot be deferred: it is {_words(record.state)}.", FaultKind.REFUSED
                )
            until = None if record.deferred_until is None else datetime.fromtimestamp(record.deferred_until, UTC)
            now = datetime.fromtimestamp(self._now(), UTC)
            try:
                after = defer(schedule, Deferrals(record.deferral_count, until), now, timedelta(seconds=seconds))
            except DeferralRefusedError as error:
                raise UserError(f"{row.candidate.ref} stays as planned. {error}", FaultKind.REFUSED) from error
            assert after.until is not None
            return replace(record, deferral_count=after.count, deferred_until=after.until.timestamp())

        record = await self._installs.store.update(row.candidate.ref, deferred, "deferred by this PC's user")
        self._installs.wake()
        left = schedule.deferrals - record.deferral_count
        return _named(record) | {"until": record.deferred_until, "deferrals_left": left}

    async def roll_back(self, arguments: dict[str, Any]) -> Answer:
        """Have an installed patch rolled back. Raises `UserError` (REFUSED)."""
        row = self._installable(arguments)

        def asked(record: InstallRecord) -> InstallRecord:
            if record.state != "installed":
                raise UserError(
                    f"{row.candidate.ref} cannot be rolled back: it is {_words(record.state)}.", FaultKind.REFUSED
                )
            if record.own is None:
                raise UserError(
                    f"{row.candidate.ref} was here already and was not installed by p2pdist, which knows no way back.",
                    FaultKind.REFUSED,
                )
            return replace(record, undo_asked=True)

        what = "this PC's user asks to have it rolled back"
        record = await self._installs.store.update(row.candidate.ref, asked, what)
        self._installs.wake()
        return _named(record)

    async def retry(self, arguments: dict[str, Any]) -> Answer:
        """Try a failed or rolled back patch again now. Raises `UserError` (REFUSED)."""
        row = self._installable(arguments)

        def asked(record: InstallRecord) -> InstallRecord:
            if record.state not in ("failed", "rolled_back"):
                raise UserError(f"{row.candidate.ref} needs no retry: it is {_words(record.state)}.", FaultKind.REFUSED)
            return replace(record, retry_at=self._now(), attempts={}, failure=None, reason="")

        what = "this PC's user asks to have it tried again"
        record = await self._installs.store.update(row.candidate.ref, asked, what)
        self._installs.wake()
        return _named(record)

    def _installable(self, arguments: dict[str, Any]) -> PlanRow:
        relation = str(arguments.get("patch", ""))
        found = [row for row in self._installs.plan() if row.candidate.ref.matches(relation)]
        if not found:
            raise UserError(
                f"{related_id(relation)[:80]!r} is not rolled out to this PC. 'p2pdist plan' lists what is.",
                FaultKind.BAD_INPUT,
            )
        row = found[0]
        if row.record is None or row.state == "not_applicable":
            why = row.candidate.not_applicable or "its file is delivered, and nothing is installed of it"
            raise UserError(f"{row.candidate.ref}: {why}.", FaultKind.REFUSED)
        return row

    def _row(self, row: PlanRow) -> dict[str, Any]:
        manifest, record = row.candidate.manifest, row.record
        return {
            "id": manifest.patch_id,
            "version": manifest.version,
            "title": manifest.title,
            "severity": manifest.severity,
            "state": row.state or ("delivered" if row.candidate.file else "waiting"),
            "step": row.kind.value,
            "reason": row.reason,
            "again_at": row.again_at,
            "due_at": row.due_at,
            "emergency": manifest.schedule.emergency,
            "deferrals_used": record.deferral_count if record else 0,
            "deferrals_allowed": manifest.schedule.deferrals,
            "restart_needed": record is not None and record.restart_boot is not None,
        }


def _named(record: InstallRecord) -> Answer:
    return {"id": record.patch_id, "version": record.version}


def _words(state: str) -> str:
    return "under way" if state in UNDER_WAY else state.replace("_", " ")


def _sentence(row: PlanRow) -> str:
    """Return why the patch is where it is, in one clause."""
    record = row.record
    if row.state == "not_applicable" or record is None:
        return f"it does not apply to this PC: {row.candidate.not_applicable or row.reason}"
    if record.state == "installed":
        return "it is installed" + (", and this PC has to be restarted" if record.restart_boot else "")
    if record.state in UNDER_WAY:
        return "it is being installed" if record.state != "rolling_back" else "it is being rolled back"
    if record.state in ("failed", "rolled_back"):
        return f"it has {'failed' if record.state == 'failed' else 'been rolled back'}: {row.reason}"
    return f"its file is here; {row.kind.value}{f': {row.reason}' if row.reason else ''}"


def _standing(row: PlanRow, now: float) -> PatchStanding:
    record, manifest = row.record, row.candidate.manifest
    return PatchStanding(
        patch_id=manifest.patch_id,
        version=manifest.version,
        severity=manifest.severity,
        state=row.state or "delivered",
        reason=row.reason,
        settled=row.settled,
        failed=record is not None and record.state in ("failed", "rolled_back"),
        first_seen_at=record.first_seen_at if record else now,
        due_at=row.due_at,
    )
