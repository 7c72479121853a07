"""In which order patches are installed on a PC, and why one waits. Pure.

A patch may *require* others (they come first), *supersede* others (they are not installed any more) and *conflict*
with others (never both). The order is topological; among those that may come next, the one published first does.
"""

import enum
import graphlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

MAX_RELATIONS = 50  # of each kind, in one patch


@dataclass(frozen=True, slots=True, order=True)
class PatchRef:
    """A patch in one version."""

    patch_id: str
    version: str

    def __str__(self) -> str:
        return f"{self.patch_id}@{self.version}"


@dataclass(frozen=True, slots=True)
class OrderedPatch:
    """What its manifest says of its place among the others. A relation names an id, or ID@VERSION."""

    ref: PatchRef
    sequence: int
    """Grows with each publication."""
    requires: tuple[str, ...] = ()
    supersedes: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()


class Standing(enum.Enum):
    """How a patch stands on this PC."""

    INSTALLED = "installed"
    """Detected here, whoever installed it."""
    APPLICABLE = "applicable"
    NOT_APPLICABLE = "does not apply here"
    FAILED = "failed"


class StepKind(enum.Enum):
    """What becomes of a patch."""

    INSTALL = "to be installed"
    WAIT = "waits"
    SKIP = "not needed"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One patch in the plan."""

    ref: PatchRef
    kind: StepKind
    reason: str
    """In words, for `p2pdist plan`; empty for what may be installed at once."""


class OrderError(ValueError):
    """Patches whose relations cannot be met anywhere. The message says which."""


def names(relation: str, ref: PatchRef) -> bool:
    """Whether ``relation`` (ID or ID@VERSION) means ``ref``."""
    patch_id, _, version = relation.partition("@")
    return patch_id == ref.patch_id and version in ("", ref.version)


def check_relations(new: OrderedPatch, published: Collection[OrderedPatch]) -> None:
    """Refuse a publication that could never be installed. Raises `OrderError`."""
    for word, relations in (("requires", new.requires), ("supersedes", new.supersedes), ("conflicts", new.conflicts)):
        if len(relations) > MAX_RELATIONS:
            raise OrderError(f"{new.ref} {word} {len(relations)} patches; at most {MAX_RELATIONS} are allowed")
        for relation in relations:
            if names(relation, new.ref) and (word != "supersedes" or "@" in relation):
                raise OrderError(f"{new.ref} {word} itself")
    known = [patch.ref for patch in published]
    for relation in new.requires:
        if not any(names(relation, ref) for ref in known):
            raise OrderError(f"{new.ref} requires {relation}, which is not published; publish that first")
        if relation in new.conflicts or relation in new.supersedes:
            raise OrderError(f"{new.ref} requires {relation} and excludes it at the same time")
    _sorted([*published, new])


def plan(patches: Collection[OrderedPatch], standings: Mapping[PatchRef, Standing]) -> list[PlanStep]:
    """Return what becomes of each patch that is rolled out to this PC, in the order of installation.

    ``standings`` has every one of ``patches``. Raises `OrderError` for a cycle, which publishing refuses.
    """
    steps: dict[PatchRef, PlanStep] = {}
    for patch in _sorted(patches):
        kind, reason = _becomes(patch, patches, standings, steps)
        steps[patch.ref] = PlanStep(patch.ref, kind, reason)
    return list(steps.values())


def _becomes(
    patch: OrderedPatch,
    patches: Collection[OrderedPatch],
    standings: Mapping[PatchRef, Standing],
    before: Mapping[PatchRef, PlanStep],
) -> tuple[StepKind, str]:
    standing = standings[patch.ref]
    if standing is not Standing.APPLICABLE:
        kind = StepKind.BLOCKED if standing is Standing.FAILED else StepKind.SKIP
        return kind, standing.value
    for other in patches:
        if (
            other.ref != patch.ref
            and _replaces(other, patch.ref)
            and standings[other.ref] is not Standing.NOT_APPLICABLE
        ):
            return StepKind.SKIP, f"superseded by {other.ref}"
    for other in patches:
        excludes = any(names(relation, other.ref) for relation in patch.conflicts) or any(
            names(relation, patch.ref) for relation in other.conflicts
        )
        if excludes and other.ref != patch.ref:
            if standings[other.ref] is Standing.INSTALLED:
                return StepKind.BLOCKED, f"conflicts with {other.ref}, which is installed"
            step = before.get(other.ref)
            if step is not None and step.kind in (StepKind.INSTALL, StepKind.WAIT):
                return StepKind.BLOCKED, f"conflicts with {other.ref}, which was published first"
    return _requirements(patch, patches, standings, before)


def _requirements(
    patch: OrderedPatch,
    patches: Collection[OrderedPatch],
    standings: Mapping[PatchRef, Standing],
    before: Mapping[PatchRef, PlanStep],
) -> tuple[StepKind, str]:
    waits = []
    for relation in patch.requires:
        # whoever supersedes what is required does its work
        able = [other for other in patches if names(relation, other.ref)]
        able += [other for other in patches if any(_replaces(other, one.ref) for one in able) and other not in able]
        if any(standings[other.ref] is Standing.INSTALLED for other in able):
            continue
        coming = [
            other
            for other in able
            if (step := before.get(other.ref)) is not None and step.kind in (StepKind.INSTALL, StepKind.WAIT)
        ]
        if coming:
            waits.append(f"needs {coming[-1].ref} first")
            continue
        why = f"{before[able[0].ref].reason}" if able and able[0].ref in before else "is not rolled out to this PC"
        return StepKind.BLOCKED, f"needs {relation}: {why}"
    return (StepKind.WAIT, ", ".join(waits)) if waits else (StepKind.INSTALL, "")


def _replaces(patch: OrderedPatch, ref: PatchRef) -> bool:
    return patch.ref != ref and any(names(relation, ref) for relation in patch.supersedes)


def _sorted(patches: Collection[OrderedPatch]) -> Sequence[OrderedPatch]:
    """Return the patches with what they require before them. Raises `OrderError` for a cycle."""
    by_ref = {patch.ref: patch for patch in patches}
    graph: dict[PatchRef, list[PatchRef]] = {}
    for patch in patches:
        wanted = [other.ref for other in patches if any(names(relation, other.ref) for relation in patch.requires)]
        # who replaces what is required comes before it is missed
        wanted += [
            other.ref for other in patches if any(_replaces(other, ref) for ref in wanted) and other.ref != patch.ref
        ]
        graph[patch.ref] = [ref for ref in wanted if ref != patch.ref]
    sorter = graphlib.TopologicalSorter(graph)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        # each requires the one before it
        circle = " requires ".join(str(ref) for ref in reversed(error.args[1]))
        raise OrderError(f"patches wait for each other: {circle}") from None
    found: list[OrderedPatch] = []
    ready: list[PatchRef] = []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()], key=lambda ref: by_ref[ref].sequence)
        ref, ready = ready[0], ready[1:]
        found.append(by_ref[ref])
        sorter.done(ref)
    return found
