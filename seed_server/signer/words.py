"""What a bundle would have signed, in words, and all of it: nothing is signed that was not shown. Pure."""

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import msgspec

from bandwidth.core.quantities import bytes_text
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchId, PatchVersion, SiteName, TorrentHash
from p2pdist.shared.log_anchor import ANCHOR_TARGET, LogAnchor, decode_anchor
from p2pdist.shared.manifest.approvers import APPROVERS_TARGET, Approvers, decode_approvers
from p2pdist.shared.manifest.documents import (
    TORRENTS_PREFIX,
    DecodeError,
    Manifest,
    decode_manifest,
    manifest_target,
    torrent_target,
)
from p2pdist.shared.manifest.publication_order import (
    NOTHING_PUBLISHED,
    ORDER_TARGET,
    PublicationOrder,
    Publications,
    decode_order,
    is_order,
    parts_of,
)
from p2pdist.shared.manifest.recalls import RECALLS_TARGET, Recall, Recalls, decode_recalls
from p2pdist.shared.manifest.servers import SERVERS_TARGET, decode_servers
from p2pdist.shared.manifest.site_profile import decode_site_profile, profile_target
from p2pdist.shared.manifest.template import TEMPLATES_PREFIX, decode_template, template_target
from p2pdist.shared.printable_text import printable
from seed_server.signing.bundle_check import CheckedBundle, RoleChange

D = TypeVar("D")

MAX_SHOWN_TIME = 253_402_300_799  # the end of 9999
ALARM = "!! "
"""Begins a line that says more than "this is new": what was signed before does not stay as it is."""

_INDENT = "  "


def review_lines(checked: CheckedBundle) -> list[str]:
    """Return the whole text; raises `UserError` (REFUSED) for content that nobody could be shown."""
    return [line for change in checked.changes for line in _role_lines(change)]


def manifests_of(checked: CheckedBundle) -> list[Manifest]:
    """Return the manifests that are new or changed. Raises `UserError` (REFUSED) where one lacks its torrents."""
    kept = {name for change in checked.changes for name in change.kept}
    manifests = [manifest for change in checked.changes for manifest in _manifests_in(change)]
    wanted = {
        torrent_target(TorrentHash(payload.torrent_hash)) for manifest in manifests for payload in manifest.payloads
    }
    found = {name for change in checked.changes for name in change.added if name.startswith(TORRENTS_PREFIX)}
    if wrong := (wanted - found - kept) | (found - wanted):
        raise _cannot_show(", ".join(sorted(wrong))[:200], "a manifest and its torrents come together")
    return manifests


def _role_lines(change: RoleChange) -> Iterator[str]:
    until = dt.datetime.fromtimestamp(change.expires_at, dt.UTC)
    yield f"{change.role}: version {change.version}, valid until {until:%Y-%m-%d %H:%M} UTC"
    for power in change.powers:
        yield f"{ALARM}{_INDENT}{printable(power)}"
    for name in change.removed:
        expected = name in change.superseded
        yield f"{_INDENT}superseded: {printable(name)}" if expected else f"{ALARM}{_INDENT}removed: {printable(name)}"
    for name, data in sorted(change.replaced.items()):
        if is_order(name):
            continue
        _check_may_change(name, data)
        yield f"{ALARM}{_INDENT}replaced: {printable(name)}"
        yield from (f"{_INDENT}{line}" for line in _document_lines(name, data))
    for name, data in sorted(change.added.items()):
        lines = list(_document_lines(name, data))
        if lines:
            yield f"{_INDENT}new: {printable(name)}"
            yield from (f"{_INDENT}{line}" for line in lines)
    yield from _order_lines(change)
    yield from _recall_lines(change)
    yield from _anchor_lines(change)
    for manifest in _manifests_in(change):
        if manifest.downgrade:
            yield f"{ALARM}{_INDENT}PCs go back to {printable(str(manifest.ref))} from later ones"
    if not (change.added or change.replaced or change.removed or change.powers):
        yield f"{_INDENT}the content stays as it is"


