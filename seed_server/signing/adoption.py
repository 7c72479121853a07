"""Newer signed files than this server has, handed in by PCs: judged from its own trusted root, and adopted. Blocking.

After a restore from a backup, PCs have seen versions that the server does not know, and accept nothing below them.
What the offline keys have signed proves itself, whoever brings it: nothing here believes a PC. ADR 0066.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, TargetFile, Targets

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared import durable_files
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.documents import TORRENTS_PREFIX, decode_manifest
from p2pdist.shared.manifest.publication_order import (
    ORDER_TARGET,
    PART_TARGETS,
    PublicationOrder,
    decode_order,
    encode_order,
    joined,
)
from p2pdist.shared.wire.codec import DecodeError
from seed_server.settings.home import ServerHome
from seed_server.signing import bins
from seed_server.signing.metadata import DELEGATED_PATHS, CurrentMetadata, is_signed, parse
from seed_server.signing.presented import PresentedFiles
from seed_server.signing.repository_writer import RepositoryWriter

MAX_AHEAD_SECONDS = 366 * DAY_SECONDS  # of versions, which are times: the clock of whoever signed may have been wrong
ADOPTED_ROLES = frozenset({"targets", *DELEGATED_PATHS, *bins.DIVIDED_ROLES})
_VERSIONS_ALONE = ("snapshot", "timestamp")  # this server signs them anew: what they say is not taken over

log = lazy_log()


class NotAdoptableError(Exception):
    """What was handed in is not signed as it must be, or not newer; the text is a clause for people."""


@dataclass(frozen=True)
class Newer:
    """The repository as it is with what was handed in."""

    current: CurrentMetadata
    roots: tuple[bytes, ...]
    """Those that are new, in order."""
    roles: tuple[str, ...]
    """The targets roles that are newer than before."""
    above: Mapping[str, int]
    """Versions of snapshot and timestamp that PCs have seen: what is signed next is above them."""

    @property
    def is_any(self) -> bool:
        """Whether anything is newer."""
        return bool(self.roots or self.roles or self.above)

    def documents(self) -> dict[str, TargetFile]:
        """Return what the newer roles list, by target path."""
        found: dict[str, TargetFile] = {}
        for role in self.roles:
            found |= self.current.targets[role].signed.targets
        return found


@dataclass(frozen=True)
class Adopted:
    """What was taken over."""

    roots: int
    roles: tuple[str, ...]
    left: tuple[str, ...]
    """Roles that were handed in, and wait for documents that they list."""
    timestamp_version: int


def judge(current: CurrentMetadata, roots: Sequence[bytes], roles: Mapping[str, bytes], now: float) -> Newer:
    """Verify what was handed in from what is trusted here, as a PC would, but for expiry. ``current`` stays as it is.

    What has expired was signed all the same, and PCs refuse whatever is below it: `renew` comes after that. A role
    that is not newer is left out. Raises `NotAdoptableError`.
    """
    root, followed = _follow_roots(current.root, roots)
    above: dict[str, int] = {}
    for role, known in (("snapshot", current.snapshot), ("timestamp", current.timestamp)):
        if role in roles:
            metadata = _parsed(role, roles[role], type(known.signed))
            _verify(root.signed, role, metadata)
            _check_version(role, metadata, now)
            if metadata.signed.version > known.signed.version:
                above[role] = metadata.signed.version
    if unknown := roles.keys() - ADOPTED_ROLES - {*_VERSIONS_ALONE}:
        raise NotAdoptableError(f"there is no role {min(unknown)[:40]!r} here")
    entered = _Entered(current.targets, roles, now)
    entered.enter_all(root.signed)
    after = CurrentMetadata(root, current.timestamp, current.snapshot, entered.targets)
    return Newer(after, followed, tuple(entered.newer), above)


def _follow_roots(trusted: Metadata[Root], offered: Sequence[bytes]) -> tuple[Metadata[Root], tuple[bytes, ...]]:
    """Return the newest root that ``trusted`` leads to, and the steps that are new."""
    root, steps = trusted, []
    for data in offered:
        step = _parsed("root", data, Root)
        if step.signed.version <= root.signed.version:
            continue
        if step.signed.version != root.signed.version + 1:
            raise NotAdoptableError(f"root version {root.signed.version + 1} is missing")
        for delegator in (root.signed, step.signed):
            _verify(delegator, "root", step)
        root = step
        steps.append(data)
    return root, tuple(steps)


class _Entered:
    """The targets roles as they are with what was handed in, entered one after the other.

    Who delegates comes first: no key counts before it is known who may have it, and what a key has signed that was
    taken away since is no measure for what is new.
    """

    def __init__(self, known: Mapping[str, Metadata[Targets]], offered: Mapping[str, bytes], now: float) -> None:
        self._known = known
        self._offered = offered
        self._now = now
        self.targets: dict[str, Metadata[Targets]] = {}
        self.newer: list[str] = []

    def enter_all(self, root: Root) -> None:
        """Enter every role. Raises `NotAdoptableError`."""
        self._enter("targets", root)
        top = self.targets["targets"].signed
        if set(DELEGATED_PATHS) - set((top.delegations and top.delegations.roles) or ()):
            raise NotAdoptableError("targets delegates to other roles than this release knows")
        for role in DELEGATED_PATHS:
            self._enter(role, top)
        patches = self.targets[bins.PATCHES_ROLE].signed
        if patches.delegations is not None:
            if set(patches.delegations.roles or ()) != set(bins.DIVIDED_ROLES):
                raise NotAdoptableError("a newer release of seed-server has divided the patches: install it first")
            for role in bins.DIVIDED_ROLES:
                self._enter(role, patches)
        elif stray := self._offered.keys() & set(bins.DIVIDED_ROLES):
            raise NotAdoptableError(f"patches does not delegate to {min(stray)}")
        try:
            bins.listed(self.targets)
        except ValueError as error:
            raise NotAdoptableError(str(error)) from error

    def _enter(self, role: str, delegator: Root | Targets) -> None:
        before = self._known.get(role)
        if before is not None and not is_signed(delegator, role, before):
            before = None
        if role in self._offered:
            metadata = _parsed(role, self._offered[role])
            if before is None or metadata.signed.version > before.signed.version:
                _verify(delegator, role, metadata)
                _check_version(role, metadata, self._now)
                self.newer.append(role)
                before = metadata
        if before is None:
            raise NotAdoptableError(_lacks(role, self._known.get(role)))
        self.targets[role] = before


def _lacks(role: str, known: Metadata[Targets] | None) -> str:
    if known is None:
        return f"{role}, to which a newer role delegates, is missing"
    return f"{role} version {known.signed.version} is not signed by its keys any more, and no other one is here"


def _parsed(role: str, data: bytes, kind: type[Any] = Targets) -> Metadata[Any]:
    metadata = parse(data)
    if metadata is None:
        raise NotAdoptableError(f"the {role} file is no metadata")
    if not isinstance(metadata.signed, kind):
        raise NotAdoptableError(f"the {role} file is of another role")
    return metadata


def _verify(delegator: Root | Targets, role: str, metadata: Metadata[Any]) -> None:
    if not is_signed(delegator, role, metadata):
        raise NotAdoptableError(f"{role} version {metadata.signed.version} is not signed by its keys")


def _check_version(role: str, metadata: Metadata[Any], now: float) -> None:
    """Refuse a version that no clock explains: what follows it could be above all that PCs accept."""
    version = metadata.signed.version
    if not isinstance(version, int) or version > now + MAX_AHEAD_SECONDS:
        raise NotAdoptableError(
            f"{role} version {version} is years ahead of this server's clock: correct that, or a key is in other hands"
        )


class Documents:
    """The targets that newer roles list: on the server's disk, handed in, or made of their parts."""

    def __init__(self, home: ServerHome, current: CurrentMetadata) -> None:
        """Take ``current`` for the repository as it is without them."""
        self._targets = home.tuf_targets
        self._presented = PresentedFiles(home)
        self._order = current.listed().get(ORDER_TARGET)

    def lacking(self, newer: Newer) -> dict[str, TargetFile]:
        """Return the documents that are nowhere yet, by target path. Raises `OSError`."""
        listed = newer.documents()
        found = {path: entry for path, entry in listed.items() if not self._is_here(entry) and not self.handed(entry)}
        if ORDER_TARGET in found and self._joined_order(listed) is not None:
            del found[ORDER_TARGET]
        return found

    def handed(self, entry: TargetFile) -> bytes | None:
        """Return what was handed in of a target, if that is what was signed."""
        data = self._presented.read(f"targets/{place(entry)}")
        return data if data is not None and proves(entry, data) else None

    def take_over(self, newer: Newer) -> None:
        """Write what was handed in to the server's targets. Raises `OSError`."""
        listed = newer.documents()
        for path, entry in listed.items():
            if self._is_here(entry):
                continue
            data = self.handed(entry)
            if data is None and path == ORDER_TARGET:
                data = self._joined_order(listed)
            if data is not None:
                file = self._targets / place(entry)
                durable_files.make_directory(file.parent)
                durable_files.write_file(file, data)

    def _is_here(self, entry: TargetFile) -> bool:
        return _read(self._targets / place(entry), entry) is not None

    def _joined_order(self, listed: Mapping[str, TargetFile]) -> bytes | None:
        """Return the whole order of publications, made of its parts: PCs keep these alone.

        Its ids stand as they were first published: those that were known here before, then the others.
        """
        parts = [self._content(listed.get(path)) for path in PART_TARGETS]
        known, first = self._content(self._order), self._first_published(listed)
        try:
            whole = joined(decode_order(part) for part in parts if part is not None).patches
            before = () if known is None else tuple(decode_order(known).patches)
        except DecodeError:
            return None
        ids = sorted(
            whole, key=lambda one: (one not in before, before.index(one) if one in before else first.get(one, 0))
        )
        data = encode_order(PublicationOrder(format=1, patches={one: whole[one] for one in ids}))
        return data if proves(listed[ORDER_TARGET], data) else None

    def _first_published(self, listed: Mapping[str, TargetFile]) -> dict[str, int]:
        """Return when each patch id was first published, as far as its manifests are here."""
        found: dict[str, int] = {}
        for path, entry in listed.items():
            data = self._content(entry) if path.endswith(".manifest") else None
            with contextlib.suppress(DecodeError):
                if data is not None:
                    manifest = decode_manifest(data)
                    at = found.get(manifest.patch_id, manifest.published_at)
                    found[manifest.patch_id] = min(at, manifest.published_at)
        return found

    def _content(self, entry: TargetFile | None) -> bytes | None:
        return None if entry is None else _read(self._targets / place(entry), entry) or self.handed(entry)


