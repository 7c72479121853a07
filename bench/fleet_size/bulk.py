"""Many publications in one: a repository as years of work leave it, in seconds instead of an hour."""

import hashlib
from functools import partial
from pathlib import Path

import trio
from msgspec.structs import replace

from bench.fleet import Fleet
from bench.publication_cost import FOR_OTHERS
from bench.quick_publish import publish
from p2pdist.shared.identifiers import PatchId, PatchVersion, TorrentHash
from p2pdist.shared.manifest.documents import (
    ROLLOUTS_TARGET,
    Manifest,
    Rollouts,
    encode_manifest,
    encode_rollouts,
    manifest_target,
    torrent_target,
)
from p2pdist.shared.manifest.publication_order import PublicationOrder, Publications
from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import load_settings
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.offers import with_entry
from seed_server.signing.repository import Repository

PATTERN = "before-00000"
PATTERN_BYTES = 1_000


async def publish_many(fleet: Fleet, directory: Path, count: int, *, offered: int) -> None:
    """Publish ``count`` patches for other PCs; the last ``offered`` of them are offered, the others are history."""
    first = partial(publish, fleet, directory, PATTERN, PATTERN_BYTES, applies_to=FOR_OTHERS)
    await trio.to_thread.run_sync(first)
    await trio.to_thread.run_sync(copy_patches, ServerHome(fleet.server.home), count - 1, offered)


def copy_patches(home: ServerHome, count: int, offered: int) -> None:
    """Sign ``count`` patches that are as `PATTERN` is, at once. Blocking."""
    context = Context(home)
    repository = Repository.open(home, load_settings(home))
    pattern = next(manifest for manifest in repository.manifests() if manifest.patch_id == PATTERN)
    manifests = [_another(pattern, k) for k in range(1, count + 1)]
    rollouts = repository.current_rollouts()
    for manifest in manifests:
        rollouts = _with_last(rollouts, manifest, offered)
    order = repository.publication_order().patches | {
        manifest.patch_id: Publications(newest=1, lowest=1) for manifest in manifests
    }
    # the repository offers one publication at a time, as it should
    writer, files = repository._writer, repository._files  # noqa: SLF001
    with writer.writing():
        current, now = files.load(), context.clock.now()
        listed = current.listed()
        name = torrent_target(TorrentHash(pattern.payloads[0].torrent_hash))
        torrent = files.read_target(name, listed[name])
        changes = repository._new_order(listed, PublicationOrder(format=1, patches=order))  # noqa: SLF001
        for manifest in manifests:
            changes[manifest_target(PatchId(manifest.patch_id), PatchVersion(manifest.version))] = encode_manifest(
                manifest
            )
            changes[torrent_target(TorrentHash(manifest.payloads[0].torrent_hash))] = torrent
        changed = repository._change(current, changes, now)  # noqa: SLF001
        writer.add_target(current.targets["rollouts"].signed, ROLLOUTS_TARGET, encode_rollouts(rollouts))
        key = OfflineKeys(home.offline_keys).load("patches")
        writer.commit(current, (*changed, "rollouts"), {"patches": key}, now)


def _another(pattern: Manifest, number: int) -> Manifest:
    name = f"before-{number:05}"
    hashes = (hashlib.sha256(f"{name} {what}".encode()).hexdigest() for what in ("file", "torrent"))
    sha256, torrent = hashes
    return replace(
        pattern, patch_id=name, payloads=(replace(pattern.payloads[0], sha256=sha256, torrent_hash=torrent),)
    )


def _with_last(rollouts: Rollouts, manifest: Manifest, most: int) -> Rollouts:
    after = with_entry(rollouts, manifest.ref)
    return replace(after, entries=after.entries[-most:])
