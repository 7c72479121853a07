"""How urgent a case is: the table of ``[priority]`` as one total function, and what follows from its answer. Pure."""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar, get_args

import msgspec

from seed_server.settings.priority_section import (
    ClassByImpact,
    ClassRule,
    ClassRules,
    Decisions,
    Exploitation,
    Exposure,
    ExposureTags,
    Impact,
    ImpactTable,
    Mission,
    MissionTags,
    PriorityClass,
    PrioritySettings,
    ScoreBand,
)

CLASSES: Sequence[PriorityClass] = get_args(PriorityClass)
"""The most urgent one first; all other words stand from the least to the worst."""
EXPLOITATIONS: Sequence[Exploitation] = get_args(Exploitation)
EXPOSURES: Sequence[Exposure] = get_args(Exposure)
MISSIONS: Sequence[Mission] = get_args(Mission)
BANDS: Sequence[ScoreBand] = get_args(ScoreBand)
IMPACTS: Sequence[Impact] = get_args(Impact)

MEDIUM_SCORE, HIGH_SCORE, CRITICAL_SCORE = 4.0, 7.0, 9.0
"""From where on a CVSS score is called so (CVSS 3.1 and 4.0)."""

_T = TypeVar("_T")


class PriorityTableError(ValueError):
    """A table has a case that is worse than another and less urgent. The text says which."""


class Case(NamedTuple):
    """All that the table asks for."""

    exploitation: Exploitation
    exposure: Exposure
    likely: bool
    """Whether attacks on many are to be expected soon."""
    mission: Mission
    band: ScoreBand


class Leaf(NamedTuple):
    """A case, and what the table makes of it."""

    case: Case
    impact: Impact
    priority: PriorityClass


def every_case() -> list[Case]:
    """Return all cases that there are."""
    return [Case(*one) for one in itertools.product(EXPLOITATIONS, EXPOSURES, (False, True), MISSIONS, BANDS)]


@dataclass(frozen=True)
class PriorityTable:
    """What ``[priority]`` says, with what is shipped in the place of what it leaves out."""

    poc_percentile: float
    likely_probability: float
    exposure: ExposureTags
    mission: MissionTags
    impact: ImpactTable
    decisions: Decisions
    classes: ClassRules

    @classmethod
    def of(cls, settings: PrioritySettings, shipped: PrioritySettings) -> "PriorityTable":
        """Return the table; ``shipped`` has all keys. Raises `PriorityTableError` for one that contradicts itself."""
        own = msgspec.structs.asdict(settings)
        table = cls(**{
            name: value if own[name] is None else own[name]
            for name, value in msgspec.structs.asdict(shipped).items()
        })  # fmt: skip
        _check_order(table)
        return table

    def exposure_of(self, tags: Collection[str]) -> Exposure:
        """Return how a PC with these tags can be reached."""
        by_tag = {"small": self.exposure.small, "controlled": self.exposure.controlled, "open": self.exposure.open}
        return max(
            (one for one in EXPOSURES if not set(by_tag[one]).isdisjoint(tags)),
            key=EXPOSURES.index,
            default=self.exposure.otherwise,
        )

    def mission_of(self, tags: Collection[str]) -> Mission:
        """Return what a PC with these tags means for the company."""
        by_tag = {"low": self.mission.low, "medium": self.mission.medium, "high": self.mission.high}
        return max(
            (one for one in MISSIONS if not set(by_tag[one]).isdisjoint(tags)),
            key=MISSIONS.index,
            default=self.mission.otherwise,
        )

    def decide(self, case: Case) -> Leaf:
        """Return what follows from a case: every one has exactly one answer."""
        impact: Impact = getattr(getattr(self.impact, case.mission), case.band)
        by_likelihood = getattr(getattr(self.decisions, case.exploitation), case.exposure)
        by_impact: ClassByImpact = by_likelihood.likely if case.likely else by_likelihood.unlikely
        return Leaf(case, impact, getattr(by_impact, impact.replace("-", "_")))

    def rule(self, priority: PriorityClass) -> ClassRule:
        """Return what follows from a class."""
        rule: ClassRule = getattr(self.classes, priority.replace("-", "_"))
        return rule


def band_of(cvss: float | None, severity: ScoreBand) -> ScoreBand:
    """Return the band of a CVSS score; where there is none, what the recipe says of the severity."""
    if cvss is None:
        return severity
    return BANDS[(cvss >= MEDIUM_SCORE) + (cvss >= HIGH_SCORE) + (cvss >= CRITICAL_SCORE)]


def urgency(priority: PriorityClass) -> int:
    """Return a number that is higher for what is more urgent."""
    return -CLASSES.index(priority)


def _check_order(table: PriorityTable) -> None:
    """Raise `PriorityTableError` where one step for the worse makes something less urgent: that is a slip."""
    for case in every_case():
        for name, words in (
            ("exploitation", EXPLOITATIONS), ("exposure", EXPOSURES), ("likely", (False, True)), ("mission", MISSIONS),
            ("band", BANDS),
        ):  # fmt: skip
            worse = _next(words, getattr(case, name))
            if worse is None:
                continue
            here, there = table.decide(case), table.decide(case._replace(**{name: worse}))
            if urgency(there.priority) < urgency(here.priority):
                raise PriorityTableError(
                    f"{_place(there)} is less urgent ({there.priority}) than {_place(here)} ({here.priority}), though "
                    "it is worse"
                )


def _next(words: Sequence[_T], word: _T) -> _T | None:
    at = words.index(word) + 1
    return words[at] if at < len(words) else None


def _place(leaf: Leaf) -> str:
    case = leaf.case
    likely = "likely" if case.likely else "unlikely"
    where = f"decisions, {case.exploitation}, {case.exposure}, {likely}, {leaf.impact}"
    return f"{where} (mission {case.mission}, CVSS {case.band})"
