"""Whether patches came to enough PCs in time, by the rules of ``server.toml``. Pure.

The denominator is every PC to which the patch applies. PCs that an exception holds back, and those that were not seen
for days, are told beside it, and never left out of it. A PC that has said nothing of the patch may need it or not: it
is counted by itself, and where such PCs decide, the verdict says so.
"""

import enum
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import ceil
from typing import Protocol, TypeAlias

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.identifiers import PatchRef
from seed_server.settings.sections import SlaRule
from seed_server.store.done_times import TALLY_SECONDS
from seed_server.store.tables import REPORTED_SINCE

SEVERITIES = ("low", "medium", "high", "critical")
NEARLY = 1e-9  # of a PC: shares are no whole numbers


class KevDates(Protocol):
    """When vulnerabilities came to be known as exploited."""

    def __call__(self, cve: str, /) -> date | None:
        """Return the day for a CVE; None: it is not known to be."""


def no_kev_dates(_cve: str) -> date | None:
    """Return None: nothing is known of any."""
    return None


class LevelVerdict(enum.StrEnum):
    """What came of a rule for a patch."""

    KEPT = "kept"
    """At the deadline enough PCs had it, also if every PC that has said nothing needs it."""
    BROKEN = "broken"
    """They were too few, whatever the silent ones need."""
    RUNNING = "still running"
    """The deadline has not come."""
    UNCLEAR = "not known yet"
    """It hangs on PCs that have said nothing of the patch."""


VERDICTS = tuple(LevelVerdict)


@dataclass(frozen=True)
class JudgedPatch:
    """A patch, as rules look at it."""

    number: int
    """In the tables."""
    ref: PatchRef
    title: str
    severity: str
    cvss: float | None
    published_at: float
    cves: tuple[str, ...] = ()


@dataclass(frozen=True)
class LevelCounts:
    """How the PCs stand to a patch that are not denied."""

    fleet: int
    said: int
    """PCs that have said anything of it."""
    not_for_it: int
    done: int
    in_time: int
    """Of those that are done: by the deadline."""
    excepted: int
    """Of those that lack it: an exception holds them back."""
    silent: int
    """Of those that lack it and are not excepted: not seen for days."""


@dataclass(frozen=True)
class ServiceLevel:
    """One rule for one patch: what was asked, and what came of it."""

    rule: SlaRule
    patch: JudgedPatch
    begins_at: float
    """When the clock began, seconds since 1970."""
    deadline: float
    """With the end of an hour."""
    applicable: int
    """PCs to which the patch applies, as far as they have said so."""
    in_time: int
    late: int
    """They are done, and were not at the deadline."""
    missing: int
    excepted: int
    """Of the missing ones, as the next."""
    silent: int
    unknown: int
    """PCs that have said nothing of the patch: they may need it or not."""
    verdict: LevelVerdict

    @property
    def share(self) -> float | None:
        """PCs in time ÷ PCs to which it applies; None: it applies to none."""
        return self.in_time / self.applicable if self.applicable else None

    @property
    def least_share(self) -> float | None:
        """The same if every PC that has said nothing needs the patch."""
        return self.in_time / (self.applicable + self.unknown) if self.applicable + self.unknown else None


Deadline: TypeAlias = tuple[float, float]
"""When a clock began, and when it ends; seconds since 1970."""


def matches(rule: SlaRule, patch: JudgedPatch) -> bool:
    """Whether a patch is as severe as a rule asks, by one of its bounds."""
    bounds = []
    if rule.least_severity:
        known = SEVERITIES.index(patch.severity) if patch.severity in SEVERITIES else -1
        bounds.append(known >= SEVERITIES.index(rule.least_severity))
    if rule.least_cvss is not None:
        bounds.append(patch.cvss is not None and patch.cvss >= rule.least_cvss)
    return any(bounds) or not bounds


def deadline_of(rule: SlaRule, patch: JudgedPatch, kev: KevDates = no_kev_dates) -> Deadline | None:
    """Return from when until when a patch has to come to its PCs; None: it is not under this rule."""
    if not matches(rule, patch):
        return None
    begins_at = patch.published_at
    if rule.clock == "kev":
        days = [day for cve in patch.cves if (day := kev(cve)) is not None]
        if not days:
            return None
        begins_at = max(begins_at, _end_of(min(days)))
    ends_at = begins_at + rule.days * DAY_SECONDS
    return begins_at, float(REPORTED_SINCE + TALLY_SECONDS * ceil((ends_at - REPORTED_SINCE) / TALLY_SECONDS))


def hour_of_deadline(deadline: float) -> int:
    """Return the first hour, as PCs that are done are counted, that is too late."""
    return ceil((deadline - REPORTED_SINCE) / TALLY_SECONDS)


def service_level(
    rule: SlaRule, patch: JudgedPatch, deadline: Deadline, counts: LevelCounts, now: float
) -> ServiceLevel:
    """Return what came of a rule for a patch."""
    begins_at, ends_at = deadline
    applicable = counts.said - counts.not_for_it
    unknown = counts.fleet - counts.said
    return ServiceLevel(
        rule=rule,
        patch=patch,
        begins_at=begins_at,
        deadline=ends_at,
        applicable=applicable,
        in_time=counts.in_time,
        late=counts.done - counts.in_time,
        missing=applicable - counts.done,
        excepted=counts.excepted,
        silent=counts.silent,
        unknown=unknown,
        verdict=verdict(counts.in_time, applicable, unknown, rule.share_percent, running=now < ends_at),
    )


def verdict(in_time: int, applicable: int, unknown: int, share_percent: float, *, running: bool) -> LevelVerdict:
    """Return what these numbers of PCs come to."""
    if running:
        return LevelVerdict.RUNNING
    wanted = share_percent / 100
    if in_time >= wanted * (applicable + unknown) - NEARLY:
        return LevelVerdict.KEPT
    if in_time < wanted * applicable - NEARLY:
        return LevelVerdict.BROKEN
    return LevelVerdict.UNCLEAR


def tally(levels: Iterable[ServiceLevel]) -> dict[LevelVerdict, int]:
    """Return how many of each verdict there are."""
    counts = dict.fromkeys(VERDICTS, 0)
    for level in levels:
        counts[level.verdict] += 1
    return counts


def worst_first(levels: Iterable[ServiceLevel]) -> Sequence[ServiceLevel]:
    """Return them as somebody reads them who has little time: broken ones first, then what ends soonest."""
    order = (LevelVerdict.BROKEN, LevelVerdict.UNCLEAR, LevelVerdict.RUNNING, LevelVerdict.KEPT)
    return sorted(levels, key=lambda one: (order.index(one.verdict), one.deadline, str(one.patch.ref), one.rule.name))


def _end_of(day: date) -> float:
    """Return the end of a day, UTC: a list of a day is known then at the latest."""
    return (datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)).timestamp()
