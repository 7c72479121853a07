"""Read which patches this endpoint shall have, from documents that the trust store has verified. Pure."""

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace

from p2pdist.shared.identifiers import PatchId, PatchRef, PatchVersion, SiteName, TorrentHash
from p2pdist.shared.log_anchor import ANCHOR_TARGET, MAX_ANCHOR_BYTES
from p2pdist.shared.manifest.approvers import APPROVERS_TARGET, MAX_APPROVERS_BYTES, decode_approvers
from p2pdist.shared.manifest.complete import MAX_COMPLETE_BYTES, complete_target, decode_complete
from p2pdist.shared.manifest.denied import DENIED_TARGET, MAX_DENIED_BYTES
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
from p2pdist.shared.manifest.recalls import MAX_RECALLS_BYTES, RECALLS_TARGET, Recall, decode_recalls
from p2pdist.shared.manifest.staged import (
    MAX_STAGED_BYTES,
    NOTHING_STAGED,
    STAGED_TARGET,
    StagedEntry,
    StagedRollouts,
    decode_staged,
)
from p2pdist.shared.manifest.suitability import Choice
from p2pdist.trust.catalogue import (
    Catalogue,
    CataloguePatch,
    Choose,
    DocumentError,
    Expect,
    GetDocument,
    Held,
    NotApplicable,
    NotYet,
    RecalledPatch,
    RefusedPatch,
)
from p2pdist.trust.ring_rules import EVERYONE, ApprovedBy, RingMember, RingTerms, RingWait
from p2pdist.trust.site_documents import read_profile

MAX_CATALOGUE_BYTES = 256 << 20  # all manifests and torrents are held in memory: 500 patches of half a MB


def first_payload(manifest: Manifest) -> Choice:
    """Choose the payload that the manifest lists first, whatever the PC is."""
    return Choice(manifest.payloads[0], "for every PC")


@dataclass(frozen=True)
class ThisPc:
    """For whom the catalogue is read."""

    site: SiteName | None = None
    choose: Choose = first_payload
    """Decides what is for this PC."""
    held: Collection[Held] = ()
    """The payloads of which it has bytes."""
    installed: Collection[PatchRef] = ()
    """What may have to go back."""
    member: RingMember | None = None
    """What decides about its rings; as in `RingTerms`."""


def read_catalogue(
    has: Callable[[str], bool],
    get: GetDocument,
    pc: ThisPc,
    *,
    expect: Expect = tuple,
    approved_by: ApprovedBy = EVERYONE.approved_by,
) -> Catalogue:
    """Return the catalogue; the caller sets its version, freshness and templates.

    ``has`` tells whether a target exists; ``approved_by`` as in `RingTerms`; ``expect``: see `Expect`. Raises
    `DocumentError` or `DecodeError` when the rollouts, the order of publications, the approvers or the recalls cannot
    be read: nothing is taken without them.
    """
    if not has(ROLLOUTS_TARGET):  # nothing has been published yet
        return Catalogue(timestamp_version=0, patches=(), refused=(), stale="")
    rollouts, terms = _read_rollouts(has, get, expect, pc.member, approved_by)
    order = _read_order(rollouts, has, get, expect) if rollouts.entries else NOTHING_PUBLISHED
    read = read_patches(rollouts, order, get, choose=pc.choose, held=pc.held, expect=expect, terms=terms)
    checkpoint, anchor = _read_log(terms.staged.checkpoint, has, get)
    if has(DENIED_TARGET):
        with suppress(DocumentError):  # to keep it for the server; nothing here depends on it
            get(DENIED_TARGET, MAX_DENIED_BYTES)
    return Catalogue(
        timestamp_version=0,
        patches=read.patches,
        refused=read.refused,
        stale="",
        profile=read_profile(pc.site, has, get),
        not_applicable=read.not_applicable,
        not_yet=read.not_yet,
        replaced=read.replaced,
        withdrawn=rollouts.withdrawn,
        recalls=terms.recalls,
        recalled=tuple(_recalled(pc.installed, terms, get)) if terms.recalls else (),
        checkpoint=checkpoint,
        log_anchor=anchor,
    )


def _recalled(installed: Collection[PatchRef], terms: RingTerms, get: GetDocument) -> Iterator[RecalledPatch]:
    """Yield what goes back of what is installed. A recipe that cannot be had is no reason to forget that it shall."""
    for ref in sorted(installed):
        if terms.recall(ref.patch_id, 0) is None:
            continue
        manifest: Manifest | None = None
        with suppress(DocumentError, DecodeError):
            path = manifest_target(PatchId(ref.patch_id), PatchVersion(ref.version))
            manifest = decode_manifest(get(path, MAX_MANIFEST_BYTES))
        known = manifest is not None and manifest.ref == ref
        recall = terms.recall(ref.patch_id, manifest.number if manifest is not None and known else 0)
        if recall is not None:
            yield RecalledPatch(ref, recall, manifest if known else None)


