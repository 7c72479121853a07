"""What the `patches` role lists after a publication: the numbers, and which manifests and torrents. Pure."""

from collections.abc import Collection, Iterable, MutableMapping
from typing import Any

import msgspec

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchId, PatchRef, PatchVersion, TorrentHash
from p2pdist.shared.manifest.documents import Manifest, Rollouts, manifest_target, torrent_target
from p2pdist.shared.manifest.publication_order import PublicationOrder
from p2pdist.shared.manifest.recalls import RECALLS_TARGET, Recalls, answered, encode_recalls

SUPERSEDED_DAYS = 180  # by then whoever was off is back; gone back to is what was replaced lately
KEEP_PUBLICATIONS = 2  # of each id: the newest, and the one before, whose file can still be repaired and gone back to


def order_after(order: PublicationOrder, new: Manifest, lowest: int | None = None) -> PublicationOrder:
    """Return the order after ``new``; PCs may install those from ``lowest`` (None: itself) on. Raises `UserError`.

    REFUSED: another process has published this id meanwhile, or no document can hold more patches.
    """
    patch_id = PatchId(new.patch_id)
    if new.number != order.next_number(patch_id):
        raise UserError(
            f"{new.patch_id} was published by somebody else meanwhile; nothing was announced. Try again.",
            FaultKind.REFUSED,
        )
    try:
        return order.with_publication(patch_id, lowest=new.number if lowest is None else lowest)
    except msgspec.ValidationError as error:
        raise UserError(
            f"The repository can number no further publication ({error}); nothing was announced. "
            "Start a new repository for further patches.",
            FaultKind.REFUSED,
        ) from error


def lowest_by_rings(
    order: PublicationOrder, new: Manifest, listed: Iterable[Manifest], offered: Collection[PatchRef]
) -> int:
    """Return the lowest publication that PCs may install after ``new``, which is for rings.

    What is ``offered`` of its id and may be installed stays so: the PCs of rings that are not open have nothing else.
    """
    return min(
        (
            other.number
            for other in listed
            if other.patch_id == new.patch_id
            and other.ref != new.ref
            and other.ref in offered
            and not order.refusal(other.patch_id, other.number)
        ),
        default=new.number,
    )


def recall_changes(recalls: Recalls, patch_id: str) -> dict[str, bytes | None]:
    """Return what a new publication of ``patch_id`` changes of ``recalls``: it answers those of its id."""
    left = answered(recalls, patch_id)
    return {} if left == recalls else {RECALLS_TARGET: encode_recalls(left)}


def unlisted_after(listed: Collection[Manifest], new: Manifest, offered: Collection[PatchRef] = ()) -> list[str]:
    """Return the targets that leave the role with ``new``: of its id, all that are not `kept`."""
    others = [manifest for manifest in listed if manifest.ref != new.ref]
    stay_listed = kept([*(other for other in others if other.patch_id == new.patch_id), new], offered)
    gone = [other for other in others if other.patch_id == new.patch_id and other not in stay_listed]
    stay = [new, *(manifest for manifest in others if manifest not in gone)]
    torrents = _torrents([*gone, *(manifest for manifest in listed if manifest.ref == new.ref)]) - _torrents(stay)
    return [*map(_target, gone), *sorted(torrents)]


def kept(listed: Collection[Manifest], offered: Collection[PatchRef] = ()) -> list[Manifest]:
    """Return the manifests that are still of use: what is ``offered``, and of each id the newest `KEEP_PUBLICATIONS`.

    Older ones stay in their bins until those are signed anew for something else: a bin that is signed for them alone
    would be one more that every PC fetches.
    """
    of_id: dict[str, list[Manifest]] = {}
    for manifest in sorted(listed, key=lambda manifest: -manifest.number):
        of_id.setdefault(manifest.patch_id, []).append(manifest)
    newest = {id(manifest) for found in of_id.values() for manifest in found[:KEEP_PUBLICATIONS]}
    return [manifest for manifest in listed if id(manifest) in newest or manifest.ref in offered]


def still_signed(listed: Collection[Manifest], rollouts: Rollouts, now: float) -> list[Manifest]:
    """Return those of `kept` that are offered, or were superseded less than `SUPERSEDED_DAYS` before ``now``."""
    offered = {entry.ref for entry in rollouts.entries}
    stay = kept(listed, offered)
    newest: dict[str, Manifest] = {}
    superseded_at: dict[PatchRef, int] = {}
    for manifest in stay:
        if manifest.number > (newest[manifest.patch_id].number if manifest.patch_id in newest else 0):
            newest[manifest.patch_id] = manifest
        for relation in manifest.supersedes if manifest.ref in offered else ():
            named = PatchRef.of_relation(relation)
            superseded_at[named] = min(manifest.published_at, superseded_at.get(named, manifest.published_at))
    latest = now - SUPERSEDED_DAYS * DAY_SECONDS

    def since(manifest: Manifest) -> float:
        named = (manifest.ref, PatchRef(manifest.patch_id, ""))
        found = [superseded_at[one] for one in named if one in superseded_at]
        if newest[manifest.patch_id] is not manifest:
            found.append(newest[manifest.patch_id].published_at)
        return min(found, default=now)

    return [manifest for manifest in stay if manifest.ref in offered or since(manifest) > latest]


def take_out(roles: Iterable[MutableMapping[str, Any]], stay: Collection[Manifest]) -> None:
    """Take out of the targets of roles that are about to be signed all manifests and torrents but those of ``stay``."""
    wanted = _torrents(stay) | {_target(manifest) for manifest in stay}
    for role in roles:
        for name in list(role):
            if name not in wanted and name.endswith((".manifest", ".torrent")):
                del role[name]


def _target(manifest: Manifest) -> str:
    return manifest_target(PatchId(manifest.patch_id), PatchVersion(manifest.version))


def _torrents(manifests: Iterable[Manifest]) -> set[str]:
    return {torrent_target(TorrentHash(one.torrent_hash)) for manifest in manifests for one in manifest.payloads}
