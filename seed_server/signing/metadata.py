"""The repository's metadata as it is on disk: read, verified, and its very first versions. Blocking."""

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import SSlibKey
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    Root,
    Signed,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from p2pdist.shared.manifest.documents import TIMESTAMP_ISSUED_FIELD
from p2pdist.shared.manifest.template import TEMPLATES_PREFIX
from seed_server.settings.home import ServerHome
from seed_server.signing import bins, repository_files
from seed_server.signing.repository_files import damaged
from seed_server.signing.role_policy import RENEW_AT_FRACTION, RoleExpiry, past_half

DELEGATED_PATHS = {
    "patches": ["patches/*", "torrents/*", f"{TEMPLATES_PREFIX}*"],
    "rollouts": ["rollouts/*"],
    "profiles": ["profiles/*"],
}
Keys = Mapping[str, Ed25519PrivateKey]
_Look: TypeAlias = tuple[int, int, int]
T = TypeVar("T", Root, Timestamp, Snapshot, Targets)


@dataclass(frozen=True)
class NewestTimestamp:
    """The timestamp in force, and what is above and below it."""

    data: bytes
    version: int
    issued_at: float
    """When it was signed, in seconds since 1970."""
    life_seconds: float
    """From then until it expires."""
    root: int
    """The newest root's version."""
    snapshot: int

    def renews(self, before: "NewestTimestamp") -> bool:
        """Whether it took the place of ``before`` because that had lived for long, and nothing else is new.

        One that comes earlier says that something was repaired: who waits for that is to hear of it at once.
        """
        due = self.issued_at - before.issued_at >= before.life_seconds * RENEW_AT_FRACTION
        return due and (self.root, self.snapshot) == (before.root, before.snapshot)


@dataclass(frozen=True)
class CurrentMetadata:
    """The verified metadata that ``timestamp.json`` points to."""

    root: Metadata[Root]
    timestamp: Metadata[Timestamp]
    snapshot: Metadata[Snapshot]
    targets: dict[str, Metadata[Targets]]
    """Metadata of ``targets`` and of every role that it delegates to, and `patches` in its turn, by role."""

    def expiries(self) -> list[RoleExpiry]:
        """Return when each role expires; `patches` with the first of those among which it is divided."""
        signed: dict[str, Signed] = {name: metadata.signed for name, metadata in self.targets.items()}
        signed |= {"root": self.root.signed, "snapshot": self.snapshot.signed, "timestamp": self.timestamp.signed}
        found = {name: role.expires.timestamp() for name, role in signed.items()}
        first = min(found[name] for name in found.keys() & bins.PATCHES_FAMILY)
        whole = {name: expires_at for name, expires_at in found.items() if name not in bins.DIVIDED_ROLES}
        return [RoleExpiry(name, expires_at) for name, expires_at in (whole | {bins.PATCHES_ROLE: first}).items()]

    def listed(self) -> dict[str, TargetFile]:
        """Return what the `patches` keys have signed, by target path. Raises `UserError` (STORAGE)."""
        try:
            return bins.listed(self.targets)
        except ValueError as error:
            raise damaged("patches") from error

    def copied(self) -> "CurrentMetadata":
        """Return a copy to be changed; entries of targets are the same ones, for none is ever changed."""
        targets = {}
        for name, metadata in self.targets.items():
            signed = copy.copy(metadata.signed)
            signed.targets, signed.delegations = dict(signed.targets), copy.deepcopy(signed.delegations)
            targets[name] = Metadata(signed, dict(metadata.signatures))
        root, timestamp, snapshot = copy.deepcopy((self.root, self.timestamp, self.snapshot))
        return CurrentMetadata(root, timestamp, snapshot, targets)

    def file_names(self) -> list[str]:
        """Return the names of the files that hold it, and that of the root which would come next, without ".json"."""
        names = [f"{version}.root" for version in range(1, self.root.signed.version + 2)]
        names += ["timestamp", f"{self.snapshot.signed.version}.snapshot"]
        return names + [f"{metadata.signed.version}.{name}" for name, metadata in self.targets.items()]

    def half_spent(self, now: float) -> set[str]:
        """Return what the `patches` keys have signed that is past half of its life."""
        family = self.targets.keys() & bins.PATCHES_FAMILY
        return {name for name in family if past_half(self.targets[name].signed.expires.timestamp(), now)}

    def delegated(self, role: str) -> DelegatedRole:
        """Return what ``targets`` says of a role that it delegates to. Raises `UserError` (STORAGE) without one."""
        delegations = self.targets["targets"].signed.delegations
        if delegations is None or delegations.roles is None or role not in delegations.roles:
            raise damaged("targets")
        return delegations.roles[role]


