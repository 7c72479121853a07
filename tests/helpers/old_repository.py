"""A repository as release 0.2.0 left it: the `patches` role lists everything itself, and the order is one document."""

import hashlib
from collections.abc import Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pdist.shared.identifiers import PatchId, PatchVersion, TorrentHash
from p2pdist.shared.manifest.documents import (
    ROLLOUTS_TARGET,
    Manifest,
    Payload,
    Rollouts,
    encode_manifest,
    encode_rollouts,
    manifest_target,
    torrent_target,
)
from p2pdist.shared.manifest.publication_order import NOTHING_PUBLISHED, ORDER_TARGET, encode_order
from seed_server.signing.offers import with_entry
from seed_server.signing.repository import Repository


def manifest_of(patch_id: str, version: str, *, number: int = 1, now: float = 0.0) -> Manifest:
    """Return a manifest of one payload, whose hashes follow from the name."""
    digest = hashlib.sha256(f"{patch_id}@{version}".encode()).hexdigest()
    payload = Payload(file_name=f"{patch_id}.msi", length_bytes=300_000, sha256=digest, torrent_hash=digest)
    return Manifest(
        format=1, patch_id=patch_id, version=version, title=patch_id, severity="high", cvss=None,
        published_at=int(now), payloads=[payload], number=number,
    )  # fmt: skip


def torrent_of(manifest: Manifest) -> bytes:
    """Return what stands for its torrent file: of a usual size, and no two are equal."""
    return f"torrent of {manifest.ref}".encode().ljust(1_600, b".")


def publish_as_release_0_2_0(
    repository: Repository,
    manifests: Sequence[Manifest],
    keys: Mapping[str, Ed25519PrivateKey],
    now: float,
    *,
    offered: int | None = None,
) -> None:
    """Sign and announce ``manifests`` in one commit, into a repository that is not divided.

    ``offered``: how many of the last ones the rollouts name; None: all.
    """
    files, writer = repository._files, repository._writer  # what no release does any more
    current = files.load()
    patches, order, rollouts = current.targets["patches"].signed, NOTHING_PUBLISHED, Rollouts(format=1, entries=[])
    for number, manifest in enumerate(manifests):
        patch_id = PatchId(manifest.patch_id)
        order = order.with_publication(patch_id, lowest=manifest.number)
        name = manifest_target(patch_id, PatchVersion(manifest.version))
        writer.add_target(patches, name, encode_manifest(manifest))
        for payload in manifest.payloads:
            writer.add_target(patches, torrent_target(TorrentHash(payload.torrent_hash)), torrent_of(manifest))
        if offered is None or number >= len(manifests) - offered:
            rollouts = with_entry(rollouts, manifest.ref)
    writer.add_target(patches, ORDER_TARGET, encode_order(order))
    writer.add_target(current.targets["rollouts"].signed, ROLLOUTS_TARGET, encode_rollouts(rollouts))
    writer.commit(current, ("patches", "rollouts"), keys, now)