def place(entry: TargetFile) -> str:
    """Return where a target lies below ``targets/``."""
    prefixed: str = entry.get_prefixed_paths()[0]
    return prefixed


def proves(entry: TargetFile, data: bytes) -> bool:
    """Whether ``data`` is what was signed."""
    try:
        entry.verify_length_and_hashes(data)
    except RepositoryError:
        return False
    return True


def _read(path: Path, entry: TargetFile) -> bytes | None:
    try:
        if path.stat().st_size != entry.length:
            return None
        data = path.read_bytes()
    except OSError:
        return None
    return data if proves(entry, data) else None


def is_required(path: str) -> bool:
    """Whether the server cannot work with a role that lists this target without having it.

    A torrent is needed to serve its patch alone, and comes back when its file is published again.
    """
    return not path.startswith(TORRENTS_PREFIX)


def with_what_is_whole(
    current: CurrentMetadata, newer: Newer, documents: Documents, now: float
) -> tuple[Newer, tuple[str, ...]]:
    """Return ``newer`` without roles that list what is nowhere yet, and which these are. Raises as `judge`."""
    lacking = {path for path in documents.lacking(newer) if is_required(path)}
    left = tuple(role for role in newer.roles if lacking & newer.current.targets[role].signed.targets.keys())
    if not left:
        return newer, ()
    roles = {role: newer.current.targets[role].to_bytes() for role in newer.roles if role not in left}
    return replace(judge(current, newer.roots, roles, now), above=newer.above), left