def _document_lines(name: str, data: bytes) -> Iterator[str]:
    """Return the lines of one document; a torrent has none, its payload is in the manifest, nor has the order here."""
    if name.startswith(TORRENTS_PREFIX) or is_order(name):
        return
    if name.endswith(".manifest"):
        yield from _manifest_lines(_manifest(name, data))
    elif name.startswith(TEMPLATES_PREFIX):
        template = _decoded(name, decode_template, data)
        _check_name(name, template_target(template.name))
        yield from _described(template, 1)
    elif name == SERVERS_TARGET:
        servers = _decoded(name, decode_servers, data)
        yield f"{_INDENT}PCs look for the server at, list {servers.number}:"
        yield from (f"{_INDENT}| {printable(str(address))}" for address in servers.addresses)
    elif name.startswith("profiles/"):
        profile = _decoded(name, decode_site_profile, data)
        _check_name(name, profile_target(SiteName(profile.site)))
        yield f"{_INDENT}the throttle profile of the site {printable(profile.site)}:"
        yield from (f"{_INDENT}| {printable(line)}" for line in profile.text.splitlines())
    elif name == APPROVERS_TARGET:
        yield from _approvers_lines(_decoded(name, decode_approvers, data))
    elif name in {RECALLS_TARGET, ANCHOR_TARGET}:
        return  # below, as far as it is new
    else:
        raise _cannot_show(name, "this release does not know such documents")


def _approvers_lines(approvers: Approvers) -> Iterator[str]:
    yield f"{_INDENT}PCs take of a rollout what {approvers.required} of these have approved"
    yield f"{_INDENT}of an emergency: {approvers.required_in_emergency}; published before {_time(approvers.since)}: any"
    yield from (f"{_INDENT}| {key.hex()} {printable(name)}" for name, key in sorted(approvers.keys.items()))


def _recall_lines(change: RoleChange) -> Iterator[str]:
    """Return each recall; what is new, or gone, is loud."""
    documents = {**change.added, **change.replaced}
    if RECALLS_TARGET not in documents:
        return
    before, after = (
        list(_recalls(told[RECALLS_TARGET])) if RECALLS_TARGET in told else [] for told in (change.before, documents)
    )
    yield from (f"{'' if line in before else ALARM}{_INDENT}{line}" for line in after)
    yield from (f"{ALARM}{_INDENT}no more: {line}" for line in before if line not in after)


def _recalls(data: bytes) -> Iterator[str]:
    recalls: Recalls = _decoded(RECALLS_TARGET, decode_recalls, data)
    for one in recalls.recalls:
        who = f" where {printable(one.who)}" if one.who else ""
        first = f"{one.since} to " if one.since > 1 else "up to "
        what = f"{printable(one.patch_id)}, publications {first}{one.number}"
        yield f"PCs go back from {what}{who}{_of_rings(one)}: {printable(one.reason)}"


def _of_rings(recall: Recall) -> str:
    """Return all that chooses the PCs of a ring and of those after it; empty: it is no matter in which one they are."""
    if recall.plan is None:
        return ""
    rings = (
        f"{printable(ring.name)} ({ring.share / 100:g} %{f' where {printable(ring.who)}' if ring.who else ''})"
        for ring in recall.plan.rings
    )
    name = printable(recall.plan.rings[recall.ring].name)
    return f" from ring {name} on, of {', '.join(rings)}, drawn by {recall.plan.salt.hex()}"


def _anchor_lines(change: RoleChange) -> Iterator[str]:
    """Return by which key PCs know the audit log; that they forget what they have seen of it is loud."""
    documents = {**change.added, **change.replaced}
    if ANCHOR_TARGET not in documents:
        return
    anchor: LogAnchor = _decoded(ANCHOR_TARGET, decode_anchor, documents[ANCHOR_TARGET])
    before: LogAnchor | None = None
    if ANCHOR_TARGET in change.before:
        before = _decoded(ANCHOR_TARGET, decode_anchor, change.before[ANCHOR_TARGET])
    known = anchor.known
    yield f"{_INDENT}PCs know the audit log by the key {known.key.hex()}: {printable(anchor.reason)}"
    if anchor.beginning is not None and anchor.begins_after(0 if before is None else before.number):
        yield f"{ALARM}{_INDENT}PCs forget what they have seen of the audit log: {printable(anchor.beginning.reason)}"
        yield f"{_INDENT}it begins again with {known.size} entries, root {known.root.hex()}"


def _time(at: float) -> str:
    return f"{dt.datetime.fromtimestamp(min(at, MAX_SHOWN_TIME), dt.UTC):%Y-%m-%d %H:%M} UTC"


def _check_may_change(name: str, data: bytes) -> None:
    """Refuse another content for what was published; going back to it gives it a new number, and nothing else."""
    again = name.endswith(".manifest") and _manifest(name, data).downgrade
    if not again and not name.startswith(
        (TEMPLATES_PREFIX, "profiles/", APPROVERS_TARGET, RECALLS_TARGET, ANCHOR_TARGET)
    ):
        raise _cannot_show(name, "what was published once never changes")


