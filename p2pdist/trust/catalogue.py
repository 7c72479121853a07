"""Read which patches this endpoint shall have, from documents that the trust store has verified. Pure."""

import math
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

from p2pdist.shared.identifiers import PatchId, PatchRef, PatchVersion, SiteName, TorrentHash, parse_torrent_hash
from p2pdist.shared.manifest.documents import (
    MAX_MANIFEST_BYTES,
    MAX_ROLLOUTS_BYTES,
    MAX_TORRENT_BYTES,
    ROLLOUTS_TARGET,
    DecodeError,
    Manifest,
    Payload,
    RolloutEntry,
    Rollouts,
    Withdrawal,
    decode_manifest,
    decode_rollouts,
    manifest_target,
    torrent_target,
)
from p2pdist.shared.manifest.publication_order import (
    MAX_ORDER_BYTES,
    NOTHING_PUBLISHED,
    ORDER_TARGET,
    PublicationOrder,
    decode_order,
    joined,
    part_target,
)
from p2pdist.shared.manifest.site_profile import MAX_DOCUMENT_BYTES, SiteProfile, decode_site_profile, profile_target
from p2pdist.shared.manifest.template import (
    MAX_TEMPLATE_BYTES,
    MAX_TEMPLATES,
    Template,
    decode_template,
    template_target,
)
from p2pdist.shared.manifest.urgency import urgency_of
from p2pdist.trust.suitability import Choice

MAX_CATALOGUE_BYTES = 256 << 20  # all manifests and torrents are held in memory: 500 patches of half a MB


@dataclass(frozen=True)
class CataloguePatch:
    """A patch that this endpoint shall have, with every document verified by TUF."""

    entry: RolloutEntry
    manifest: Manifest
    payload: Payload
    """The one of ``manifest.payloads`` that is for this PC."""
    torrent: bytes
    """The torrent file of ``payload``. The torrent engine compares its info-hash with the manifest's."""

    @cached_property
    def ref(self) -> PatchRef:
        """Which patch it is."""
        return self.manifest.ref

    @cached_property
    def urgency(self) -> int:
        """The lowest goes first."""
        return urgency_of(self.manifest.severity, emergency=self.manifest.schedule.emergency)


@dataclass(frozen=True)
class RefusedPatch:
    """A patch that the rollouts name and that this PC cannot use. It does not hold up the others."""

    entry: RolloutEntry
    reason: str


@dataclass(frozen=True)
class NotApplicable:
    """A patch that the rollouts name and that is not for this PC, or no longer: it may be installed already."""

    entry: RolloutEntry
    manifest: Manifest
    reason: str
    older: bool = False
    """Whether it is refused because the offline role says that a newer one has replaced it, wherever it applies."""
    shared: CataloguePatch | None = None
    """The patch, if the PC already has bytes of it: they are shared until the patch is withdrawn or superseded."""


Held: TypeAlias = tuple[PatchRef, str]
"""The patch and the torrent hash of bytes that this PC has."""


@dataclass(frozen=True)
class Catalogue:
    """Everything that is accepted now."""

    timestamp_version: int
    patches: tuple[CataloguePatch, ...]
    """By ``entry.sequence``."""
    refused: tuple[RefusedPatch, ...]
    stale: str
    """A sentence for people when the metadata is older than half its life or has expired, else empty."""
    profile: SiteProfile | None = None
    """The throttle profile of this endpoint's site; None when it has none or the site is not known yet."""
    not_applicable: tuple[NotApplicable, ...] = ()
    """By ``entry.sequence``; these are never fetched."""

    templates: tuple[Template, ...] = ()
    """Diagnosis templates, by name."""
    withdrawn: tuple[Withdrawal, ...] = ()
    """What was offered and is not any more, with the reason."""
    confirmed: bool = field(default=True, compare=False)
    """Whether the server has just sent it; false: it is what this PC accepted last, and may be long out of date."""
    passed_at: float = field(default=0.0, compare=False)
    """The time that the signed metadata proves to have passed, in seconds since 1970; 0: none."""
    expires_at: float = field(default=math.inf, compare=False)
    """Until when the server vouches for it, in seconds since 1970: nothing is begun by what has expired."""

    def wanted(self) -> dict[TorrentHash, tuple[CataloguePatch, ...]]:
        """Return the patches whose bytes belong on this PC: those that it shall have, and those that it shares.

        Several patches may have the same bytes. What is for this PC goes before what it only shares.
        """
        found: dict[TorrentHash, list[CataloguePatch]] = {}
        for patch in self.patches:
            found.setdefault(parse_torrent_hash(patch.payload.torrent_hash), []).append(patch)
        for skipped in self.not_applicable:
            if skipped.shared is not None:
                found.setdefault(parse_torrent_hash(skipped.shared.payload.torrent_hash), [skipped.shared])
        return {torrent: tuple(patches) for torrent, patches in found.items()}