def adopt(
    writer: RepositoryWriter, current: CurrentMetadata, home: ServerHome, now: float, before: Callable[[], None]
) -> Adopted | None:
    """Take over what waits in `PresentedFiles`, as far as it proves itself and is whole; None: nothing of it is newer.

    ``before`` is called when it is known that something will be taken over. The caller holds the write lock, and
    ``current`` is its own. Snapshot and timestamp are signed anew. Raises `NotAdoptableError`, `OSError`, and
    `UserError`: REFUSED where a newer root knows other online keys than these.
    """
    presented = PresentedFiles(home)
    documents = Documents(home, current)
    newer = judge(current, presented.roots(current.root.signed.version), presented.roles(), now)
    newer, left = with_what_is_whole(current, newer, documents, now)
    if not newer.is_any:
        if not left:
            presented.clear()
        return None
    writer.check_online_keys(newer.current)
    before()
    documents.take_over(newer)
    first = current.root.signed.version + 1
    for number, data in enumerate(newer.roots):
        durable_files.write_file(home.tuf_metadata / f"{first + number}.root.json", data)
    after = newer.current
    for known, role in ((after.snapshot.signed, "snapshot"), (after.timestamp.signed, "timestamp")):
        known.version = max(known.version, newer.above.get(role, 0))
    version = writer.commit(after, (), {}, now, signed=newer.roles, snapshot=True)
    if not left:
        presented.clear()
    return Adopted(len(newer.roots), newer.roles, left, version)
