"""May this file be published, in which pieces, and what do the rollouts then say? Pure."""

import contextlib
import re
from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import (
    InvalidIdentifierError,
    PatchId,
    PatchRef,
    PatchVersion,
    Sha256Hex,
    parse_patch_id,
    related_id,
)
from p2pdist.shared.manifest.documents import (
    MAX_PAYLOAD_BYTES,
    MAX_ROLLOUT_ENTRIES,
    Manifest,
    RolloutEntry,
    Rollouts,
    ordered_patch,
)
from p2pdist.shared.manifest.publication_order import PublicationOrder
from p2pdist.shared.manifest.recipe import DebInstall, RpmInstall
from p2pdist.shared.manifest.relations import OrderedPatch, OrderError, check_relations
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, parse_version
from p2pdist.shared.wire.messages import MAX_PIECE_BYTES, MAX_PIECES
from seed_server.publishing.recipe import Recipe, RecipeProblem, manifest_of

SMALLEST_PIECE_BYTES = 256 << 10  # smaller pieces help a fast LAN by spreading sooner; below this, overhead wins
TARGET_PIECES = 16_384  # keeps bitfields at 2 KiB and a torrent's hashes at 512 KiB
_NUMBERS = re.compile(r"[0-9]+(\.[0-9]+)*")
LARGEST_FILE_BYTES = min(MAX_PAYLOAD_BYTES, MAX_PIECE_BYTES * MAX_PIECES)


def checked_patch_id(text: str) -> PatchId:
    """Return a patch's id. Raises `UserError` (BAD_INPUT)."""
    try:
        return parse_patch_id(text)
    except InvalidIdentifierError as error:
        raise _refused(str(error)) from error


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


def problems_beside(recipe: Recipe, published: Iterable[Manifest], rollouts: Rollouts) -> list[RecipeProblem]:
    """Return why this cannot follow what is published, as far as that can be said without its files' hashes."""
    published, found = list(published), []
    for where, check in (("version", check_new_name), ("requires", check_relations_of)):
        try:
            check(recipe, published, rollouts)
        except UserError as error:
            found.append(RecipeProblem(where, error.message))
    return found


def check_new_name(recipe: Recipe, published: Iterable[Manifest], rollouts: Rollouts) -> None:
    """Raise `UserError` (BAD_INPUT) when this id and version exist already, or the rollouts are full.

    Needs no file content, so that a refusal comes before a long copy.
    """
    published = list(published)
    _check_case(recipe.ref, [manifest.ref for manifest in published])
    of_id = sorted((m for m in published if m.patch_id == recipe.patch_id), key=lambda manifest: manifest.number)
    _check_direction(recipe, of_id)
    others = [entry for entry in rollouts.entries if entry.patch_id != recipe.patch_id]
    if len(others) >= MAX_ROLLOUT_ENTRIES:
        raise _refused(
            f"The fleet is offered {len(others)} patches already, the most that endpoints accept. "
            "Publish a newer version of one of them instead."
        )


def _check_case(ref: PatchRef, published: Iterable[PatchRef]) -> None:
    """Refuse a name that differs from a published one by its case alone: on Windows and macOS it is the same folder."""
    for other in published:
        same_id = other.patch_id.casefold() == ref.patch_id.casefold()
        if same_id and other.patch_id != ref.patch_id:
            raise _refused(
                f"{ref.patch_id} differs by capitals alone from {other.patch_id}, which is published. "
                f"Write {other.patch_id}, or choose another --patch-id."
            )
        if same_id and other.version.casefold() == ref.version.casefold() and other.version != ref.version:
            raise _refused(
                f"{ref.version} differs by capitals alone from {other.version}, which is published. "
                "Choose another --version."
            )


