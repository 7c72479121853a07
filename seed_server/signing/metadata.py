"""The repository's metadata as it is on disk: read, verified, and its very first versions. Blocking."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

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
    Targets,
    Timestamp,
)

from p2pdist.shared.manifest.documents import TIMESTAMP_ISSUED_FIELD
from p2pdist.shared.manifest.template import TEMPLATES_PREFIX
from seed_server.settings import ServerHome
from seed_server.signing import repository_files
from seed_server.signing.repository_files import damaged
from seed_server.signing.role_policy import RENEW_AT_FRACTION, RoleExpiry

DELEGATED_PATHS = {
    "patches": ["patches/*", "torrents/*", f"{TEMPLATES_PREFIX}*"],
    "rollouts": ["rollouts/*"],
    "profiles": ["profiles/*"],
}
KEY_OF_ROLE = {"targets": "root"}  # every other role has a key of its own name

Keys = Mapping[str, Ed25519PrivateKey]
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
    """Metadata of ``targets`` and of every role that it delegates to, by role."""

    def expiries(self) -> list[RoleExpiry]:
        """Return when each role expires."""
        signed: dict[str, Signed] = {name: metadata.signed for name, metadata in self.targets.items()}
        signed |= {"root": self.root.signed, "snapshot": self.snapshot.signed, "timestamp": self.timestamp.signed}
        return [RoleExpiry(name, role.expires.timestamp()) for name, role in signed.items()]

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

    def load(self) -> CurrentMetadata:
        """Read and verify the whole state, so that we never sign on top of tampered metadata.

        Raises `UserError`: NOT_SET_UP, STORAGE.
        """
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
            meta = snapshot.signed.meta.get(f"{name}.json")
            if meta is None:
                raise damaged("snapshot")
            targets[name] = self.read(f"{meta.version}.{name}", Targets)
            _verify(root.signed if name == "targets" else targets["targets"].signed, name, targets[name])
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

    def read_target(self, role: Targets, name: str) -> bytes:
        """Return a target as ``role`` has signed it. Raises `UserError` (STORAGE)."""
        target = role.targets.get(name)
        if target is None:
            raise damaged(name)
        try:
            data = (self._home.tuf_targets / target.get_prefixed_paths()[0]).read_bytes()
            target.verify_length_and_hashes(data)
        except (OSError, RepositoryError) as error:
            raise damaged(name) from error
        return data


def _parsed(name: str, data: bytes, kind: type[T]) -> Metadata[T]:
    try:
        metadata = Metadata[T].from_bytes(data)
    except RepositoryError as error:
        raise damaged(name) from error
    if not isinstance(metadata.signed, kind):
        raise damaged(name)
    return metadata


def first_versions(keys: Keys) -> CurrentMetadata:
    """Return every role at version 0, one before its first signature."""
    root = Root(consistent_snapshot=True)
    for name in ("root", "targets", "snapshot", "timestamp"):
        root.add_key(public_key(keys[KEY_OF_ROLE.get(name, name)]), name)
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
    try:
        delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
    except (RepositoryError, ValueError) as error:
        raise damaged(role) from error
