"""The one writer of ``tuf/``: signs, and writes in the order that keeps readers whole. Blocking.

What ``timestamp.json`` points to *is* the repository; it is written last. A
process that is killed midway leaves files that nothing points to.
"""

import contextlib
import datetime as dt
import hashlib
from collections.abc import Collection, Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, TargetFile, Targets

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared import durable_files
from p2pdist.shared.manifest.documents import TIMESTAMP_ISSUED_FIELD
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing import bins, repository_files
from seed_server.signing.commit_recorder import CommitRecorder
from seed_server.signing.key_files import key_path, load_signing_key
from seed_server.signing.metadata import CurrentMetadata, Keys, T, public_key
from seed_server.signing.repository_files import more_signatures, untrusted
from seed_server.signing.role_policy import ONLINE_ROLES, OnlineLifetimes, lifetimes_of_roles, next_version
from seed_server.store.file_lock import FileLock
from seed_server.store.restored_mark import check_caught_up


def online_lifetimes(settings: ServerSettings) -> OnlineLifetimes:
    """Return the lifetimes that the settings give the online roles."""
    return OnlineLifetimes(
        timestamp=settings.timestamp_lifetime_hours * 3_600,
        snapshot=settings.snapshot_lifetime_days * DAY_SECONDS,
        rollouts=settings.rollouts_lifetime_days * DAY_SECONDS,
    )