def _read_rollouts(
    has: Callable[[str], bool],
    get: GetDocument,
    expect: Expect,
    member: RingMember | None,
    approved_by: ApprovedBy,
) -> tuple[Rollouts, RingTerms]:
    """Return what is offered, by rings or not, and what is signed about rings."""
    rollouts = decode_rollouts(get(ROLLOUTS_TARGET, MAX_ROLLOUTS_BYTES))
    staged = decode_staged(get(STAGED_TARGET, MAX_STAGED_BYTES)) if has(STAGED_TARGET) else NOTHING_STAGED
    approvers = decode_approvers(get(APPROVERS_TARGET, MAX_APPROVERS_BYTES)) if has(APPROVERS_TARGET) else None
    here = {entry.ref for entry in rollouts.entries}
    complete = () if approvers is None else tuple(_read_complete(here, staged, has, get, expect))
    terms = RingTerms(member, staged, approvers, approved_by, _read_recalls(has, get), complete)
    by_rings = [
        RolloutEntry(ref.patch_id, ref.version, entry.sequence)
        for ref, entry in terms.entries.items()
        if ref not in here
    ]
    stopped = {one.ref for one in staged.stopped}
    withdrawn = (*(one for one in rollouts.withdrawn if one.ref not in stopped), *staged.stopped)
    return Rollouts(format=1, entries=[*rollouts.entries, *by_rings], withdrawn=withdrawn), terms


def _read_complete(
    here: Collection[PatchRef], staged: StagedRollouts, has: Callable[[str], bool], get: GetDocument, expect: Expect
) -> Iterator[StagedEntry]:
    """Yield the complete rollouts of what every PC is offered, as far as it is not staged."""
    wanted = set(here) - {entry.ref for entry in staged.entries}
    parts = [part for part in sorted({complete_target(ref.patch_id) for ref in wanted}) if has(part)]
    expect(parts)
    for part in parts:
        for entry in decode_complete(get(part, MAX_COMPLETE_BYTES)).entries:
            if entry.ref in wanted:
                yield entry


def _read_recalls(has: Callable[[str], bool], get: GetDocument) -> tuple[Recall, ...]:
    return decode_recalls(get(RECALLS_TARGET, MAX_RECALLS_BYTES)).recalls if has(RECALLS_TARGET) else ()


def _read_log(checkpoint: bytes, has: Callable[[str], bool], get: GetDocument) -> tuple[bytes, bytes]:
    """Return the checkpoint of the audit log, and its anchor.

    Without the anchor none is judged: that could be an alarm, which stays. Nor is it a reason to take no patches.
    """
    if not has(ANCHOR_TARGET):
        return checkpoint, b""
    try:
        return checkpoint, get(ANCHOR_TARGET, MAX_ANCHOR_BYTES)
    except DocumentError:
        return b"", b""


def _read_order(rollouts: Rollouts, has: Callable[[str], bool], get: GetDocument, expect: Expect) -> PublicationOrder:
    """Return the numbers of what is rolled out: from the parts that have them, or whole where there are no parts."""
    parts = sorted({part_target(entry.patch_id) for entry in rollouts.entries})
    if not has(parts[0]):  # by a server of release 0.2.0
        return decode_order(get(ORDER_TARGET, MAX_ORDER_BYTES))
    expect(parts)
    return joined(decode_order(get(part, MAX_ORDER_BYTES)) for part in parts)


@dataclass(frozen=True)
class ReadPatches:
    """The patches that the rollouts name, sorted into kinds, each by ``entry.sequence``."""

    patches: tuple[CataloguePatch, ...]
    refused: tuple[RefusedPatch, ...]
    not_applicable: tuple[NotApplicable, ...]
    not_yet: tuple[NotYet, ...] = ()
    replaced: tuple[PatchRef, ...] = ()
    """Where a newer publication of the same id is there that this PC may have."""


