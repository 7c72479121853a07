"""How urgent a patch is: what is known of its weaknesses and of the PCs that it is for, through the table. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet.intelligence_age import is_stale
from seed_server.reporting.priority_table import EXPLOITATIONS, IMPACTS, Case, Leaf, PriorityTable, band_of, urgency
from seed_server.settings.priority_section import ClassRule, Exploitation, Exposure, Mission, ScoreBand
from seed_server.store.intelligence_records import ExploitedCve, IntelligenceKind, IntelligenceSource
from seed_server.store.score_blocks import ExploitScore

KINDS: Sequence[IntelligenceKind] = ("kev", "epss")


class PcGroup(NamedTuple):
    """PCs that are alike to the table."""

    exposure: Exposure
    mission: Mission


NO_GROUP = PcGroup("small", "low")
"""What counts for a patch that is for no PC that is known."""


class CveKnowledge(NamedTuple):
    """What is known of one weakness."""

    cve: str
    exploited: ExploitedCve | None
    """None: the catalogue does not have it, or there is none."""
    score: ExploitScore | None


@dataclass(frozen=True)
class WorldKnowledge:
    """What is known of the weaknesses that are asked for, and by which files."""

    sources: Mapping[str, IntelligenceSource] = field(default_factory=dict)
    """By kind; of a missing one, nothing is known."""
    exploited: Mapping[str, ExploitedCve] = field(default_factory=dict)
    scores: Mapping[str, ExploitScore] = field(default_factory=dict)

    def of(self, cve: str) -> CveKnowledge:
        """Return what is known of one."""
        return CveKnowledge(cve, self.exploited.get(cve), self.scores.get(cve))

    def stale(self, now: float) -> list[IntelligenceSource]:
        """Return the files that are so old that what is new is not in them."""
        found = (self.sources.get(kind) for kind in KINDS)
        return [source for source in found if source is not None and is_stale(source, now)]

    def missing(self) -> list[IntelligenceKind]:
        """Return of which kinds there never was a file."""
        return [kind for kind in KINDS if kind not in self.sources]


@dataclass(frozen=True)
class PatchFacts:
    """What the table is asked about."""

    ref: PatchRef
    severity: ScoreBand
    cvss: float | None
    cves: Sequence[str]
    published_at: float
    groups: Mapping[PcGroup, int]
    """How many PCs it may be for, of each kind: those of which it is not known that it is not for them."""
    missing: int = 0
    """How many of them do not have it."""

    @property
    def pcs(self) -> int:
        """How many PCs it may be for."""
        return sum(self.groups.values())


@dataclass(frozen=True)
class PriorityDecision:
    """How urgent a patch is, and by what."""

    facts: PatchFacts
    leaf: Leaf
    rule: ClassRule
    by: CveKnowledge | None
    """The weakness that decides; None: the patch names none."""
    pcs: int
    """How many PCs are of the kind that decides."""
    exploitation_known: bool
    """Whether its exploitation follows from a file; else nothing is known of it, and it counts as none."""
    due_at: float | None
    """By when every PC is to have it, in seconds since 1970; None: it has no deadline."""


def decide(table: PriorityTable, facts: PatchFacts, world: WorldKnowledge) -> PriorityDecision:
    """Return how urgent a patch is: by the worst of its weaknesses, on the PCs where that is worst."""
    weaknesses: Sequence[CveKnowledge | None] = [world.of(cve) for cve in facts.cves] or [None]
    found = [
        _decided(table, facts, world, known, group) for known in weaknesses for group in (facts.groups or {NO_GROUP: 0})
    ]
    return max(found, key=_weight)


def ranked(decisions: Iterable[PriorityDecision]) -> list[PriorityDecision]:
    """Return them with what comes first at the front."""
    return sorted(sorted(decisions, key=lambda one: str(one.facts.ref)), key=_rank, reverse=True)


def _decided(
    table: PriorityTable, facts: PatchFacts, world: WorldKnowledge, known: CveKnowledge | None, group: PcGroup
) -> PriorityDecision:
    exploitation, is_known = _exploitation(table, world, known)
    case = Case(exploitation, group.exposure, _likely(table, known), group.mission, band_of(facts.cvss, facts.severity))
    leaf = table.decide(case)
    rule = table.rule(leaf.priority)
    begins = facts.published_at
    if known is not None and known.exploited is not None:
        begins = max(begins, known.exploited.added_at)
    due_at = begins + rule.deadline_days * DAY_SECONDS if rule.deadline_days else None
    return PriorityDecision(facts, leaf, rule, known, facts.groups.get(group, 0), is_known, due_at)


def _exploitation(table: PriorityTable, world: WorldKnowledge, known: CveKnowledge | None) -> tuple[Exploitation, bool]:
    """Return whether a weakness is exploited, and whether that is known at all."""
    if known is None:
        return "none", False
    if known.exploited is not None:
        return "active", True
    if known.score is not None and known.score.percentile >= table.poc_percentile:
        return "poc", True
    return "none", not world.missing()


def _likely(table: PriorityTable, known: CveKnowledge | None) -> bool:
    if known is None:
        return False
    if known.exploited is not None and known.exploited.ransomware:
        return True
    return known.score is not None and known.score.probability >= table.likely_probability


def _weight(one: PriorityDecision) -> tuple[float, ...]:
    """Return what is greater for a weakness, and a kind of PCs, that is worse; of equals, the one on more PCs."""
    case, by = one.leaf.case, one.by
    return (
        urgency(one.leaf.priority),
        EXPLOITATIONS.index(case.exploitation),
        case.likely,
        IMPACTS.index(one.leaf.impact),
        by.score.probability if by is not None and by.score is not None else 0.0,
        one.pcs,
    )


def _rank(one: PriorityDecision) -> tuple[float, ...]:
    first, *others, _pcs = _weight(one)
    due = float("-inf") if one.due_at is None else -one.due_at
    return (first, due, *others, one.facts.cvss or 0.0, one.facts.missing)