class RepositoryWriter:
    """Writes metadata and targets under the repository's lock; writes of all processes take turns."""

    def __init__(
        self,
        home: ServerHome,
        settings: ServerSettings,
        *,
        lock_seconds: float,
        max_role_bytes: int,
        recorder: CommitRecorder | None = None,
    ) -> None:
        self.home = home
        self._recorder = recorder
        self._max_role_bytes = max_role_bytes
        self.online = online_lifetimes(settings)
        self._lock = FileLock(
            home.repository_lock,
            timeout_seconds=lock_seconds,
            busy=f"Another process has been writing to the repository in {home.root} for over "
            f"{lock_seconds:.0f} s. Wait for it to finish, then try again.",
        )

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Hold the write lock; re-entrant within a thread. Raises `UserError` (BUSY, STORAGE)."""
        return self._lock.held()

    def _online_keys(self) -> dict[str, Ed25519PrivateKey]:
        return {role: load_signing_key(key_path(self.home.online_keys, role), None) for role in ONLINE_ROLES}

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lock while writing. Raises `UserError`: BUSY, STORAGE also for an `OSError` within."""
        with self.locked():
            try:
                yield
            except OSError as error:
                raise repository_files.unwritable(self.home, error) from error

    def check_size(self, role: str, size_bytes: int) -> None:
        """Raise `UserError` (REFUSED) for metadata that endpoints would not accept."""
        repository_files.check_size(role, size_bytes, self._max_role_bytes)

    def add_target(self, role: Targets, name: str, data: bytes) -> None:
        """Write a target and list it in ``role``."""
        role.targets[name] = self.write_target(name, data)

    def list_target(self, role: Targets, name: str, data: bytes | None) -> None:
        """Do the same; None: list it no more."""
        role.targets.pop(name, None)
        if data is not None:
            self.add_target(role, name, data)

    def write_target(self, name: str, data: bytes) -> TargetFile:
        """Write a target, and return its entry for the role that shall list it."""
        target = TargetFile.from_data(name, data, ["sha256"])
        path = self.home.tuf_targets / target.get_prefixed_paths()[0]
        durable_files.make_directory(path.parent)
        durable_files.write_file(path, data)
        return target

    def commit(
        self,
        current: CurrentMetadata,
        changed: Collection[str],
        keys: Keys,
        now: float,
        *,
        snapshot: bool = False,
        signed: Collection[str] = (),
        root: Metadata[Root] | None = None,
    ) -> int:
        """Sign the targets roles ``changed``, write them and those ``signed`` elsewhere, then what points to them.

        The snapshot is signed anew where that is needed, or asked for; the timestamp always. Returns its version.
        ``keys`` holds those of the offline roles in ``changed``; ``root`` is a new one, which is signed already.
        Raises `UserError`: BUSY for ``changed`` while the server learns from its PCs what it has lost.
        """
        if changed:
            check_caught_up(self.home)
        keys = {**self._online_keys(), **keys}
        for name in changed:
            delegator = current.root.signed if name == "targets" else current.targets[bins.delegator_of(name)].signed
            self._sign_next(name, current.targets[name], delegator, keys, now)
        roles = (*signed, *changed)
        encoded = {name: current.targets[name].to_bytes() for name in roles}
        for name, data in encoded.items():
            self.check_size(name, len(data))
        files: dict[str, bytes] = {} if root is None else {f"{root.signed.version}.root": root.to_bytes()}
        for name, data in encoded.items():
            version = current.targets[name].signed.version
            files[f"{version}.{name}"] = data
            # of dozens of roles the versions alone: every PC fetches this list with every publication
            meta = MetaFile(version) if name in bins.DIVIDED_ROLES else MetaFile.from_data(version, data, ["sha256"])
            current.snapshot.signed.meta[f"{name}.json"] = meta
        if roles or snapshot:
            data = self._sign_next("snapshot", current.snapshot, current.root.signed, keys, now)
            version = current.snapshot.signed.version
            files[f"{version}.snapshot"] = data
            current.timestamp.signed.snapshot_meta = MetaFile.from_data(version, data, ["sha256"])
        current.timestamp.signed.unrecognized_fields[TIMESTAMP_ISSUED_FIELD] = int(now)
        files["timestamp"] = self._sign_next("timestamp", current.timestamp, current.root.signed, keys, now)
        with self._recorded(files["timestamp"]):
            for name, data in files.items():  # what points to others comes after them
                durable_files.write_file(self.home.tuf_metadata / f"{name}.json", data)
        with contextlib.suppress(OSError):  # what matters is written; the next commit prunes again
            listed = current.targets["rollouts"].signed.targets.values()
            rollouts = [entry.get_prefixed_paths()[0] for entry in listed]
            repository_files.prune(self.home, (*current.targets, "snapshot"), rollouts)
        return current.timestamp.signed.version

    @contextlib.contextmanager
    def _recorded(self, timestamp: bytes) -> Iterator[None]:
        if self._recorder is None:
            yield
            return
        self._recorder.begins(self._in_force(), hashlib.sha256(timestamp).digest())
        try:
            yield
        finally:
            self._recorder.ends(self._in_force())

    def _in_force(self) -> bytes:
        return hashlib.sha256((self.home.tuf_metadata / "timestamp.json").read_bytes()).digest()

    def check_online_keys(self, current: CurrentMetadata) -> None:
        """Raise `UserError` (REFUSED) where the root wants other online keys than this server has."""
        for role in ("snapshot", "timestamp"):
            if public_key(self._online_keys()[role]).keyid not in current.root.signed.roles[role].keyids:
                raise untrusted(role)

    def sign_root(self, root: Metadata[Root], keys: Keys, now: float) -> None:
        """Make ``root`` its next version, signed; `commit` writes it."""
        self._sign_next("root", root, root.signed, keys, now)

    def _sign_next(self, role: str, metadata: Metadata[T], delegator: Root | Targets, keys: Keys, now: float) -> bytes:
        """Make ``metadata`` the role's next version and return its bytes. Raises `UserError` (REFUSED)."""
        make_next(role, metadata, now, self.online)
        key = keys[bins.key_of(role)]
        metadata.sign(CryptoSigner(key))
        try:
            delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except RepositoryError as error:
            wanted = delegator.get_delegated_role(role)
            if public_key(key).keyid in wanted.keyids:
                raise more_signatures(role, wanted.threshold) from error
            raise untrusted(bins.key_of(role)) from error
        return metadata.to_bytes()


def make_next(role: str, metadata: Metadata[T], now: float, online: OnlineLifetimes) -> None:
    """Make ``metadata`` the next version of ``role``, unsigned, with a whole life before it."""
    metadata.signed.version = next_version(role, metadata.signed.version, now)
    life = lifetimes_of_roles(online)["patches" if role in bins.DIVIDED_ROLES else role]
    metadata.signed.expires = dt.datetime.fromtimestamp(int(now + life), dt.UTC)
    metadata.signatures.clear()