class MetadataReader:
    """What lies in ``tuf/``; nothing is written here."""

    def __init__(self, home: ServerHome) -> None:
        self._home = home
        self._known: tuple[CurrentMetadata, list[str], list[_Look | None]] | None = None
        """What was verified last, its files, and how they looked."""

    def load(self) -> CurrentMetadata:
        """Return a copy of `current`, to be changed. Raises as that does."""
        return self.current().copied()

    def current(self) -> CurrentMetadata:
        """Read and verify the whole state, so that we never sign on top of tampered metadata. Nobody changes it.

        A publication asks for it a dozen times: while all files look as they did, nothing is read again. Raises
        `UserError`: NOT_SET_UP, STORAGE.
        """
        if self._known is not None:
            current, names, looks = self._known
            if looks == self._looks(names):
                return current
        timestamp = self._looks(["timestamp"])
        current = self._verified()
        # where another process has published meanwhile, what was read is whole, and not the last word
        names = current.file_names()
        self._known = (current, names, self._looks(names)) if timestamp == self._looks(["timestamp"]) else None
        return current

    def _looks(self, names: Sequence[str]) -> list[_Look | None]:
        folder = str(self._home.tuf_metadata)  # a path for each of half a hundred files takes longer than to look at it
        return [_look(f"{folder}/{name}.json") for name in names]

    def _verified(self) -> CurrentMetadata:
        root = self.read("1.root", Root)
        _verify(root.signed, "root", root)
        while (self._home.tuf_metadata / f"{root.signed.version + 1}.root.json").exists():
            newer = self.read(f"{root.signed.version + 1}.root", Root)
            _verify(root.signed, "root", newer)
            root = newer
        timestamp = self.read("timestamp", Timestamp)
        _verify(root.signed, "timestamp", timestamp)
        snapshot = self.read(f"{timestamp.signed.snapshot_meta.version}.snapshot", Snapshot)
        _verify(root.signed, "snapshot", snapshot)
        targets: dict[str, Metadata[Targets]] = {}
        for name in ("targets", *DELEGATED_PATHS):
            targets[name] = self._role(snapshot.signed, name, root.signed if not targets else targets["targets"].signed)
        patches = targets[bins.PATCHES_ROLE].signed
        if patches.delegations is not None:
            if set(patches.delegations.roles or ()) != set(bins.DIVIDED_ROLES):
                raise repository_files.newer_layout()
            targets |= {name: self._role(snapshot.signed, name, patches) for name in bins.DIVIDED_ROLES}
        return CurrentMetadata(root, timestamp, snapshot, targets)

    def newest_timestamp(self) -> NewestTimestamp:
        """Return the timestamp as it lies there, not verified. Raises as `read`."""
        data = self._bytes("timestamp")
        signed = _parsed("timestamp", data, Timestamp).signed
        expires, root = signed.expires.timestamp(), 1
        issued = float(signed.unrecognized_fields.get(TIMESTAMP_ISSUED_FIELD, expires))
        while (self._home.tuf_metadata / f"{root + 1}.root.json").exists():
            root += 1
        return NewestTimestamp(data, signed.version, issued, expires - issued, root, signed.snapshot_meta.version)

    def _role(self, snapshot: Snapshot, name: str, delegator: Root | Targets) -> Metadata[Targets]:
        meta = snapshot.meta.get(f"{name}.json")
        if meta is None:
            raise damaged("snapshot")
        role = self.read(f"{meta.version}.{name}", Targets)
        _verify(delegator, name, role)
        return role

    def first_root(self) -> bytes:
        """Return root version 1 as it lies there: its hash is the pin in tokens. Raises as `read`."""
        data = self._bytes("1.root")
        _parsed("1.root", data, Root)
        return data

    def read(self, name: str, kind: type[T]) -> Metadata[T]:
        """Return one file of metadata, not verified. Raises `UserError`: NOT_SET_UP, STORAGE."""
        return _parsed(name, self._bytes(name), kind)

    def _bytes(self, name: str) -> bytes:
        path = self._home.tuf_metadata / f"{name}.json"
        try:
            return path.read_bytes()
        except FileNotFoundError:
            if self._home.tuf_metadata.exists():
                raise damaged(name) from None
            raise repository_files.missing(self._home) from None
        except OSError as error:
            raise repository_files.unreadable(path, error) from error

    def read_target(self, name: str, target: TargetFile | None) -> bytes:
        """Return the content of a target that is listed as ``target``. Raises `UserError` (STORAGE), also for None."""
        if target is None:
            raise damaged(name)
        try:
            data = (self._home.tuf_targets / target.get_prefixed_paths()[0]).read_bytes()
            target.verify_length_and_hashes(data)
        except (OSError, RepositoryError) as error:
            raise damaged(name) from error
        return data