def read_patches(
    rollouts: Rollouts,
    order: PublicationOrder,
    get: GetDocument,
    *,
    choose: Choose,
    held: Collection[Held] = (),
    max_bytes: int = MAX_CATALOGUE_BYTES,
    expect: Expect = tuple,
    terms: RingTerms = EVERYONE,
) -> ReadPatches:
    """Return the patches that this PC shall have, those that it cannot use, those not for it, and those that wait.

    ``order`` comes from the offline role: what it does not allow is not for this PC. ``choose`` decides what is for
    this PC, ``terms`` whether its ring is open; ``held`` names the payloads of which it has bytes. Of an id, a newer
    publication that this PC may have stands for those before. ``max_bytes`` bounds all manifests and torrents
    together, by sequence. ``expect``: see `Expect`. `DocumentError` and `DecodeError` from ``get`` refuse one patch;
    others propagate.
    """
    patches: list[CataloguePatch] = []
    refused: list[RefusedPatch] = []
    not_applicable: list[NotApplicable] = []
    not_yet: list[NotYet] = []
    entries = _offered(rollouts, refused)
    expect(_manifest_path(entry) for entry in entries)
    found: list[_Found] = []
    left_bytes = max_bytes  # of memory
    for entry in entries:
        with _refuses(entry, refused):
            found.append(_read_manifest(entry, order, get, left_bytes, choose, held, terms))
            left_bytes -= found[-1].manifest_bytes
    found, replaced = _newest(found)
    expect(one.torrent_path for one in found if one.payload)
    left_bytes = max_bytes  # by sequence, each with its torrent: what comes later takes nothing from the first ones
    for one in found:
        with _refuses(one.entry, refused):
            patch, size_bytes = _with_torrent(one, get, left_bytes)
            left_bytes -= size_bytes
            if isinstance(patch, NotApplicable):
                not_applicable.append(patch)
            elif isinstance(patch, NotYet):
                not_yet.append(patch)
            else:
                patches.append(patch)
    refused.sort(key=lambda each: each.entry.sequence)
    here = [*patches, *(skipped.shared for skipped in not_applicable if skipped.shared is not None)]
    for n, skipped in enumerate(not_applicable):
        if skipped.shared is not None and any(_supersedes(other.manifest, skipped.manifest) for other in here):
            not_applicable[n] = replace(skipped, shared=None)
    return ReadPatches(tuple(patches), tuple(refused), tuple(not_applicable), tuple(not_yet), replaced)


def _newest(found: list["_Found"]) -> tuple[list["_Found"], tuple[PatchRef, ...]]:
    """Return what is left where a newer publication of the same id is there that this PC may have, and what is not."""
    newest: dict[str, int] = {}
    for one in found:
        if one.wait is None and not one.not_applicable:
            newest[one.manifest.patch_id] = max(one.manifest.number, newest.get(one.manifest.patch_id, 0))
    older = [one.entry.ref for one in found if one.manifest.number < newest.get(one.manifest.patch_id, 0)]
    return [one for one in found if one.entry.ref not in older], tuple(older)


def _supersedes(newer: Manifest, older: Manifest) -> bool:
    return newer.ref != older.ref and any(older.ref.matches(relation) for relation in newer.supersedes)


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
    wait: RingWait | None = None
    """What it waits for; None: nothing."""

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
    terms: RingTerms,
) -> _Found:
    path = _manifest_path(entry)
    encoded = get(path, min(MAX_MANIFEST_BYTES, most_bytes))
    manifest = decode_manifest(encoded)
    if manifest.ref != entry.ref:
        raise DocumentError(f"{path!r} is the manifest of {manifest.ref}")
    recall = terms.recall(manifest.patch_id, manifest.number)
    refusal = order.refusal(manifest.patch_id, manifest.number) or (recall and f"recalled: {recall.reason}")
    if refusal:
        return _Found(entry, manifest, len(encoded), None, refusal, older=True)
    choice = choose(manifest)
    if choice.payload is None:
        return _Found(entry, manifest, len(encoded), _held_payload(manifest, held), choice.reason)
    wait = terms.wait(manifest, hashlib.sha256(encoded).hexdigest())
    if wait is None:
        payload: Payload | None = choice.payload
    else:
        payload = None if wait.taken_back else _held_payload(manifest, held)
    return _Found(entry, manifest, len(encoded), payload, "", wait=wait)


def _with_torrent(
    found: _Found, get: GetDocument, most_bytes: int
) -> tuple[CataloguePatch | NotApplicable | NotYet, int]:
    """Return the patch, and how many bytes its documents have."""
    entry, manifest, size_bytes = found.entry, found.manifest, found.manifest_bytes
    if size_bytes > most_bytes:
        raise DocumentError(f"{_manifest_path(entry)!r} has {size_bytes} bytes, over the cap of {most_bytes}")
    if found.payload is None and found.wait is not None:
        return NotYet(entry, manifest, found.wait), size_bytes
    if found.payload is None:
        return NotApplicable(entry, manifest, found.not_applicable, older=found.older), size_bytes
    torrent = get(found.torrent_path, min(MAX_TORRENT_BYTES, most_bytes - size_bytes))
    patch = CataloguePatch(entry=entry, manifest=manifest, payload=found.payload, torrent=torrent)
    size_bytes += len(torrent)
    if found.not_applicable:
        return NotApplicable(entry, manifest, found.not_applicable, shared=patch), size_bytes
    if found.wait is not None:
        return NotYet(entry, manifest, found.wait, shared=patch), size_bytes
    return patch, size_bytes


def _held_payload(manifest: Manifest, held: Collection[Held]) -> Payload | None:
    return next((payload for payload in manifest.payloads if (manifest.ref, payload.torrent_hash) in held), None)