class DocumentError(Exception):
    """One document cannot be had in verified form; the text is a clause for people."""


Choose = Callable[[Manifest], Choice]

GetDocument = Callable[[str, int], bytes]
"""Takes a target path and a cap in bytes, returns the verified bytes. Raises `DocumentError`."""

Expect: TypeAlias = Callable[[Iterable[str]], object]
"""Is told which targets are asked for next, in this order, so that they can be got together; `tuple` tells nobody."""


def first_payload(manifest: Manifest) -> Choice:
    """Choose the payload that the manifest lists first, whatever the PC is."""
    return Choice(manifest.payloads[0], "for every PC")


def read_catalogue(
    has: Callable[[str], bool],
    get: GetDocument,
    *,
    site: SiteName | None,
    choose: Choose,
    held: Collection[Held],
    expect: Expect = tuple,
) -> Catalogue:
    """Return the catalogue; the caller sets its version, freshness and templates.

    ``has`` tells whether a target exists; for the others see `read_patches` and `read_profile`.
    Raises `DocumentError` or `DecodeError` when the rollouts or the order of publications cannot be read.
    """
    if not has(ROLLOUTS_TARGET):  # nothing has been published yet
        return Catalogue(timestamp_version=0, patches=(), refused=(), stale="")
    rollouts = decode_rollouts(get(ROLLOUTS_TARGET, MAX_ROLLOUTS_BYTES))
    order = _read_order(rollouts, has, get, expect) if rollouts.entries else NOTHING_PUBLISHED
    read = read_patches(rollouts, order, get, choose=choose, held=held, expect=expect)
    return Catalogue(
        timestamp_version=0,
        patches=read.patches,
        refused=read.refused,
        stale="",
        profile=read_profile(site, has, get),
        not_applicable=read.not_applicable,
        withdrawn=rollouts.withdrawn,
    )


def _read_order(rollouts: Rollouts, has: Callable[[str], bool], get: GetDocument, expect: Expect) -> PublicationOrder:
    """Return the numbers of what is rolled out: from the parts that have them, or whole where there are no parts."""
    parts = sorted({part_target(entry.patch_id) for entry in rollouts.entries})
    if not has(parts[0]):  # by a server of release 0.2.0
        return decode_order(get(ORDER_TARGET, MAX_ORDER_BYTES))
    expect(parts)
    return joined(decode_order(get(part, MAX_ORDER_BYTES)) for part in parts)


@dataclass(frozen=True)
class ReadPatches:
    """The patches that the rollouts name, sorted into three kinds, each by ``entry.sequence``."""

    patches: tuple[CataloguePatch, ...]
    refused: tuple[RefusedPatch, ...]
    not_applicable: tuple[NotApplicable, ...]


def read_patches(
    rollouts: Rollouts,
    order: PublicationOrder,
    get: GetDocument,
    *,
    choose: Choose,
    held: Collection[Held] = (),
    max_bytes: int = MAX_CATALOGUE_BYTES,
    expect: Expect = tuple,
) -> ReadPatches:
    """Return the patches that this PC shall have, those that it cannot use, and those that are not for it.

    ``order`` comes from the offline role: what it does not allow is not for this PC. ``choose`` decides what is for
    this PC; ``held`` names the payloads of which it has bytes. ``max_bytes`` bounds all manifests and torrents
    together, by sequence. ``expect``: see `Expect`. `DocumentError` and `DecodeError` from ``get`` refuse one patch;
    others propagate.
    """
    patches: list[CataloguePatch] = []
    refused: list[RefusedPatch] = []
    not_applicable: list[NotApplicable] = []
    entries = _offered(rollouts, refused)
    expect(_manifest_path(entry) for entry in entries)
    found: list[_Found] = []
    left_bytes = max_bytes  # of memory
    for entry in entries:
        with _refuses(entry, refused):
            found.append(_read_manifest(entry, order, get, left_bytes, choose, held))
            left_bytes -= found[-1].manifest_bytes
    expect(one.torrent_path for one in found if one.payload)
    left_bytes = max_bytes  # by sequence, each with its torrent: what comes later takes nothing from the first ones
    for one in found:
        with _refuses(one.entry, refused):
            patch, size_bytes = _with_torrent(one, get, left_bytes)
            left_bytes -= size_bytes
            if isinstance(patch, NotApplicable):
                not_applicable.append(patch)
            else:
                patches.append(patch)
    refused.sort(key=lambda each: each.entry.sequence)
    here = [*patches, *(skipped.shared for skipped in not_applicable if skipped.shared is not None)]
    for n, skipped in enumerate(not_applicable):
        if skipped.shared is not None and any(_supersedes(other.manifest, skipped.manifest) for other in here):
            not_applicable[n] = replace(skipped, shared=None)
    return ReadPatches(tuple(patches), tuple(refused), tuple(not_applicable))


def _supersedes(newer: Manifest, older: Manifest) -> bool:
    return newer.ref != older.ref and any(older.ref.matches(relation) for relation in newer.supersedes)