def _look(path: str) -> _Look | None:
    """Return what changes with a file's content; None: there is no such file."""
    try:
        stat = os.stat(path)  # noqa: PTH116 - the name is made of text
    except OSError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def parse(data: bytes) -> Metadata[Any] | None:
    """Return metadata, whoever has written it and of whatever role; None: it cannot be read."""
    try:
        return Metadata[Any].from_bytes(data)
    except (RepositoryError, ValueError, RecursionError):
        return None


def is_signed(delegator: Root | Targets, role: str, metadata: Metadata[Any]) -> bool:
    """Whether as many keys have signed it as ``delegator`` wants for the role, of those that it names."""
    try:
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError):
        return False
    return True


def _parsed(name: str, data: bytes, kind: type[T]) -> Metadata[T]:
    metadata = parse(data)
    if metadata is None or not isinstance(metadata.signed, kind):
        raise damaged(name)
    return metadata


def first_versions(keys: Keys) -> CurrentMetadata:
    """Return every role at version 0, one before its first signature."""
    root = Root(consistent_snapshot=True)
    for name in ("root", "targets", "snapshot", "timestamp"):
        root.add_key(public_key(keys[bins.key_of(name)]), name)
    public = {name: public_key(keys[name]) for name in DELEGATED_PATHS}
    delegations = Delegations(
        {key.keyid: key for key in public.values()},
        {
            name: DelegatedRole(name, [public[name].keyid], threshold=1, terminating=True, paths=paths)
            for name, paths in DELEGATED_PATHS.items()
        },
    )
    targets = {"targets": Metadata(Targets(delegations=delegations))}
    targets |= {name: Metadata(Targets()) for name in DELEGATED_PATHS}
    current = CurrentMetadata(Metadata(root), Metadata(Timestamp()), Metadata(Snapshot()), targets)
    roles: list[Signed] = [current.root.signed, current.timestamp.signed, current.snapshot.signed]
    for role in (*roles, *(metadata.signed for metadata in targets.values())):
        role.version = 0
    return current


def public_key(key: Ed25519PrivateKey) -> SSlibKey:
    """Return the public half as TUF writes it."""
    return SSlibKey.from_crypto(key.public_key())


def _verify(delegator: Root | Targets, role: str, metadata: Metadata[T]) -> None:
    if not is_signed(delegator, role, metadata):
        raise damaged(role)
