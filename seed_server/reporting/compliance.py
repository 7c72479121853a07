"""How large a part of PCs and patches is done, day by day: sums, whatever the fleet's size. Blocking; only reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bandwidth.core.quantities import DAY_SECONDS
from seed_server.fleet.context import Context
from seed_server.reporting.judged_patches import PatchesAsked, cves_of, judged, patches_asked_for, report_head
from seed_server.reporting.service_levels import JudgedPatch, KevDates, deadline_of, no_kev_dates
from seed_server.settings.sections import SlaRule
from seed_server.store.done_times import TALLY_SECONDS
from seed_server.store.tables import REPORTED_SINCE

COMPLIANCE_DAYS = 30
MOST_COMPLIANCE_DAYS = 365
MOST_GAPS = 10
_DAY_HOURS = int(DAY_SECONDS) // TALLY_SECONDS


@dataclass(frozen=True)
class ComplianceDay:
    """How PCs stood to patches at the end of a day."""

    at: float
    """The day's end, seconds since 1970; of the newest one, now."""
    pairs: int
    """PCs and patches that are for them, of those patches that were published by then."""
    done: int
    """So many of them were done."""

    @property
    def share(self) -> float | None:
        """``done`` ÷ ``pairs``; None: there was nothing to do."""
        return min(1.0, self.done / self.pairs) if self.pairs else None


@dataclass(frozen=True)
class ComplianceOfRule:
    """The same, of the patches that are under one rule."""

    rule: SlaRule
    patches: int
    days: Sequence[ComplianceDay]


@dataclass(frozen=True)
class ComplianceGap:
    """A patch that PCs lack."""

    patch: JudgedPatch
    applicable: int
    """PCs to which it applies, with those that have said nothing of it."""
    missing: int
    """So many of them lack it."""


@dataclass(frozen=True)
class Compliance:
    """How large a part is done."""

    now: float
    fleet: int
    """PCs that are allowed here."""
    patches: int
    days: Sequence[ComplianceDay]
    """The oldest first."""
    rules: Sequence[ComplianceOfRule]
    """As ``server.toml`` has them; none: there is no rule."""
    gaps: Sequence[ComplianceGap]
    """The patches that most PCs lack, most first; without those that none does."""


def read_compliance(context: Context, days: int = COMPLIANCE_DAYS, *, kev: KevDates = no_kev_dates) -> Compliance:
    """Return how large a part was done at the end of each of the last ``days`` UTC days.

    It is of the PCs and patches of now: who is enrolled, what is offered, and to whom it applies as far as PCs have
    said so. A PC that has said nothing of a patch counts as one that lacks it. Raises `UserError`: NOT_SET_UP,
    STORAGE, BUSY.
    """
    now, rules = context.clock.now(), context.settings().sla
    today = now - now % DAY_SECONDS
    first = today - (days - 1) * DAY_SECONDS
    with context.database() as database, database.one_state():
        heads = patches_asked_for(report_head(context, database), PatchesAsked(), now)
        by_kev = any(rule.clock == "kev" for rule in rules)
        cves = {one.ref: cves_of(one) for one in context.repository().readable_manifests()[0]} if by_kev else {}
        patches = judged(database, heads, cves)
        numbers = [patch.number for patch in patches]
        fleet = database.endpoint_counts().allowed
        said = database.said_counts(numbers)
        done = database.done_by_day(numbers, int(first - REPORTED_SINCE) // TALLY_SECONDS)
    applicable = {number: max(0, fleet - said[number].not_for_it) for number in numbers}
    ends = [first + place * DAY_SECONDS for place in range(1, days)] + [now]
    under = {rule.name: [one for one in patches if deadline_of(rule, one, kev) is not None] for rule in rules}
    return Compliance(
        now,
        fleet,
        len(patches),
        by_day(patches, applicable, done, ends),
        tuple(
            ComplianceOfRule(rule, len(under[rule.name]), by_day(under[rule.name], applicable, done, ends))
            for rule in rules
        ),
        _gaps(patches, applicable, done),
    )


def _gaps(
    patches: Sequence[JudgedPatch], applicable: Mapping[int, int], done: Mapping[int, Mapping[int, int]]
) -> list[ComplianceGap]:
    gaps = [
        ComplianceGap(patch, every, every - sum(done.get(patch.number, {}).values()))
        for patch in patches
        for every in (applicable[patch.number],)
    ]
    found = [gap for gap in gaps if gap.missing > 0]
    return sorted(found, key=lambda gap: (-gap.missing, -gap.patch.published_at))[:MOST_GAPS]


def by_day(
    patches: Sequence[JudgedPatch],
    applicable: Mapping[int, int],
    done: Mapping[int, Mapping[int, int]],
    ends: Sequence[float],
) -> list[ComplianceDay]:
    """Return what it comes to at each of ``ends``; ``done`` has the days of `Database.done_by_day`."""
    found = []
    so_far = {patch.number: done.get(patch.number, {}).get(-1, 0) for patch in patches}
    for place, end in enumerate(ends):
        for number in so_far:
            so_far[number] += done.get(number, {}).get(place, 0)
        there = [patch.number for patch in patches if patch.published_at < end]
        pairs = sum(applicable[number] for number in there)
        # what is said to be for fewer PCs than have it, by words that came in between, is done at most
        found.append(ComplianceDay(end, pairs, sum(min(so_far[number], applicable[number]) for number in there)))
    return found
