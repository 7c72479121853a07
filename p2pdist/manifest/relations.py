"""Patches that require, supersede or exclude others: what publishing refuses, and in which order they come. No I/O."""

import graphlib
from collections.abc import Collection, Sequence
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
    in_order([*published, new])


def replaces(patch: OrderedPatch, ref: PatchRef) -> bool:
    """Whether ``patch`` supersedes ``ref``."""
    return patch.ref != ref and any(names(relation, ref) for relation in patch.supersedes)


def in_order(patches: Collection[OrderedPatch]) -> Sequence[OrderedPatch]:
    """Return ``patches`` with what they require before them. Raises `OrderError` for a cycle."""
    by_ref = {patch.ref: patch for patch in patches}
    graph: dict[PatchRef, list[PatchRef]] = {}
    for patch in patches:
        wanted = [other.ref for other in patches if any(names(relation, other.ref) for relation in patch.requires)]
        # who replaces what is required comes before it is missed
        wanted += [
            other.ref for other in patches if any(replaces(other, ref) for ref in wanted) and other.ref != patch.ref
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