def read_profile(site: SiteName | None, has: Callable[[str], bool], get: GetDocument) -> SiteProfile | None:
    """Return the throttle profile of ``site``; None where it has none, or one that this version cannot use."""
    if site is None or not has(profile_target(site)):
        return None
    try:
        profile = decode_site_profile(get(profile_target(site), MAX_DOCUMENT_BYTES))
    except (DocumentError, DecodeError):
        return None  # the server, which does the sending, reads it too and says why where it cannot
    return profile if profile.site == site else None


def read_templates(targets: Iterable[str], get: GetDocument) -> tuple[Template, ...]:
    """Return the diagnosis templates among ``targets``, by name, at most the first `MAX_TEMPLATES`.

    A template that this version cannot use is left out. What ``get`` raises besides
    `DocumentError` and `DecodeError` propagates.
    """
    found: list[Template] = []
    for target in sorted(targets)[:MAX_TEMPLATES]:
        try:
            template = decode_template(get(target, MAX_TEMPLATE_BYTES))
        except (DocumentError, DecodeError):
            continue  # the operator learns of it: the server shows that no PC answers this template
        if template_target(template.name) == target:
            found.append(template)
    return tuple(found)


@dataclass(frozen=True)
class _Found:
    """A patch whose manifest has been read."""

    entry: RolloutEntry
    manifest: Manifest
    manifest_bytes: int
    payload: Payload | None
    """Of which the bytes are for this PC, or are here and shared; None: none of it."""
    not_applicable: str
    """Why it is not for this PC; empty: it is."""
    older: bool = False

    @property
    def torrent_path(self) -> str:
        assert self.payload is not None
        return torrent_target(TorrentHash(self.payload.torrent_hash))


@contextmanager
def _refuses(entry: RolloutEntry, refused: list[RefusedPatch]) -> Iterator[None]:
    """Refuse this patch for what cannot be read of it; the others go on."""
    try:
        yield
    except (DocumentError, DecodeError) as error:
        refused.append(RefusedPatch(entry=entry, reason=str(error)))


def _offered(rollouts: Rollouts, refused: list[RefusedPatch]) -> list[RolloutEntry]:
    """Return what is rolled out, each once, by its sequence."""
    withdrawn = {one.ref for one in rollouts.withdrawn}  # taking away goes before giving
    entries: dict[PatchRef, RolloutEntry] = {}
    for entry in sorted(rollouts.entries, key=lambda entry: entry.sequence):
        if entry.ref in entries:
            refused.append(RefusedPatch(entry=entry, reason="it is rolled out twice"))
        elif entry.ref not in withdrawn:
            entries[entry.ref] = entry
    return list(entries.values())


def _manifest_path(entry: RolloutEntry) -> str:
    return manifest_target(PatchId(entry.patch_id), PatchVersion(entry.version))


def _read_manifest(
    entry: RolloutEntry,
    order: PublicationOrder,
    get: GetDocument,
    most_bytes: int,
    choose: Choose,
    held: Collection[Held],
) -> _Found:
    path = _manifest_path(entry)
    encoded = get(path, min(MAX_MANIFEST_BYTES, most_bytes))
    manifest = decode_manifest(encoded)
    if manifest.ref != entry.ref:
        raise DocumentError(f"{path!r} is the manifest of {manifest.ref}")
    if refusal := order.refusal(manifest.patch_id, manifest.number):
        return _Found(entry, manifest, len(encoded), None, refusal, older=True)
    choice = choose(manifest)
    if choice.payload is not None:
        return _Found(entry, manifest, len(encoded), choice.payload, "")
    return _Found(entry, manifest, len(encoded), _held_payload(manifest, held), choice.reason)


def _with_torrent(found: _Found, get: GetDocument, most_bytes: int) -> tuple[CataloguePatch | NotApplicable, int]:
    """Return the patch, and how many bytes its documents have."""
    entry, manifest, size_bytes = found.entry, found.manifest, found.manifest_bytes
    if size_bytes > most_bytes:
        raise DocumentError(f"{_manifest_path(entry)!r} has {size_bytes} bytes, over the cap of {most_bytes}")
    if found.payload is None:
        return NotApplicable(entry, manifest, found.not_applicable, older=found.older), size_bytes
    torrent = get(found.torrent_path, min(MAX_TORRENT_BYTES, most_bytes - size_bytes))
    patch = CataloguePatch(entry=entry, manifest=manifest, payload=found.payload, torrent=torrent)
    size_bytes += len(torrent)
    if found.not_applicable:
        return NotApplicable(entry, manifest, found.not_applicable, shared=patch), size_bytes
    return patch, size_bytes


def _held_payload(manifest: Manifest, held: Collection[Held]) -> Payload | None:
    return next((payload for payload in manifest.payloads if (manifest.ref, payload.torrent_hash) in held), None)