def _order_lines(change: RoleChange) -> Iterator[str]:
    """Return what changes in the order: for each new publication its number, which is the lowest from then on.

    One for rings leaves the lowest where it was, or higher: that allows nothing that was not allowed before.
    """
    documents = {**change.added, **change.replaced}
    if ORDER_TARGET not in documents:
        _check_parts(documents, NOTHING_PUBLISHED)
        return
    new = _decoded(ORDER_TARGET, decode_order, documents[ORDER_TARGET])
    _check_parts(documents, new)
    old = NOTHING_PUBLISHED
    if ORDER_TARGET in change.before:
        old = _decoded(ORDER_TARGET, decode_order, change.before[ORDER_TARGET])
    numbers = {one.patch_id: one.number for one in _manifests_in(change)}
    for patch_id in sorted(old.patches.keys() | new.patches.keys()):
        was, becomes = old.patches.get(patch_id), new.patches.get(patch_id)
        if was == becomes:
            continue
        number = old.next_number(PatchId(patch_id))
        least = number if was is None else min(was.lowest, number)
        expected = (
            becomes is not None and (becomes.newest, numbers.get(patch_id)) == (number, number)
            and least <= becomes.lowest <= number
            and becomes.gone == tuple(one for one in (was.gone if was else ()) if one >= becomes.lowest)
        )  # fmt: skip
        mark = "" if expected else ALARM
        yield f"{mark}{_INDENT}order of {printable(patch_id)}: {_numbers(was)} → {_numbers(becomes)}"


def _check_parts(documents: Mapping[str, bytes], whole: PublicationOrder) -> None:
    """Refuse parts of the order that say something else than the whole, which is shown."""
    expected = parts_of(whole)
    for name in documents.keys() & expected.keys():
        if _decoded(name, decode_order, documents[name]) != expected[name]:
            raise _cannot_show(name, f"it is not what {ORDER_TARGET} says")


def _numbers(known: Publications | None) -> str:
    if known is None:
        return "none"
    gone = f", but not {', '.join(map(str, known.gone))}" if known.gone else ""
    return f"newest publication {known.newest}, lowest that may be installed {known.lowest}{gone}"


def _manifests_in(change: RoleChange) -> list[Manifest]:
    documents = (*change.added.items(), *change.replaced.items())
    return [_manifest(name, data) for name, data in documents if name.endswith(".manifest")]


def _manifest(name: str, data: bytes) -> Manifest:
    manifest = _decoded(name, decode_manifest, data)
    _check_name(name, manifest_target(PatchId(manifest.patch_id), PatchVersion(manifest.version)))
    return manifest


def _manifest_lines(manifest: Manifest) -> Iterator[str]:
    for_whom = f"the PCs where {printable(json.dumps(manifest.applies_to, ensure_ascii=False))}"
    yield f"{_INDENT}for {for_whom if manifest.applies_to else 'every PC'}"
    yield f"{_INDENT}{'is installed as below' if manifest.install else 'is delivered, and nothing is run'}"
    for payload in manifest.payloads:
        size = bytes_text(payload.length_bytes)
        yield f"{_INDENT}file {printable(payload.file_name)}, {size}, SHA-256 {payload.sha256}"
    yield f"{_INDENT}in full:"
    yield from _described(manifest, 2)


def _described(value: msgspec.Struct, depth: int) -> Iterator[str]:
    """Return every field that has not its default, nested ones indented."""
    for field in msgspec.structs.fields(value):
        item = getattr(value, field.name)
        if field.required or item != _default(field):
            yield from _field_lines(field.name, item, depth)


def _field_lines(name: str, item: object, depth: int) -> Iterator[str]:
    pad = _INDENT * depth
    if isinstance(item, msgspec.Struct):
        kind = type(item).__struct_config__.tag
        yield f"{pad}{name}:{f' {kind}' if kind else ''}"
        yield from _described(item, depth + 1)
    elif isinstance(item, list | tuple) and any(isinstance(one, msgspec.Struct) for one in item):
        for number, one in enumerate(item, 1):
            yield from _field_lines(f"{name} {number}", one, depth)
    else:
        yield f"{pad}{name}: {printable(json.dumps(item, ensure_ascii=False))}"


def _default(field: msgspec.structs.FieldInfo) -> object:
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def _decoded(name: str, decode: Callable[[bytes], D], data: bytes) -> D:
    try:
        return decode(data)
    except DecodeError as error:
        raise _cannot_show(name, str(error)[:200]) from error


def _check_name(name: str, expected: str) -> None:
    if name != expected:
        raise _cannot_show(name, f"it is the content of {expected}")


def _cannot_show(name: str, why: str) -> UserError:
    return UserError(
        f"This bundle must not be signed: {printable(name)}: {printable(why)}. Nothing was signed. Find out what "
        "happened on the server that prepared it.",
        FaultKind.REFUSED,
    )
