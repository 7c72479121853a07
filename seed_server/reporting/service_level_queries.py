"""Asks whether patches came to enough PCs in time: sums, whatever the fleet's size. Blocking; nothing here writes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet.context import Context
from seed_server.fleet.overview import FleetHead
from seed_server.reporting.held_pcs import FleetHolds, fleet_holds
from seed_server.reporting.judged_patches import (
    PatchesAsked,
    cves_of,
    judged,
    patches_asked_for,
    report_head,
)
from seed_server.reporting.missing_pcs import SILENT_DAYS
from seed_server.reporting.service_levels import (
    Deadline,
    JudgedPatch,
    KevDates,
    LevelCounts,
    ServiceLevel,
    deadline_of,
    hour_of_deadline,
    no_kev_dates,
    service_level,
    worst_first,
)
from seed_server.settings.sections import SlaRule
from seed_server.store.count_rows import PatchHead
from seed_server.store.pc_sets import EMPTY_SET, numbers_of, pcs_of

if TYPE_CHECKING:
    from seed_server.store.database import Database


@dataclass(frozen=True)
class ServiceLevelReport:
    """What came of the rules."""

    server_name: str
    now: float
    silent_days: int
    rules: Sequence[SlaRule]
    levels: Sequence[ServiceLevel]
    """The worst first."""
    fleet: int
    """PCs that are allowed here."""
    denied: int
    """PCs that are denied, or wait to be allowed: they are counted nowhere."""
    withdrawn: int
    """Patches that were withdrawn, and so are not in it."""
    repository_problem: str = ""
    """Why the signed repository cannot be read; empty: it can."""


def read_service_levels(
    context: Context,
    asked: PatchesAsked = PatchesAsked(),  # noqa: B008 - it is frozen
    *,
    rule: str = "",
    silent_days: int = SILENT_DAYS,
    kev: KevDates = no_kev_dates,
) -> ServiceLevelReport:
    """Return what came of the rules in ``server.toml``, or of the one named ``rule``.

    Raises `UserError`: BAD_INPUT where there is no rule, or none of that name, or no such patch; NOT_SET_UP, STORAGE,
    BUSY.
    """
    rules = _rules(context.settings().sla, rule)
    now = context.clock.now()
    with context.database() as database, database.one_state():
        head = report_head(context, database)
        heads = patches_asked_for(head, asked, now)
        levels = levels_of(context, database, head, heads, rules, silent_days=silent_days, kev=kev)
        endpoints = database.endpoint_counts()
    return ServiceLevelReport(
        server_name=head.server_name,
        now=now,
        silent_days=silent_days,
        rules=rules,
        levels=worst_first(levels),
        fleet=endpoints.allowed,
        denied=endpoints.everyone - endpoints.allowed,
        withdrawn=len(head.announced.withdrawn),
        repository_problem=head.repository_problem,
    )


def levels_of(
    context: Context,
    database: "Database",
    head: FleetHead,
    heads: Sequence[PatchHead],
    rules: Sequence[SlaRule],
    *,
    silent_days: int = SILENT_DAYS,
    kev: KevDates = no_kev_dates,
) -> list[ServiceLevel]:
    """Return what came of these rules for some patches. Raises `UserError`."""
    now = context.clock.now()
    cves = _cves(context) if any(one.clock == "kev" for one in rules) else {}
    under = [
        (one, patch, deadline)
        for patch in judged(database, heads, cves)
        for one in rules
        if (deadline := deadline_of(one, patch, kev)) is not None
    ]
    if not under:
        return []
    unseen = database.unseen_pcs(now - silent_days * DAY_SECONDS, serving=head.serving)
    counts = read_counts(database, under, fleet_holds(context, database, now), unseen)
    return [
        service_level(one, patch, deadline, counts[patch.number, hour_of_deadline(deadline[1])], now)
        for one, patch, deadline in under
    ]


def read_counts(
    database: "Database",
    under: Sequence[tuple[SlaRule, JudgedPatch, Deadline]],
    holds: FleetHolds,
    unseen: Sequence[int],
) -> dict[tuple[int, int], LevelCounts]:
    """Return how PCs stand to patches, by the patch's number and the hour of a deadline.

    ``unseen``: the numbers of the PCs that were not seen for days.
    """
    patches = {patch.number: patch.ref for _, patch, _ in under}
    fleet = database.endpoint_counts().allowed
    said = database.said_counts(patches)
    done = database.done_counts([(patch.number, hour_of_deadline(deadline[1])) for _, patch, deadline in under])
    away = pcs_of(unseen)
    excepted, silent = dict[int, int](), dict[int, int]()
    for held, numbers in _by_holds(holds, patches).items():
        excepted |= database.lacking_counts(numbers, _allowed(holds, held))
        silent |= database.lacking_counts(numbers, list(numbers_of(away & ~held)))
    return {
        (number, hour): LevelCounts(
            fleet=fleet,
            said=said[number].all,
            not_for_it=said[number].not_for_it,
            done=count.all,
            in_time=count.in_time,
            excepted=excepted.get(number, 0),
            silent=silent.get(number, 0),
        )
        for (number, hour), count in done.items()
    }


def _by_holds(holds: FleetHolds, patches: Mapping[int, PatchRef]) -> dict[int, list[int]]:
    """Return the patches, by their numbers, from which the same PCs are held back."""
    by_exceptions: dict[tuple[int, ...], list[int]] = {}
    for number, ref in patches.items():
        by_exceptions.setdefault(tuple(one.number for one in holds.exceptions_of(ref)), []).append(number)
    known = {one.number: one for one in holds.exceptions}
    found: dict[int, list[int]] = {}
    for numbers, some in by_exceptions.items():
        held = holds.held([known[number] for number in numbers]) if numbers else EMPTY_SET
        found.setdefault(held, []).extend(some)
    return found


def _allowed(holds: FleetHolds, held: int) -> list[int]:
    """Return the numbers of the PCs in a set that are not denied."""
    if not held:
        return []
    allowed = pcs_of(row.number for row in holds.pcs.rows if row.allowed)
    return list(numbers_of(held & allowed))


def _cves(context: Context) -> dict[PatchRef, tuple[str, ...]]:
    return {one.ref: cves_of(one) for one in context.repository().readable_manifests()[0]}


def _rules(rules: Sequence[SlaRule], name: str) -> Sequence[SlaRule]:
    if not rules:
        raise UserError(
            "server.toml has no rule to measure by. Write a table [[sla]] with name, share_percent and days into it, "
            "for example least_cvss = 9.0, share_percent = 95, days = 7.",
            FaultKind.BAD_INPUT,
        )
    found = [rule for rule in rules if name in ("", rule.name)]
    if not found:
        raise UserError(
            f"server.toml has no rule {name[:80]!r}. It has {', '.join(rule.name for rule in rules)}.",
            FaultKind.BAD_INPUT,
        )
    return found
