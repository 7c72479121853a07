"""The roles among which `patches` divides what it lists, so that a publication costs PCs little.

`patches` itself lists the diagnosis templates, which PCs look up by the role's name, the approvers and the recalls.
Manifests lie in bins by the hash of their path, torrents in bins by their own hash, the order of publications in a role
of its own. The same keys sign all of them: together they are what the one role of release 0.2.0 was. ADR 0036.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from tuf.api.metadata import DelegatedRole, Delegations, Key, Metadata, TargetFile, Targets

from p2pdist.shared.identifiers import TorrentHash
from p2pdist.shared.log_anchor import ANCHOR_TARGET
from p2pdist.shared.manifest.approvers import APPROVERS_TARGET
from p2pdist.shared.manifest.documents import (
    TORRENT_NAME_CHARS,
    TORRENTS_FIELD,
    TORRENTS_PREFIX,
    decode_manifest,
    torrent_target,
)
from p2pdist.shared.manifest.publication_order import ORDER_TARGET, PART_TARGETS, is_order
from p2pdist.shared.manifest.recalls import RECALLS_TARGET
from p2pdist.shared.manifest.template import TEMPLATES_PREFIX

PATCHES_ROLE = "patches"
ORDER_ROLE = "order"
MANIFEST_BINS = 32  # with these and the roles above, 53: PCs of release 0.2.0 accept a snapshot of at most 64 roles
TORRENT_BINS = 16
MANY_TARGETS = 8_192  # whose role is remembered: each look at what is listed asks for that of all

_PREFIXES_A_BIN = 256 // MANIFEST_BINS
_MANIFESTS = tuple(f"manifests-{number:02x}" for number in range(MANIFEST_BINS))
_TORRENTS = tuple(f"torrents-{number:x}" for number in range(TORRENT_BINS))

DIVIDED_ROLES = (ORDER_ROLE, *_MANIFESTS, *_TORRENTS)
PATCHES_FAMILY = frozenset((PATCHES_ROLE, *DIVIDED_ROLES))
"""What the `patches` keys sign."""


def key_of(role: str) -> str:
    """Return the name of the key that signs ``role``."""
    if role in PATCHES_FAMILY:
        return PATCHES_ROLE
    return "root" if role == "targets" else role


def delegator_of(role: str) -> str:
    """Return the targets role that delegates to ``role``."""
    return PATCHES_ROLE if role in DIVIDED_ROLES else "targets"


def is_divided(patches: Targets) -> bool:
    """Whether ``patches`` delegates; false: it lists everything itself, as release 0.2.0 wrote it."""
    return patches.delegations is not None


@lru_cache(MANY_TARGETS)
def role_listing(target: str) -> str:
    """Return which role lists ``target``, once `patches` is divided."""
    if is_order(target):
        return ORDER_ROLE
    if target.startswith(TORRENTS_PREFIX):
        return _TORRENTS[int(target.removeprefix(TORRENTS_PREFIX)[:1], 16)]
    if target.endswith(".manifest"):
        return _MANIFESTS[hashlib.sha256(target.encode()).digest()[0] // _PREFIXES_A_BIN]
    return PATCHES_ROLE


def delegations(granted: DelegatedRole, keys: Mapping[str, Key]) -> Delegations:
    """Return what a divided `patches` role delegates; ``granted`` is what `targets` grants to `patches` itself."""

    def role(name: str, paths: list[str] | None, prefixes: list[str] | None = None) -> DelegatedRole:
        keyids = list(granted.keyids)
        return DelegatedRole(
            name, keyids, granted.threshold, terminating=True, paths=paths, path_hash_prefixes=prefixes
        )

    # a PC that looks for what `patches` might list itself walks into what is delegated too: it finds the order, which
    # it needs anyway
    roles = [
        role(
            ORDER_ROLE,
            [ORDER_TARGET, *PART_TARGETS, f"{TEMPLATES_PREFIX}*", APPROVERS_TARGET, RECALLS_TARGET, ANCHOR_TARGET],
        )
    ]
    roles += [role(name, [f"{TORRENTS_PREFIX}{number:x}*"]) for number, name in enumerate(_TORRENTS)]
    for number, name in enumerate(_MANIFESTS):
        first = number * _PREFIXES_A_BIN
        roles.append(role(name, None, [f"{prefix:02x}" for prefix in range(first, first + _PREFIXES_A_BIN)]))
    return Delegations({keyid: keys[keyid] for keyid in granted.keyids}, {one.name: one for one in roles})


def listed(targets: Mapping[str, Metadata[Any]]) -> dict[str, TargetFile]:
    """Return what the family among ``targets`` (by role) lists, by path.

    Raises `ValueError` where a role lists what another one should.
    """
    found: dict[str, TargetFile] = {}
    for role in (one for one in (PATCHES_ROLE, *DIVIDED_ROLES) if one in targets):
        signed = targets[role].signed
        divided = role != PATCHES_ROLE or is_divided(signed)
        if divided and any(role_listing(name) != role for name in signed.targets):
            raise ValueError(f"{role} lists what another role should")
        found |= signed.targets
    return found


def same_content(one: TargetFile | None, other: TargetFile) -> bool:
    """Whether two entries are of the same bytes, whatever else they say."""
    return one is not None and (one.length, one.hashes) == (other.length, other.hashes)


def change(
    targets: dict[str, Metadata[Targets]],
    changes: Mapping[str, bytes | None],
    read: Callable[[str, TargetFile], bytes],
) -> set[str]:
    """Enter ``changes`` (None: the target goes) into ``targets``, by role; return the roles to be signed.

    `patches` is divided first where it is not; ``read`` returns the content of what is listed. New roles have version
    0, the one before their first. Raises `DecodeError` for a manifest that is none.
    """
    changed = divide(targets, read)
    for name, data in changes.items():
        role = role_listing(name)
        changed.add(role)
        own = targets[role].signed.targets
        if data is None:
            own.pop(name, None)
        elif not same_content(own.get(name), entry := TargetFile.from_data(name, data, ["sha256"])):
            own[name] = entry
    for name, data in changes.items():
        if data is not None and name.endswith(".manifest"):
            _name_torrents(targets, name, data)
    return changed


def divide(targets: dict[str, Metadata[Targets]], read: Callable[[str, TargetFile], bytes]) -> set[str]:
    """Make `patches` delegate as `targets` says of its keys; return the roles that must be signed for it."""
    patches, grants = targets[PATCHES_ROLE].signed, targets["targets"].signed.delegations
    assert grants is not None
    assert grants.roles is not None
    wanted, before = delegations(grants.roles[PATCHES_ROLE], grants.keys), patches.delegations
    if before == wanted:
        return set()
    patches.delegations = wanted
    if before is None:
        for role in DIVIDED_ROLES:
            targets[role] = Metadata(Targets())
            targets[role].signed.version = 0
        for name in list(patches.targets):
            if (role := role_listing(name)) != PATCHES_ROLE:
                targets[role].signed.targets[name] = patches.targets.pop(name)
        for role in _MANIFESTS:
            for name, entry in list(targets[role].signed.targets.items()):
                _name_torrents(targets, name, read(name, entry))
    return set(PATCHES_FAMILY)


def _name_torrents(targets: Mapping[str, Metadata[Targets]], name: str, data: bytes) -> None:
    """Say beside a manifest what its torrents are: a PC then needs none of the bins that list them."""
    manifest, entries = decode_manifest(data), {}
    for payload in manifest.payloads:
        path = torrent_target(TorrentHash(payload.torrent_hash))
        torrent = targets[role_listing(path)].signed.targets.get(path)
        if torrent is not None:
            entries[payload.torrent_hash[:TORRENT_NAME_CHARS]] = [torrent.length, torrent.hashes["sha256"]]
    own = targets[role_listing(name)].signed.targets
    own[name] = TargetFile(own[name].length, own[name].hashes, name, {"custom": {TORRENTS_FIELD: entries}})


def names_its_torrents(entry: TargetFile, family: Mapping[str, TargetFile]) -> bool:
    """Whether what ``entry``, of a manifest, says of torrents is what ``family`` lists of them."""
    named = (entry.custom or {}).get(TORRENTS_FIELD, {})
    torrents = {
        path.removeprefix(TORRENTS_PREFIX)[:TORRENT_NAME_CHARS]: [one.length, one.hashes.get("sha256")]
        for path, one in family.items()
        if path.startswith(TORRENTS_PREFIX)
    }
    return all(torrents.get(name) == torrent for name, torrent in named.items())
