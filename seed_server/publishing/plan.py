"""May this file be published, in which pieces, and what do the rollouts then say? Pure."""

from collections.abc import Iterable

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchId, PatchRef, PatchVersion, Sha256Hex, related_id
from p2pdist.shared.manifest.documents import (
    MAX_PAYLOAD_BYTES,
    MAX_ROLLOUT_ENTRIES,
    Manifest,
    RolloutEntry,
    Rollouts,
    ordered_patch,
)
from p2pdist.shared.manifest.relations import OrderedPatch, OrderError, check_relations
from p2pdist.shared.wire.messages import MAX_PIECE_BYTES, MAX_PIECES
from seed_server.publishing.recipe import Recipe, manifest_of, recipe_problems

SMALLEST_PIECE_BYTES = 256 << 10  # smaller pieces help a fast LAN by spreading sooner; below this, overhead wins
TARGET_PIECES = 16_384  # keeps bitfields at 2 KiB and a torrent's hashes at 512 KiB
LARGEST_FILE_BYTES = min(MAX_PAYLOAD_BYTES, MAX_PIECE_BYTES * MAX_PIECES)


def check_recipe_of(recipe: Recipe) -> None:
    """Raise `UserError` (BAD_INPUT) for a recipe that lacks something, or that no PC could carry out."""
    for given, what in (
        (recipe.patch_id, "patch id: give --patch-id, or patch_id in a recipe"),
        (recipe.version, "version: give --version, or version in a recipe"),
        (recipe.payload, "payload: give a FILE, or [[payload]] in a recipe"),
    ):
        if not given:
            raise _refused(f"There is no {what}.")
    problems = [problem.explained(recipe) for problem in recipe_problems(recipe)]
    if problems:
        raise _refused("This cannot be published. Correct it and try again:\n" + "\n".join(problems))


def choose_piece_length(length_bytes: int) -> int:
    """Return the piece length in bytes: the smallest that keeps to `TARGET_PIECES`, within the protocol's caps.

    Raises `UserError` (BAD_INPUT) for an empty file and one over `LARGEST_FILE_BYTES`.
    """
    if length_bytes < 1:
        raise _refused("The file is empty; there is nothing to publish. Check that its download or copy has finished.")
    if length_bytes > LARGEST_FILE_BYTES:
        raise _refused(
            f"The file has {length_bytes} bytes; the largest that can be published has {LARGEST_FILE_BYTES}. Split it."
        )
    piece_length = SMALLEST_PIECE_BYTES
    while piece_length < MAX_PIECE_BYTES and -(-length_bytes // piece_length) > TARGET_PIECES:
        piece_length *= 2
    return piece_length


def check_new_name(recipe: Recipe, published: Iterable[Manifest], rollouts: Rollouts) -> None:
    """Raise `UserError` (BAD_INPUT) when this id and version exist already, or the rollouts are full.

    Needs no file content, so that a refusal comes before a long copy.
    """
    for manifest in published:
        if manifest.ref == recipe.ref:
            raise _refused(
                f"{manifest.patch_id} {manifest.version} is published already, and a published version never "
                "changes. Choose another --version."
            )
    others = [entry for entry in rollouts.entries if entry.patch_id != recipe.patch_id]
    if len(others) >= MAX_ROLLOUT_ENTRIES:
        raise _refused(
            f"The fleet is offered {len(others)} patches already, the most that endpoints accept. "
            "Publish a newer version of one of them instead."
        )


def check_new_content(sha256: Sha256Hex, published: Iterable[Manifest]) -> None:
    """Raise `UserError` (BAD_INPUT) when this very file is published already."""
    for manifest in published:
        for payload in manifest.payloads:
            if payload.sha256 == sha256:
                raise _refused(
                    f"This very file is published already as {manifest.patch_id} {manifest.version} "
                    f"({payload.file_name}). Endpoints have it or get it; nothing needs to be done."
                )


def check_relations_of(recipe: Recipe, published: Iterable[Manifest], rollouts: Rollouts) -> None:
    """Raise `UserError` (BAD_INPUT) when its relations can never be met, or would keep another patch away for ever."""
    sequences = {entry.ref: entry.sequence for entry in rollouts.entries}
    offered, gone = [], []
    for manifest in published:
        sequence = sequences.get(manifest.ref)
        if sequence is None:
            gone.append(manifest.ref)
        else:
            offered.append(ordered_patch(manifest, sequence))
    new = ordered_patch(manifest_of(recipe, [], 0), next_sequence(rollouts))
    try:
        _check_none_is_gone(new, offered, gone)
        check_relations(new, offered)
    except OrderError as error:
        raise _refused(f"It cannot be published: {error}. Correct requires, supersedes or conflicts.") from error


def _check_none_is_gone(new: OrderedPatch, offered: Iterable[OrderedPatch], gone: Iterable[PatchRef]) -> None:
    """Raise `OrderError` where it requires a version that was published, and is offered no more."""
    for relation in new.requires:
        patch_id = related_id(relation)
        newer = [patch.ref for patch in offered if patch.ref.patch_id == patch_id]
        if patch_id == new.ref.patch_id or any(ref.matches(relation) for ref in newer):
            continue
        if any(ref.matches(relation) for ref in gone):
            instead = f"{newer[0]} has replaced it; require {newer[0]}, or {patch_id}" if newer else "leave it out"
            raise OrderError(f"{new.ref} requires {relation}, which is offered no more: {instead}")


def next_sequence(rollouts: Rollouts) -> int:
    """Return the sequence number of the next publication."""
    return max((entry.sequence for entry in rollouts.entries), default=0) + 1


def with_patch(rollouts: Rollouts, patch_id: PatchId, version: PatchVersion) -> Rollouts:
    """Return the rollouts with ``version`` as the one current version of ``patch_id``, last in sequence."""
    entry = RolloutEntry(patch_id=patch_id, version=version, sequence=next_sequence(rollouts))
    return Rollouts(format=1, entries=[*(e for e in rollouts.entries if e.patch_id != patch_id), entry])


def _refused(message: str) -> UserError:
    return UserError(message, FaultKind.BAD_INPUT)
