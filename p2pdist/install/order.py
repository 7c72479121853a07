"""Plan in which order patches are installed on a PC, and why one waits. Pure.

A patch may *require* others (they come first), *supersede* others (they are not installed any more) and *conflict*
with others (never both). The order is topological; of the patches that may come next, the one published first does.
"""

import enum
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.relations import OrderedPatch, Related, in_order


class PatchStatus(enum.Enum):
    """The status of a patch on this PC."""

    INSTALLED = "installed"
    """Detected on this PC, whoever installed it."""
    APPLICABLE = "applicable"
    NOT_APPLICABLE = "does not apply here"
    OLDER = "older than what may be installed here"
    NOT_YET = "waits for its rollout"
    FAILED = "failed"


class StepKind(enum.Enum):
    """What the plan does with a patch."""

    INSTALL = "to be installed"
    WAIT = "waits"
    SKIP = "not needed"
    BLOCKED = "blocked"


_DECIDED = {PatchStatus.FAILED: StepKind.BLOCKED, PatchStatus.NOT_YET: StepKind.WAIT}
_NOT_HERE = (PatchStatus.NOT_APPLICABLE, PatchStatus.OLDER, PatchStatus.NOT_YET)
_COMING = (StepKind.INSTALL, StepKind.WAIT)


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One patch in the plan."""

    ref: PatchRef
    kind: StepKind
    reason: str
    """In words, for `p2pdist plan`; empty when the patch may be installed at once."""


def plan(patches: Collection[OrderedPatch], statuses: Mapping[PatchRef, PatchStatus]) -> list[PlanStep]:
    """Return a step for each patch that is rolled out to this PC, in the order of installation.

    ``statuses`` has every one of ``patches``. Raises `OrderError` for a cycle, which publishing refuses.
    """
    steps: dict[PatchRef, PlanStep] = {}
    related = Related(patches)
    for patch in in_order(patches):
        kind, reason = _becomes(patch, related, statuses, steps)
        steps[patch.ref] = PlanStep(patch.ref, kind, reason)
    return list(steps.values())


def _becomes(
    patch: OrderedPatch,
    related: Related,
    statuses: Mapping[PatchRef, PatchStatus],
    before: Mapping[PatchRef, PlanStep],
) -> tuple[StepKind, str]:
    standing = statuses[patch.ref]
    if standing is not PatchStatus.APPLICABLE:
        return _DECIDED.get(standing, StepKind.SKIP), standing.value
    for other in related.replacing(patch.ref):
        if statuses[other.ref] not in _NOT_HERE:
            return StepKind.SKIP, f"superseded by {other.ref}"
    for other in related.excluded(patch):
        if statuses[other.ref] is PatchStatus.INSTALLED:
            return StepKind.BLOCKED, f"conflicts with {other.ref}, which is installed"
        step = before.get(other.ref)
        if step is not None and step.kind in _COMING and statuses[other.ref] is not PatchStatus.NOT_YET:
            return StepKind.BLOCKED, f"conflicts with {other.ref}, which comes first"
    return _requirements(patch, related, statuses, before)


def _requirements(
    patch: OrderedPatch,
    related: Related,
    statuses: Mapping[PatchRef, PatchStatus],
    before: Mapping[PatchRef, PlanStep],
) -> tuple[StepKind, str]:
    waits = []
    for relation in patch.requires:
        able = related.able(relation)
        if any(statuses[other.ref] is PatchStatus.INSTALLED for other in able):
            continue
        coming = [other for other in able if (step := before.get(other.ref)) is not None and step.kind in _COMING]
        if coming:
            waits.append(f"needs {coming[-1].ref} first")
            continue
        why = f"{before[able[0].ref].reason}" if able and able[0].ref in before else "is not rolled out to this PC"
        return StepKind.BLOCKED, f"needs {relation}: {why}"
    return (StepKind.WAIT, ", ".join(waits)) if waits else (StepKind.INSTALL, "")
