"""Explains one patch: what it mends, who needs it, what it did, and what went wrong. Blocking; nothing here writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.manifest.documents import Manifest
from seed_server.fleet.context import Context
from seed_server.fleet.overview import EVERYTHING, FleetHead
from seed_server.fleet.rollout_queries import RolloutView, read_rollout
from seed_server.reporting.judged_patches import PatchesAsked, cves_of, judged, patches_asked_for, report_head
from seed_server.reporting.missing_pcs import SILENT_DAYS, MissingReason
from seed_server.reporting.missing_queries import missing_counts, missing_look
from seed_server.reporting.service_level_queries import read_counts
from seed_server.reporting.service_levels import (
    JudgedPatch,
    KevDates,
    ServiceLevel,
    deadline_of,
    hour_of_deadline,
    no_kev_dates,
    service_level,
)
from seed_server.store.count_rows import PatchHead, ReasonCount
from seed_server.store.done_times import TALLY_SECONDS
from seed_server.store.rollout_records import ExceptionRow
from seed_server.store.rows import PatchBytes
from seed_server.store.tables import REPORTED_SINCE

if TYPE_CHECKING:
    from seed_server.store.database import Database

MOST_KINDS_FAILED = 20  # reasons, those that most PCs give
FAILED_STATES = frozenset({"failed", "rolled_back", "retrying"})


@dataclass(frozen=True)
class ExplainedPatch:
    """What is known of a patch."""

    server_name: str
    now: float
    patch: JudgedPatch
    emergency: bool
    length_bytes: int
    manifest: Manifest | None
    """As its publisher has signed it; None: it is listed no more, or cannot be read."""
    withdrawn: str | None
    """Why it was withdrawn; None: it was not."""
    replaced_by: str | None
    """The version that has taken its place; empty: another patch has. None: nothing has."""
    fleet: int
    """PCs that are allowed here; all counts but `missing` are of these."""
    said: int
    not_for_it: int
    done: int
    installed: int
    """Of the done ones: the installation is detected there, and not only the file."""
    failed: int
    rolled_back: int
    done_by_hour: Sequence[tuple[float, int]]
    """How many are done since a moment, by moments, seconds since 1970: each adds to those before."""
    missing: Mapping[MissingReason, int]
    """Who lacks it, denied PCs too; reasons with nobody are left out."""
    failures: Sequence[ReasonCount]
    """What failed, with some of the PCs."""
    rollouts: Sequence[RolloutView]
    """The newest first."""
    exceptions: Sequence[ExceptionRow]
    """That hold PCs back from it, over or not."""
    levels: Sequence[ServiceLevel]
    """What came of the rules that it is under."""
    sent_bytes: int
    """Over the lines of all sites together."""
    bytes: PatchBytes
    """Where PCs have it from."""
    damage: str
    """Why its files cannot be served; empty: they can."""

    @property
    def applicable(self) -> int:
        """PCs to which it applies, as far as they have said so."""
        return self.said - self.not_for_it

    @property
    def unknown(self) -> int:
        """PCs that have said nothing of it."""
        return self.fleet - self.said


def read_patch_report(
    context: Context, asked: str, *, silent_days: int = SILENT_DAYS, kev: KevDates = no_kev_dates
) -> ExplainedPatch:
    """Return what is known of the newest patch that an id or ID@VERSION names.

    Raises `UserError`: BAD_INPUT for one that was never published here; NOT_SET_UP, STORAGE, BUSY.
    """
    manifests = {one.ref: one for one in context.repository().readable_manifests()[0]}
    now = context.clock.now()
    with context.database() as database, database.one_state():
        head = report_head(context, database)
        row = patches_asked_for(head, PatchesAsked(asked), now)[0]
        manifest = manifests.get(row.ref)
        (patch,) = judged(database, [row], {row.ref: () if manifest is None else cves_of(manifest)})
        levels, missing = _levels_and_missing(context, database, head, row, patch, silent_days=silent_days, kev=kev)
        counts = _counts(database, row)
        rollouts = [one.number for one in database.rollouts() if one.ref == row.ref]
        torrents = [one.torrent_hash for one in database.payloads() if one.ref == row.ref]
        report = ExplainedPatch(
            server_name=head.server_name,
            now=now,
            patch=patch,
            emergency=row.emergency,
            length_bytes=row.length_bytes,
            manifest=manifest,
            withdrawn=head.announced.withdrawn.get(row.ref),
            replaced_by=head.replaced.get(row.ref),
            fleet=database.endpoint_counts().allowed,
            said=counts["said"],
            not_for_it=counts["not_for_it"],
            done=counts["done"],
            installed=counts["installed"],
            failed=counts["failed"],
            rolled_back=counts["rolled_back"],
            done_by_hour=[
                (float(REPORTED_SINCE + (hour + 1) * TALLY_SECONDS), number)
                for hour, number in database.done_by_hour(row.number)
            ],
            missing=missing,
            failures=[
                one
                for one in database.reason_counts([row.number], most=MOST_KINDS_FAILED)
                if one.state in FAILED_STATES
            ],
            rollouts=(),
            exceptions=[one for one in database.exceptions()[::-1] if _is_about(one, row)],
            levels=levels,
            sent_bytes=sum(database.wan_bytes_of(torrents).values()),
            bytes=database.bytes_of(row.number),
            damage=head.damages.get(row.number, ""),
        )
    return replace(report, rollouts=[read_rollout(context, number) for number in rollouts[::-1]])


def _levels_and_missing(
    context: Context,
    database: "Database",
    head: FleetHead,
    row: PatchHead,
    patch: JudgedPatch,
    *,
    silent_days: int,
    kev: KevDates,
) -> tuple[list[ServiceLevel], dict[MissingReason, int]]:
    look = missing_look(context, database, [row], silent_days=silent_days)
    under = [
        (rule, patch, deadline)
        for rule in context.settings().sla
        if (deadline := deadline_of(rule, patch, kev)) is not None
    ]
    unseen = database.unseen_pcs(look.now - silent_days * DAY_SECONDS, serving=head.serving)
    counts = read_counts(database, under, look.holds, unseen)
    levels = [
        service_level(rule, one, limits, counts[one.number, hour_of_deadline(limits[1])], look.now)
        for rule, one, limits in under
    ]
    return levels, missing_counts(database, look)


def _counts(database: "Database", row: PatchHead) -> dict[str, int]:
    number = row.number
    said, done = database.said_counts([number])[number], database.done_counts([(number, 0)])[number, 0]

    def saying(*installs: str) -> int:
        meant = [one for one in EVERYTHING if one[1] in installs]
        return database.said_of([number], meant).get(number, 0)

    return {
        "said": said.all,
        "not_for_it": said.not_for_it,
        "done": done.all,
        "installed": saying("installed"),
        "failed": saying("failed"),
        "rolled_back": saying("rolled_back"),
    }


def _is_about(one: ExceptionRow, row: PatchHead) -> bool:
    return not one.is_withdrawal and (not one.patch or row.ref.matches(one.patch))
