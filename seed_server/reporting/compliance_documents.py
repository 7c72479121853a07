"""What `report compliance` prints with `--json`, and how it is made of what was found. Pure."""

from collections.abc import Sequence

from msgspec import Struct

from p2pdist.shared.json_units import Count, Percent, Share, UnixSeconds
from seed_server.reporting.compliance import Compliance, ComplianceDay


class ComplianceDayDocument(Struct, frozen=True):
    """How PCs stood to patches at the end of a day."""

    at: UnixSeconds
    """The end of the day, UTC; of the newest one, now. Since 0.3."""
    pairs: Count
    """PCs and patches that are for them, of those patches that were published by then. Since 0.3."""
    done: Count
    """So many of them were done. Since 0.3."""
    share: Share | None
    """`done` ÷ `pairs`; null: there was nothing to do. Since 0.3."""


class ComplianceRuleDocument(Struct, frozen=True):
    """The same, of the patches under one rule."""

    rule: str
    """Its name in server.toml. Since 0.3."""
    wanted_percent: Percent
    """What the rule asks for when its time is over. Since 0.3."""
    patches: Count
    """Patches that are under it. Since 0.3."""
    days: tuple[ComplianceDayDocument, ...]
    """The oldest first. Since 0.3."""


class ComplianceGapDocument(Struct, frozen=True):
    """A patch that PCs lack."""

    patch: str
    """ID@VERSION. Since 0.3."""
    title: str
    """What it is; may be empty. Since 0.3."""
    severity: str
    """How severe it is, as its publisher says. Since 0.3."""
    applicable: Count
    """PCs to which it applies, with those that have said nothing of it. Since 0.3."""
    missing: Count
    """So many of them lack it. Since 0.3."""


class ComplianceDocument(Struct, frozen=True):
    """How large a part of PCs and patches is done, day by day."""

    at: UnixSeconds
    """When this was asked. Since 0.3."""
    fleet: Count
    """PCs that are allowed here. Since 0.3."""
    patches: Count
    """Patches that are offered. Since 0.3."""
    days: tuple[ComplianceDayDocument, ...]
    """The oldest first. Since 0.3."""
    rules: tuple[ComplianceRuleDocument, ...]
    """By each rule [[sla]] of server.toml; none: there is no rule. Since 0.3."""
    gaps: tuple[ComplianceGapDocument, ...]
    """The patches that most PCs lack, most first; at most ten. Since 0.3."""


def compliance_document(found: Compliance) -> ComplianceDocument:
    """Return what is printed."""
    return ComplianceDocument(
        at=found.now,
        fleet=found.fleet,
        patches=found.patches,
        days=_days(found.days),
        rules=tuple(
            ComplianceRuleDocument(one.rule.name, one.rule.share_percent, one.patches, _days(one.days))
            for one in found.rules
        ),
        gaps=tuple(
            ComplianceGapDocument(str(gap.patch.ref), gap.patch.title, gap.patch.severity, gap.applicable, gap.missing)
            for gap in found.gaps
        ),
    )


def _days(days: Sequence[ComplianceDay]) -> tuple[ComplianceDayDocument, ...]:
    return tuple(
        ComplianceDayDocument(day.at, day.pairs, day.done, None if day.share is None else round(day.share, 4))
        for day in days
    )
