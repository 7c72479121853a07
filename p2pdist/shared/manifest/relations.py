"""Patches that require, supersede or exclude others: check a publication's relations, and sort by them. Pure."""

import graphlib
import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from p2pdist.shared.identifiers import PatchRef, related_id
from p2pdist.shared.manifest.urgency import LEAST_URGENT

MAX_RELATIONS = 50  # of each kind, in one patch


@dataclass(frozen=True, slots=True)
class OrderedPatch:
    """A patch with its relations to others. A relation is an ID or ID@VERSION."""

    ref: PatchRef
    sequence: int
    """Grows with each publication."""
    requires: tuple[str, ...] = ()
    supersedes: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    urgency: int = field(default=LEAST_URGENT, kw_only=True)
    """The lowest goes first; see `urgency_of`."""


class OrderError(ValueError):
    """The relations of some patches cannot be met on any PC. The message says which."""


def check_relations(new: OrderedPatch, offered: Collection[OrderedPatch]) -> None:
    """Raise `OrderError` for a patch that could never be installed, or that would keep another from it.

    ``offered`` are all patches that PCs are offered now; they know no others. ``new`` replaces the one of its own id.
    """
    for word, relations in (("requires", new.requires), ("supersedes", new.supersedes), ("conflicts", new.conflicts)):
        if len(relations) > MAX_RELATIONS:
            raise OrderError(f"{new.ref} {word} {len(relations)} patches; at most {MAX_RELATIONS} are allowed")
        for relation in relations:
            if new.ref.matches(relation) and (word != "supersedes" or "@" in relation):
                raise OrderError(f"{new.ref} {word} itself")
    others = [patch for patch in offered if patch.ref.patch_id != new.ref.patch_id]
    for relation in new.requires:
        _check_requirement(new, relation, others)
    replaced = [patch.ref for patch in offered if patch.ref.patch_id == new.ref.patch_id]
    for other in others:
        if not replaces(new, other.ref):  # a superseded patch need not be installable any more
            _check_dependent(other, new, replaced)
    in_order([*others, new])


def _check_requirement(new: OrderedPatch, relation: str, others: Collection[OrderedPatch]) -> None:
    if related_id(relation) == new.ref.patch_id:
        raise OrderError(f"{new.ref} requires {relation}, and takes its place: only one version of a patch is offered")
    required = [other for other in others if other.ref.matches(relation)]
    if not required:
        raise OrderError(f"{new.ref} requires {relation}, which is not published; publish that first")
    if relation in new.conflicts or all(_excludes(new, other.ref) for other in required):
        raise OrderError(f"{new.ref} requires {relation} and excludes it at the same time")
    if all(_excludes(other, new.ref) for other in required):
        raise OrderError(f"{new.ref} requires {relation}, and {required[0].ref} conflicts with it or supersedes it")


def _check_dependent(other: OrderedPatch, new: OrderedPatch, replaced: Collection[PatchRef]) -> None:
    """Raise `OrderError` where ``other`` requires ``new`` or a patch in ``replaced``, and could never be installed."""
    for relation in other.requires:
        if any(ref.matches(relation) for ref in replaced) and not new.ref.matches(relation):
            raise OrderError(
                f"{other.ref} requires {relation}, which {new.ref} would replace; first publish a version of "
                f"{other.ref.patch_id} that requires {new.ref.patch_id} in any version, or let {new.ref} supersede "
                f"{other.ref.patch_id}"
            )
        if new.ref.matches(relation) and (_excludes(new, other.ref) or _excludes(other, new.ref)):
            raise OrderError(f"{other.ref} requires {relation}, and {new.ref} and {other.ref} exclude each other")


def _excludes(patch: OrderedPatch, ref: PatchRef) -> bool:
    return any(ref.matches(relation) for relation in (*patch.conflicts, *patch.supersedes))


