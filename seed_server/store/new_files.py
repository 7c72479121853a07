"""Finds which files of the TUF repository are new since a snapshot, and what stood in their place. Blocking."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from p2pdist.shared.identifiers import PatchId, PatchVersion, TorrentHash
from p2pdist.shared.log_anchor import ANCHOR_TARGET
from p2pdist.shared.manifest.approvers import APPROVERS_TARGET
from p2pdist.shared.manifest.denied import DENIED_TARGET
from p2pdist.shared.manifest.documents import (
    MAX_MANIFEST_BYTES,
    MAX_ROLLOUTS_BYTES,
    ROLLOUTS_TARGET,
    TORRENTS_PREFIX,
    decode_manifest,
    decode_rollouts,
    manifest_target,
    torrent_target,
)
from p2pdist.shared.manifest.publication_order import ORDER_TARGET, is_order
from p2pdist.shared.manifest.recalls import RECALLS_TARGET
from p2pdist.shared.manifest.staged import STAGED_TARGET
from p2pdist.shared.wire.codec import DecodeError

_FOR_ALL = frozenset({ROLLOUTS_TARGET, STAGED_TARGET, APPROVERS_TARGET, RECALLS_TARGET, ANCHOR_TARGET, DENIED_TARGET})
FEW_TARGETS = 16  # of a young server: all of them are less than the question for those that a PC lacks


@dataclass(frozen=True)
class NewFile:
    """A file that is new since a snapshot, and what stood in its place; both by their path below ``/tuf/``."""

    path: str
    older: str | None
    """None: nothing did."""


class PublishedTuf:
    """The files below ``/tuf/``. Its methods raise `OSError`; what is damaged on this disk counts as missing."""

    def __init__(self, metadata_directory: Path, targets_directory: Path) -> None:
        self._metadata = metadata_directory
        self._directories = {"metadata": metadata_directory, "targets": targets_directory}

    def read(self, path: str, most: int) -> bytes | None:
        """Return what a file holds, by its path below ``/tuf/``; None: there is none, or it is larger than ``most``."""
        kind, _, place = path.partition("/")
        file = self._directories[kind] / place
        try:
            return file.read_bytes() if file.stat().st_size <= most else None
        except FileNotFoundError:
            return None

    def has_snapshot(self, version: int) -> bool:
        """Whether this version of the snapshot is still there."""
        return (self._metadata / f"{version}.snapshot.json").exists()

    def has_root(self, version: int) -> bool:
        """Whether there is this version of the root: none is ever removed."""
        return (self._metadata / f"{version}.root.json").exists()

    def new_since(self, known: int, newest: int, *, also_offered: bool, everything: bool = False) -> Iterator[NewFile]:
        """Yield snapshot and roles that are new since the snapshot ``known``, then the targets that they have added.

        Whoever knows nothing yet (0) is told of the roles alone, and of what is for every PC: most of years of patches
        is not for it. ``also_offered``, or where there are few: and of what the rollouts offer. What is for one site is
        left to its PCs.
        ``everything``: and of roles that no PC reads for itself; torrents are where their files are.
        """
        before, after = (versions(self._role(version, "snapshot")) for version in (known, newest))
        yield NewFile(f"metadata/{newest}.snapshot.json", f"metadata/{known}.snapshot.json" if before else None)
        roles = [role for role in after if after[role] != before.get(role)]
        for role in roles:
            # beside the manifests stands what torrents are; release 0.2.0 asks for these
            if role.startswith("torrents-") and not everything:
                continue
            older = f"metadata/{before[role]}.{role}.json" if role in before else None
            yield NewFile(f"metadata/{after[role]}.{role}.json", older)
        had: dict[str, str] = {}
        has: dict[str, str] = {}
        for role in roles:
            had |= _target_files(self._role(before.get(role, 0), role))
            has |= _target_files(self._role(after[role], role))
        if "order" in after:  # then release 0.2.0 alone reads it whole
            has.pop(ORDER_TARGET, None)
        wanted = sorted((target for target in has if had.get(target) != has[target]), key=_is_not_for_all)
        if not before:
            offered = self._offered(has) if also_offered or len(wanted) <= FEW_TARGETS else set()
            wanted = [target for target in wanted if target in offered or not _is_not_for_all(target)]
        for target in wanted:
            if not target.startswith(("profiles/", TORRENTS_PREFIX) if everything else "profiles/"):
                yield NewFile(has[target], had.get(target))

    def _offered(self, has: Mapping[str, str]) -> set[str]:
        """Return the manifests that the rollouts name, and the torrents that these name."""
        offered: set[str] = set()
        try:
            entries = decode_rollouts(
                self.read(has.get(ROLLOUTS_TARGET, "targets/"), MAX_ROLLOUTS_BYTES) or b""
            ).entries
            for entry in entries:
                target = manifest_target(PatchId(entry.patch_id), PatchVersion(entry.version))
                manifest = decode_manifest(self.read(has.get(target, "targets/"), MAX_MANIFEST_BYTES) or b"")
                torrents = (torrent_target(TorrentHash(payload.torrent_hash)) for payload in manifest.payloads)
                offered.update((target, *torrents))
        except DecodeError:  # whoever asks for the file itself finds out
            pass
        return offered

    def _role(self, version: int, role: str) -> bytes:
        try:
            return (self._metadata / f"{version}.{role}.json").read_bytes()
        except FileNotFoundError:
            return b"{}"


def versions(metadata: bytes) -> dict[str, int]:
    """Return the versions that a timestamp or snapshot names, by role."""
    return {name.removesuffix(".json"): file["version"] for name, file in _signed(metadata, "meta").items()}


def _is_not_for_all(target: str) -> bool:
    """Whether some PCs alone read this target."""
    return target not in _FOR_ALL and not is_order(target)


def _target_files(role: bytes) -> dict[str, str]:
    """Return where the targets of a role lie below ``/tuf/``, by their path, as tuf writes them: HASH.NAME."""
    found = {}
    for path, file in _signed(role, "targets").items():
        directory, slash, name = path.rpartition("/")
        found[path] = f"targets/{directory}{slash}{file['hashes']['sha256']}.{name}"
    return found


def _signed(metadata: bytes, part: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(metadata).get("signed", {}).get(part, {})
    except msgspec.MsgspecError:  # damaged on this disk: whoever asks for the file itself finds out
        return {}
    return found
