"""``[priority]`` of ``server.toml``: how urgent a patch is, as a table. What is left out is as shipped. Pure.

The words are those of SSVC (Stakeholder-Specific Vulnerability Categorization), which this table follows.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec

from p2pdist.shared.wire.codec import Record
from p2pdist.shared.wire.enrolment import MAX_TAGS, Tag

MAX_DEADLINE_DAYS = 3_650
MAX_RING_TEMPLATE_CHARS = 1_000  # a name, or a path
MAX_PRIORITY_TAGS = MAX_TAGS  # of one kind; a company has a few

PriorityClass: TypeAlias = Literal["immediate", "out-of-cycle", "scheduled", "defer"]
Exploitation: TypeAlias = Literal["none", "poc", "active"]
"""Nobody is known to; there are attempts, or what is needed for one; it goes on."""
Exposure: TypeAlias = Literal["small", "controlled", "open"]
Mission: TypeAlias = Literal["low", "medium", "high"]
"""What it means for the company when such a PC fails or is lost."""
ScoreBand: TypeAlias = Literal["low", "medium", "high", "critical"]
"""Of a CVSS score, as its authors divide them, or a recipe's severity."""
Impact: TypeAlias = Literal["low", "medium", "high", "very-high"]

_Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
_Tags = Annotated[tuple[Tag, ...], msgspec.Meta(max_length=MAX_PRIORITY_TAGS)]


class ClassByImpact(Record, frozen=True):
    """What follows, by the impact."""

    low: PriorityClass
    medium: PriorityClass
    high: PriorityClass
    very_high: PriorityClass = msgspec.field(name="very-high")


class ByLikelihood(Record, frozen=True):
    """Whether exploitation by many is to be expected soon: automatable, in the words of SSVC."""

    unlikely: ClassByImpact
    likely: ClassByImpact


class ByExposure(Record, frozen=True):
    """How the PCs can be reached."""

    small: ByLikelihood
    controlled: ByLikelihood
    open: ByLikelihood


class Decisions(Record, frozen=True):
    """``[priority.decisions]``: the class of every case."""

    none: ByExposure
    poc: ByExposure
    active: ByExposure


class ImpactByScore(Record, frozen=True):
    """The impact, by the band of the CVSS score."""

    low: Impact
    medium: Impact
    high: Impact
    critical: Impact


class ImpactTable(Record, frozen=True):
    """``[priority.impact]``: by what the PCs mean for the company."""

    low: ImpactByScore
    medium: ImpactByScore
    high: ImpactByScore


class ExposureTags(Record, frozen=True):
    """``[priority.exposure]``: tags that say how a PC can be reached; of several, the worst counts."""

    small: _Tags = ()
    controlled: _Tags = ()
    open: _Tags = ()
    otherwise: Exposure = "controlled"
    """Of PCs that have none of these tags."""


class MissionTags(Record, frozen=True):
    """``[priority.mission]``: tags that say what a PC means for the company; of several, the worst counts."""

    low: _Tags = ()
    medium: _Tags = ()
    high: _Tags = ()
    otherwise: Mission = "medium"
    """Of PCs that have none of these tags."""


class ClassRule(Record, frozen=True):
    """What follows from a class."""

    template: Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_RING_TEMPLATE_CHARS)]
    """By which rings such a patch goes: a shipped template, or a file."""
    deadline_days: Annotated[int, msgspec.Meta(ge=0, le=MAX_DEADLINE_DAYS)]
    """Until every PC is to have it, from its publication or, if that is later, from when it was known to be exploited;
    0: there is no deadline."""


class ClassRules(Record, frozen=True):
    """``[priority.classes]``."""

    immediate: ClassRule
    out_of_cycle: ClassRule = msgspec.field(name="out-of-cycle")
    scheduled: ClassRule
    defer: ClassRule


class PrioritySettings(Record, frozen=True):
    """``[priority]``: each key that is left out is as in the shipped table."""

    poc_percentile: _Share | None = None
    """A weakness whose EPSS percentile is at least this counts as one that is tried."""
    likely_probability: _Share | None = None
    """One whose EPSS probability is at least this counts as likely; so does one that ransomware is known to use."""
    exposure: ExposureTags | None = None
    mission: MissionTags | None = None
    impact: ImpactTable | None = None
    decisions: Decisions | None = None
    classes: ClassRules | None = None
