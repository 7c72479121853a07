"""May this file be published, in which pieces, and may it follow what is published? Pure."""

import contextlib
import re
from collections.abc import Callable, Collection, Iterable, Sequence

from msgspec.structs import replace

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchId, PatchRef, related_id
from p2pdist.shared.manifest.documents import (
    MAX_PAYLOAD_BYTES,
    MAX_ROLLOUT_ENTRIES,
    Manifest,
    Rollouts,
    ordered_patch,
)
from p2pdist.shared.manifest.publication_order import PublicationOrder
from p2pdist.shared.manifest.recipe import DebInstall, Install, RpmInstall
from p2pdist.shared.manifest.relations import OrderedPatch, OrderError, check_relations
from p2pdist.shared.manifest.versions import Ecosystem, InvalidVersionError, parse_version
from p2pdist.shared.wire.fields import MAX_PIECE_BYTES, MAX_PIECES
from seed_server.publishing.recipe import RELATIONS, Recipe, RecipeProblem, manifest_of
from seed_server.signing.offers import next_sequence

SMALLEST_PIECE_BYTES = 256 << 10  # smaller pieces help a fast LAN by spreading sooner; below this, overhead wins
TARGET_PIECES = 16_384  # keeps bitfields at 2 KiB and a torrent's hashes at 512 KiB
_PARTS = re.compile(r"[0-9]+(?:\.[0-9]+)*|[^0-9]+")
LARGEST_FILE_BYTES = min(MAX_PAYLOAD_BYTES, MAX_PIECE_BYTES * MAX_PIECES)


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


def problems_beside(
    recipe: Recipe,
    published: Iterable[Manifest],
    rollouts: Rollouts,
    order: PublicationOrder,
    *,
    wrong: Collection[str] = (),
) -> list[RecipeProblem]:
    """Return why this cannot follow what is published, as far as that can be said without its files' hashes.

    What rests on keys of the recipe's top that are ``wrong`` by themselves is not looked at.
    """
    listed, found = list(published), []
    name = {"patch_id", "version"}
    checks: tuple[tuple[str, set[str], Callable[[], None]], ...] = (
        ("version", {*name, "downgrade"}, lambda: check_new_name(recipe, listed, rollouts, order)),
        ("requires", {*name, *RELATIONS, "relations"}, lambda: check_relations_of(recipe, listed, rollouts)),
    )
    for where, needed, check in checks:
        if not needed.isdisjoint(wrong):
            continue
        try:
            check()
        except UserError as error:
            found.append(RecipeProblem(where, error.message))
    return found


def check_new_name(recipe: Recipe, published: Iterable[Manifest], rollouts: Rollouts, order: PublicationOrder) -> None:
    """Raise `UserError` (BAD_INPUT) when this publication is none, goes back unasked, or finds no room.

    Needs no file content, so that a refusal comes before a long copy.
    """
    published = list(published)
    _check_case(recipe.ref, [manifest.ref for manifest in published])
    of_id = sorted((m for m in published if m.patch_id == recipe.patch_id), key=lambda manifest: manifest.number)
    if of_id and recipe.ref == of_id[-1].ref:
        _check_correction(recipe, of_id[-1], rollouts, order)
    else:
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


def _check_correction(recipe: Recipe, newest: Manifest, rollouts: Rollouts, order: PublicationOrder) -> None:
    """Refuse the newest version once more, unless its recipe is corrected, or PCs may not install it any more.

    That its files are the same, `check_same_content` sees to: they never change.
    """
    name = f"{recipe.patch_id} {recipe.version}"
    if recipe.downgrade and not newest.downgrade:
        raise _refused(f"{name} is the newest that is published; there is nothing to go back from.")
    if _described(manifest_of(recipe, [], 0)) != _described(newest) or _files(recipe) != _payload_files(newest):
        return
    if order.refusal(newest.patch_id, newest.number):  # withdrawn for good: this is the way back
        return
    if newest.ref not in {entry.ref for entry in rollouts.entries}:
        raise _refused(
            f"{name} is published and withdrawn. Offer it again with 'seed-server offer {newest.ref}', or by rings "
            f"with 'seed-server rollout start {newest.ref}'."
        )
    raise _refused(
        f"{name} is published already, just like this. Its files never change: for others, choose another --version."
    )