def _check_direction(recipe: Recipe, before: Sequence[Manifest]) -> None:
    """Refuse a name that is taken, and a step back that is not asked for; ``before``: its id's, the newest last."""
    newest = before[-1] if before else None
    if newest is None:
        if recipe.downgrade:
            raise _refused(f"No {recipe.patch_id} was published that it could go back from. Leave --downgrade out.")
        return
    if recipe.ref == newest.ref or (not recipe.downgrade and any(recipe.ref == manifest.ref for manifest in before)):
        back = "" if recipe.ref == newest.ref else f" To go back from {newest.version} to it, add --downgrade."
        raise _refused(
            f"{recipe.patch_id} {recipe.version} is published already, and a published version never changes. "
            f"Choose another --version.{back}"
        )
    if not recipe.downgrade and _goes_back(recipe, newest):
        raise _refused(
            f"{recipe.version} is earlier than {newest.version}, which is the newest {recipe.patch_id}: PCs would go "
            "back. If that is meant, add --downgrade."
        )


def _goes_back(recipe: Recipe, newest: Manifest) -> bool:
    """Return whether PCs that have ``newest`` would go back: by the packages' own versions, else by the patches'."""
    ours, theirs = recipe.install, newest.install
    for kind, ecosystem in ((DebInstall, Ecosystem.DEB), (RpmInstall, Ecosystem.RPM)):
        if isinstance(ours, kind) and isinstance(theirs, kind) and ours.package == theirs.package:
            with contextlib.suppress(InvalidVersionError):
                return parse_version(ours.version, ecosystem) < parse_version(theirs.version, ecosystem)
    return _is_earlier(recipe.version, newest.version)


def _is_earlier(version: str, other: str) -> bool:
    """Return whether ``version`` is earlier for sure: both are numbers with dots. Other names have no known order."""
    numbers = [parse_version(text, Ecosystem.GENERIC) for text in (version, other) if _NUMBERS.fullmatch(text)]
    return len(numbers) == 2 and numbers[0] < numbers[1]


def check_same_content(sha256s: Collection[str], ref: PatchRef, published: Iterable[Manifest]) -> None:
    """Raise `UserError` (BAD_INPUT) when ``ref`` is listed with other files: going back, it must be what it was."""
    for manifest in published:
        if manifest.ref == ref and {payload.sha256 for payload in manifest.payloads} != set(sha256s):
            raise _refused(
                f"{ref.patch_id} {ref.version} was published with other files, and a published version never changes. "
                "Give the original ones, or choose another --version."
            )


def check_new_content(sha256: Sha256Hex, published: Iterable[Manifest]) -> None:
    """Raise `UserError` (BAD_INPUT) when this very file is published already."""
    for manifest in published:
        for payload in manifest.payloads:
            if payload.sha256 == sha256:
                raise _refused(
                    f"This very file is published already as {manifest.patch_id} {manifest.version} "
                    f"({payload.file_name}). Endpoints have it or get it; nothing needs to be done. "
                    f"To go back to it, publish it under that name with --downgrade."
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


def numbered(manifest: Manifest, order: PublicationOrder, published: Iterable[Manifest]) -> Manifest:
    """Return the manifest as the next publication of its id."""
    others = {one.ref: one.number for one in published if one.patch_id != manifest.patch_id}
    supersedes = [relation for relation in manifest.supersedes if related_id(relation) != manifest.patch_id]
    return replace(
        manifest,
        number=order.next_number(PatchId(manifest.patch_id)),
        replaces=order.replaced_by(supersedes, others),
    )


def next_sequence(rollouts: Rollouts) -> int:
    """Return the sequence number of the next publication."""
    return max((entry.sequence for entry in rollouts.entries), default=0) + 1


def with_patch(rollouts: Rollouts, patch_id: PatchId, version: PatchVersion) -> Rollouts:
    """Return the rollouts with ``version`` as the one current version of ``patch_id``, last in sequence."""
    entry = RolloutEntry(patch_id=patch_id, version=version, sequence=next_sequence(rollouts))
    return Rollouts(format=1, entries=[*(e for e in rollouts.entries if e.patch_id != patch_id), entry])


def _refused(message: str) -> UserError:
    return UserError(message, FaultKind.BAD_INPUT)