def replaces(patch: OrderedPatch, ref: PatchRef) -> bool:
    """Return whether ``patch`` supersedes ``ref``."""
    return patch.ref != ref and any(ref.matches(relation) for relation in patch.supersedes)


class Related:
    """Finds patches by relation without a search through all of them: there may be thousands."""

    def __init__(self, patches: Collection[OrderedPatch]) -> None:
        self._by_id: dict[str, list[OrderedPatch]] = {}
        for patch in patches:
            self._by_id.setdefault(patch.ref.patch_id, []).append(patch)
        self._replacing = [patch for patch in patches if patch.supersedes]
        self._excluding = [patch for patch in patches if patch.conflicts]

    def named(self, relation: str) -> list[OrderedPatch]:
        """Return the patches that ``relation`` (ID or ID@VERSION) names."""
        return [patch for patch in self._by_id.get(related_id(relation), ()) if patch.ref.matches(relation)]

    def replacing(self, ref: PatchRef) -> list[OrderedPatch]:
        """Return the patches that supersede ``ref``."""
        return [patch for patch in self._replacing if replaces(patch, ref)]

    def able(self, relation: str) -> list[OrderedPatch]:
        """Return the patches that fulfil a requirement: those that it names, and those that supersede one of them."""
        found = self.named(relation)
        return list(dict.fromkeys([*found, *(other for one in found for other in self.replacing(one.ref))]))

    def excluded(self, patch: OrderedPatch) -> list[OrderedPatch]:
        """Return the patches that must not be installed together with ``patch``, whichever of the two says so."""
        own = [other for relation in patch.conflicts for other in self.named(relation)]
        others = [
            other for other in self._excluding if any(patch.ref.matches(relation) for relation in other.conflicts)
        ]
        return [other for other in dict.fromkeys([*own, *others]) if other.ref != patch.ref]


def in_order(patches: Collection[OrderedPatch]) -> Sequence[OrderedPatch]:
    """Return ``patches`` sorted so that each comes after those it requires, else the most urgent first.

    What an urgent patch requires is as urgent as that. Raises `OrderError` for a cycle.
    """
    by_ref = {patch.ref: patch for patch in patches}
    if not any(patch.requires for patch in patches):
        return sorted(by_ref.values(), key=lambda patch: (patch.urgency, patch.sequence, patch.ref))
    related = Related(patches)
    # a patch that supersedes a required one also comes before the patch that requires it
    graph = {
        patch.ref: [
            other.ref for relation in patch.requires for other in related.able(relation) if other.ref != patch.ref
        ]
        for patch in patches
    }
    urgency = _urgencies(by_ref, graph)
    sorter = graphlib.TopologicalSorter(graph)
    try:
        sorter.prepare()
    except graphlib.CycleError as error:
        # in graphlib's list, each patch requires the one before it
        circle = " requires ".join(str(ref) for ref in reversed(error.args[1]))
        raise OrderError(f"patches wait for each other: {circle}") from None
    found: list[OrderedPatch] = []
    ready: list[tuple[int, int, PatchRef]] = []
    while sorter.is_active():
        for ref in sorter.get_ready():
            heapq.heappush(ready, (urgency[ref], by_ref[ref].sequence, ref))
        *_, ref = heapq.heappop(ready)
        found.append(by_ref[ref])
        sorter.done(ref)
    return found


def _urgencies(
    by_ref: Mapping[PatchRef, OrderedPatch], graph: Mapping[PatchRef, list[PatchRef]]
) -> dict[PatchRef, int]:
    """Return how urgent each patch is, for itself or for those that wait for it; ``graph``: what each waits for."""
    found = {ref: patch.urgency for ref, patch in by_ref.items()}
    below = sorted(found, key=lambda ref: found[ref])
    while below:
        ref = below.pop()
        for needed in graph[ref]:
            if found[needed] > found[ref]:
                found[needed] = found[ref]
                below.append(needed)
    return found
