"""What this endpoint shall have, out of documents that the trust store has verified. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from p2pdist.identifiers import PatchId, PatchVersion, SiteName, TorrentHash
from p2pdist.manifest import (
    MAX_MANIFEST_BYTES,
    MAX_TORRENT_BYTES,
    DecodeError,
    Manifest,
    RolloutEntry,
    Rollouts,
    decode_manifest,
    manifest_target,
    torrent_target,
)
from p2pdist.manifest.site_profile import MAX_DOCUMENT_BYTES, SiteProfile, decode_site_profile, profile_target
from p2pdist.manifest.template import (
    MAX_TEMPLATE_BYTES,
    MAX_TEMPLATES,
    Template,
    decode_template,
    template_target,
)

MAX_CATALOGUE_BYTES = 256 << 20  # manifests and torrents are held in memory; 500 patches of half a MB


@dataclass(frozen=True)
class CataloguePatch:
    """A patch that this endpoint shall have, with every document verified by TUF."""

    entry: RolloutEntry
    manifest: Manifest
    torrent: bytes
    """The torrent file of ``manifest.payloads[0]``; its info-hash is for the torrent engine to compare."""


@dataclass(frozen=True)
class RefusedPatch:
    """A patch that the rollouts name and that cannot be taken; the others are not held up by it."""

    entry: RolloutEntry
    reason: str


@dataclass(frozen=True)
class Catalogue:
    """Everything that is accepted now."""

    timestamp_version: int
    patches: tuple[CataloguePatch, ...]
    """By ``entry.sequence``."""
    refused: tuple[RefusedPatch, ...]
    stale: str
    """A sentence when the metadata is older than half its life or has expired, else empty."""
    profile: SiteProfile | None = None
    """The throttle profile of this endpoint's site; None: it has none, or the site is not known yet."""
    templates: tuple[Template, ...] = ()
    """Diagnosis templates, by name."""


class DocumentError(Exception):
    """One verified document cannot be had; the text is a clause for people."""


GetDocument = Callable[[str, int], bytes]
"""Returns the verified bytes of a target path, at most that many. Raises `DocumentError`."""


def read_patches(
    rollouts: Rollouts, get: GetDocument, *, max_bytes: int = MAX_CATALOGUE_BYTES
) -> tuple[tuple[CataloguePatch, ...], tuple[RefusedPatch, ...]]:
    """Return the patches that can be taken and those that cannot, in order of sequence.

    ``max_bytes`` bounds all manifests and torrents together. What ``get`` raises
    besides `DocumentError` and `DecodeError` passes through.
    """
    patches: list[CataloguePatch] = []
    refused: list[RefusedPatch] = []
    seen: set[tuple[str, str]] = set()
    room = max_bytes
    for entry in sorted(rollouts.entries, key=lambda entry: entry.sequence):
        if (entry.patch_id, entry.version) in seen:
            refused.append(RefusedPatch(entry=entry, reason="it is rolled out twice"))
            continue
        seen.add((entry.patch_id, entry.version))
        try:
            patch, size_bytes = _read_patch(entry, get, room)
        except (DocumentError, DecodeError) as error:
            refused.append(RefusedPatch(entry=entry, reason=str(error)))
        else:
            room -= size_bytes
            patches.append(patch)
    return tuple(patches), tuple(refused)


def read_profile(site: SiteName | None, has: Callable[[str], bool], get: GetDocument) -> SiteProfile | None:
    """Return the throttle profile of ``site``; None where it has none, or one that this version cannot use."""
    if site is None or not has(profile_target(site)):
        return None
    try:
        profile = decode_site_profile(get(profile_target(site), MAX_DOCUMENT_BYTES))
    except (DocumentError, DecodeError):
        return None  # the server, which sends, has read it or says why it cannot
    return profile if profile.site == site else None


def read_templates(targets: Iterable[str], get: GetDocument) -> tuple[Template, ...]:
    """Return the diagnosis templates among ``targets``, by name; one that this version cannot use is left out.

    More than `MAX_TEMPLATES`: the first of them. What ``get`` raises besides
    `DocumentError` and `DecodeError` passes through.
    """
    found: list[Template] = []
    for target in sorted(targets)[:MAX_TEMPLATES]:
        try:
            template = decode_template(get(target, MAX_TEMPLATE_BYTES))
        except (DocumentError, DecodeError):
            continue  # the server shows that no PC answers it
        if template_target(template.name) == target:
            found.append(template)
    return tuple(found)


def _read_patch(entry: RolloutEntry, get: GetDocument, room_bytes: int) -> tuple[CataloguePatch, int]:
    path = manifest_target(PatchId(entry.patch_id), PatchVersion(entry.version))
    encoded = get(path, min(MAX_MANIFEST_BYTES, room_bytes))
    manifest = decode_manifest(encoded)
    if (manifest.patch_id, manifest.version) != (entry.patch_id, entry.version):
        raise DocumentError(f"{path!r} is the manifest of {manifest.patch_id}@{manifest.version}")
    torrent_path = torrent_target(TorrentHash(manifest.payloads[0].torrent_hash))
    torrent = get(torrent_path, min(MAX_TORRENT_BYTES, room_bytes - len(encoded)))
    return CataloguePatch(entry=entry, manifest=manifest, torrent=torrent), len(encoded) + len(torrent)