def _described(manifest: Manifest) -> Manifest:
    """Return what a person has written of a patch, without its files and its place in the order."""
    return replace(manifest, payloads=[], published_at=0, number=1, replaces={}, downgrade=False)


def _files(recipe: Recipe) -> list[tuple[str, str, str, str]]:
    return [(one.file_name, one.platform, one.arch, one.language) for one in recipe.payload]


def _payload_files(manifest: Manifest) -> list[tuple[str, str, str, str]]:
    return [(one.file_name, one.platform, one.arch, one.language) for one in manifest.payloads]


def _check_direction(recipe: Recipe, before: Sequence[Manifest]) -> None:
    """Refuse a step back that is not asked for; ``before``: its id's, the newest last."""
    newest = before[-1] if before else None
    if newest is None:
        if recipe.downgrade:
            raise _refused(f"No {recipe.patch_id} was published that it could go back from. Leave --downgrade out.")
        return
    if recipe.downgrade:
        return
    if any(recipe.ref == manifest.ref for manifest in before):
        raise _refused(
            f"{recipe.patch_id} {recipe.version} is published already. "
            f"To go back from {newest.version} to it, add --downgrade; else choose another --version."
        )
    if _goes_back(recipe, newest):
        raise _refused(
            f"{recipe.version} is earlier than {newest.version}, which is the newest {recipe.patch_id}: PCs would go "
            "back. If that is meant, add --downgrade."
        )


def _goes_back(recipe: Recipe, newest: Manifest) -> bool:
    """Return whether PCs that have ``newest`` would go back: by the packages' own versions, else by the patches'."""
    ours, theirs, ecosystem = recipe.install, newest.install, ecosystem_of(recipe.install)
    if isinstance(ours, DebInstall | RpmInstall) and isinstance(theirs, DebInstall | RpmInstall):
        same = ours.package == theirs.package and ecosystem is ecosystem_of(theirs)
        if same and ours.version and theirs.version:
            return is_earlier(ours.version, theirs.version, ecosystem)
    return is_earlier(recipe.version, newest.version, ecosystem)


def ecosystem_of(install: Install | None) -> Ecosystem | None:
    """Return whose rules order the versions of such a patch; None: no package manager's."""
    if isinstance(install, DebInstall):
        return Ecosystem.DEB
    return Ecosystem.RPM if isinstance(install, RpmInstall) else None


def is_earlier(version: str, other: str, ecosystem: Ecosystem | None) -> bool:
    """Return whether ``version`` is earlier than ``other`` for sure.

    The rules of ``ecosystem`` decide; without one, numbers do where all before them is the same. Words have no known
    order: 1.0-beta may be later than 1.0.
    """
    if ecosystem is not None:
        with contextlib.suppress(InvalidVersionError):
            return parse_version(version, ecosystem) < parse_version(other, ecosystem)
    for one, two in zip(_PARTS.findall(version), _PARTS.findall(other), strict=False):
        if one != two:
            numbers = [parse_version(text, Ecosystem.GENERIC) for text in (one, two) if text[0].isdecimal()]
            if len(numbers) < 2:
                return False
            if numbers[0] != numbers[1]:  # 1.0 and 1.0.0 are the same
                return numbers[0] < numbers[1]
    return False


def check_same_content(sha256s: Collection[str], ref: PatchRef, published: Iterable[Manifest]) -> None:
    """Raise `UserError` (BAD_INPUT) when ``ref`` is listed with other files: going back, it must be what it was."""
    for manifest in published:
        if manifest.ref == ref and {payload.sha256 for payload in manifest.payloads} != set(sha256s):
            raise _refused(
                f"{ref.patch_id} {ref.version} was published with other files, and a published version never changes. "
                "Give the original ones, or choose another --version."
            )


def same_bytes(sha256s: Collection[str], published: Iterable[Manifest]) -> list[PatchRef]:
    """Return the publications that have one of these files too: PCs that hold it fetch nothing."""
    return [manifest.ref for manifest in published if any(payload.sha256 in sha256s for payload in manifest.payloads)]


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


def _refused(message: str) -> UserError:
    return UserError(message, FaultKind.BAD_INPUT)
