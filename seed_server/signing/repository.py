"""The TUF repository on disk: which key signs what, and in which order files are written. Blocking.

What ``timestamp.json`` points to *is* the repository; it is written last. A
process that is killed midway leaves files that nothing points to, and the
next write replaces them. Lifetimes are in `role_policy`.
"""

import contextlib
import datetime as dt
import hashlib
from collections.abc import Collection, Iterator, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    Metadata,
    MetaFile,
    Root,
    TargetFile,
    Targets,
    Timestamp,
)

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared import durable_files
from p2pdist.shared.identifiers import PatchId, PatchVersion, TorrentHash
from p2pdist.shared.manifest.documents import (
    MAX_TARGETS_ROLE_BYTES,
    ROLLOUTS_TARGET,
    TIMESTAMP_ISSUED_FIELD,
    DecodeError,
    Manifest,
    Rollouts,
    decode_manifest,
    decode_rollouts,
    encode_manifest,
    encode_rollouts,
    manifest_target,
    torrent_target,
)
from p2pdist.shared.manifest.template import TEMPLATES_PREFIX
from seed_server.settings import ServerHome, ServerSettings
from seed_server.signing import repository_files
from seed_server.signing.key_files import key_path, load_signing_key
from seed_server.signing.metadata import (
    DELEGATED_PATHS,
    KEY_OF_ROLE,
    CurrentMetadata,
    Keys,
    MetadataReader,
    T,
    first_versions,
    public_key,
)
from seed_server.signing.repository_files import damaged, untrusted
from seed_server.signing.role_policy import ONLINE_ROLES, OnlineLifetimes, RoleExpiry, lifetimes_of_roles, roles_due
from seed_server.store.file_lock import FileLock

LOCK_TIMEOUT_SECONDS = 10.0  # a write takes well under a second, also on a slow disk


class Repository:
    """The one writer of ``tuf/``. Its methods may be called from any thread; writes of all processes take turns."""

    def __init__(
        self,
        home: ServerHome,
        settings: ServerSettings,
        *,
        lock_seconds: float = LOCK_TIMEOUT_SECONDS,
        max_role_bytes: int = MAX_TARGETS_ROLE_BYTES,
    ) -> None:
        self._home = home
        self._files = MetadataReader(home)
        self._max_role_bytes = max_role_bytes
        self._online = OnlineLifetimes(
            timestamp=settings.timestamp_lifetime_hours * 3_600,
            snapshot=settings.snapshot_lifetime_days * DAY_SECONDS,
            rollouts=settings.rollouts_lifetime_days * DAY_SECONDS,
        )
        self._lock = FileLock(
            home.repository_lock,
            timeout_seconds=lock_seconds,
            busy=f"Another process has been writing to the repository in {home.root} for over "
            f"{lock_seconds:.0f} s. Wait for it to finish, then try again.",
        )

    @classmethod
    def create(cls, home: ServerHome, settings: ServerSettings, keys: Keys, now: float) -> "Repository":
        """Write the first version of every role. ``keys`` holds those of `OFFLINE_KEYS` and `ONLINE_ROLES`.

        Raises `UserError` (STORAGE).
        """
        repository = cls(home, settings)
        current = first_versions(keys)
        with repository._writing():
            durable_files.make_directory(home.tuf_metadata)
            durable_files.make_directory(home.tuf_targets)
            empty = encode_rollouts(Rollouts(format=1, entries=[]))
            repository._add_target(current.targets["rollouts"].signed, ROLLOUTS_TARGET, empty)
            repository._sign_root(current.root, keys, now)
            repository._commit(current, current.targets, keys, now)
        return repository

    @classmethod
    def open(cls, home: ServerHome, settings: ServerSettings) -> "Repository":
        """Return the repository in ``home``. Raises `UserError` (NOT_SET_UP, STORAGE) when it is missing or damaged."""
        repository = cls(home, settings)
        repository._files.load()
        return repository

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Hold the write lock across several calls; re-entrant within a thread. Raises `UserError` (BUSY, STORAGE)."""
        return self._lock.held()

    # --- what endpoints see ----------------------------------------------------------

    def timestamp_version(self) -> int:
        """Return the version of the timestamp on the disk; cheap enough to be asked every second."""
        return self._files.read("timestamp", Timestamp).signed.version

    def trusted_root(self) -> str:
        """Return root version 1 as JSON text: where a new endpoint starts; it walks to later versions by itself."""
        return self._files.first_root().decode()

    def root_pin(self) -> bytes:
        """Return the SHA-256 of `trusted_root`, by which a new endpoint recognises it."""
        return hashlib.sha256(self._files.first_root()).digest()

    def current_rollouts(self) -> Rollouts:
        """Return what endpoints are told to have now. Raises `UserError` (STORAGE) when it is damaged."""
        try:
            return decode_rollouts(
                self._files.read_target(self._files.load().targets["rollouts"].signed, ROLLOUTS_TARGET)
            )
        except DecodeError as error:
            raise damaged(ROLLOUTS_TARGET) from error

    def manifests(self) -> list[Manifest]:
        """Return the manifest of every published patch. Raises `UserError` (STORAGE) when one is damaged."""
        patches = self._files.load().targets["patches"].signed
        names = [name for name in patches.targets if name.endswith(".manifest")]
        try:
            return [decode_manifest(self._files.read_target(patches, name)) for name in names]
        except DecodeError as error:
            raise damaged("a manifest") from error

    def expiries(self) -> list[RoleExpiry]:
        """Return when each role expires."""
        return self._files.load().expiries()

    def profiles(self) -> dict[str, bytes]:
        """Return the throttle profiles of sites, by target path."""
        role = self._files.load().targets["profiles"].signed
        return {name: self._files.read_target(role, name) for name in role.targets}

    def templates(self) -> dict[str, bytes]:
        """Return the diagnosis templates, by target path."""
        patches = self._files.load().targets["patches"].signed
        return {
            name: self._files.read_target(patches, name)
            for name in patches.targets
            if name.startswith(TEMPLATES_PREFIX)
        }

    # --- changes ---------------------------------------------------------------------

    def publish_patch(
        self,
        manifest: Manifest,
        torrents: Sequence[bytes],
        rollouts: Rollouts,
        *,
        patches_key: Ed25519PrivateKey,
        now: float,
    ) -> int:
        """Sign and announce a patch, with the torrent of each payload in order; return the new timestamp version.

        Endpoints see all of it or nothing. Raises `UserError`: REFUSED for a
        key that the repository does not trust, BUSY, STORAGE.
        """
        name = manifest_target(PatchId(manifest.patch_id), PatchVersion(manifest.version))
        with self._writing():
            current = self._files.load()
            patches = current.targets["patches"].signed
            self._add_target(patches, name, encode_manifest(manifest))
            for payload, torrent in zip(manifest.payloads, torrents, strict=True):
                self._add_target(patches, torrent_target(TorrentHash(payload.torrent_hash)), torrent)
            self._add_target(current.targets["rollouts"].signed, ROLLOUTS_TARGET, encode_rollouts(rollouts))
            keys = {**self._online_keys(), "patches": patches_key}
            return self._commit(current, ("patches", "rollouts"), keys, now)

    def check_patches_key(self, patches_key: Ed25519PrivateKey) -> None:
        """Raise `UserError` (REFUSED) when this is not the key that endpoints trust for patches."""
        if public_key(patches_key).keyid not in self._files.load().delegated("patches").keyids:
            raise untrusted("patches")

    def change_document(self, role: str, target: str, data: bytes | None, *, key: Ed25519PrivateKey, now: float) -> int:
        """Sign a document of ``role``, or its removal (None); return the new timestamp version.

        Raises as `publish_patch`; REFUSED also where `renew_offline_roles` must come first.
        """
        with self._writing():
            current = self._files.load()
            targets = current.targets[role].signed
            if data is None:
                targets.targets.pop(target, None)
            elif not current.delegated(role).is_delegated_path(target):
                raise repository_files.outdated(target.partition("/")[0])
            else:
                self._add_target(targets, target, data)
            return self._commit(current, (role,), {**self._online_keys(), role: key}, now)

    def refresh_timestamp(self, now: float, *, force: bool = False) -> bool:
        """Sign anew every online role that is past half of its life; return whether anything was written.

        For `serve`: at its start and every few minutes. With ``force`` there is a new timestamp in any case, which
        makes `serve` and endpoints look for changes. Raises `UserError`.
        """
        if not force and not roles_due(self._files.load().expiries(), self._online, now):
            return False
        with self._writing():
            current = self._files.load()  # a publish may have done it while we waited for the lock
            due = roles_due(current.expiries(), self._online, now)
            if due or force:
                self._commit(current, due & set(current.targets), self._online_keys(), now, snapshot="snapshot" in due)
        return bool(due) or force

    def renew_offline_roles(self, keys: Keys, now: float) -> None:
        """Sign root, targets, patches and profiles anew, content unchanged, for the target paths of this version.

        ``keys`` holds `OFFLINE_KEYS`. Raises `UserError`: REFUSED for a key that is not trusted, BUSY, STORAGE.
        """
        with self._writing():
            current = self._files.load()
            for role, paths in DELEGATED_PATHS.items():
                current.delegated(role).paths = list(paths)
            self._commit(current, ("targets", "patches", "profiles"), {**self._online_keys(), **keys}, now)
            self._sign_root(current.root, keys, now)

    def _online_keys(self) -> dict[str, Ed25519PrivateKey]:
        return {role: load_signing_key(key_path(self._home.online_keys, role), None) for role in ONLINE_ROLES}

    # --- writing ---------------------------------------------------------------------

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with self.locked():
            try:
                yield
            except OSError as error:
                raise repository_files.unwritable(self._home, error) from error

    def _add_target(self, role: Targets, name: str, data: bytes) -> None:
        target = TargetFile.from_data(name, data, ["sha256"])
        path = self._home.tuf_targets / target.get_prefixed_paths()[0]
        durable_files.make_directory(path.parent)
        durable_files.write_file(path, data)
        role.targets[name] = target

    def _commit(
        self, current: CurrentMetadata, changed: Collection[str], keys: Keys, now: float, *, snapshot: bool = False
    ) -> int:
        """Sign and write ``changed`` targets roles, then the snapshot (if asked for or needed), then the timestamp."""
        for name in changed:
            delegator = current.root.signed if name == "targets" else current.targets["targets"].signed
            data = self._sign_next(name, current.targets[name], delegator, keys, now)
            repository_files.check_size(name, len(data), self._max_role_bytes)
            version = current.targets[name].signed.version
            durable_files.write_file(self._home.tuf_metadata / f"{version}.{name}.json", data)
            current.snapshot.signed.meta[f"{name}.json"] = MetaFile.from_data(version, data, ["sha256"])
        if changed or snapshot:
            data = self._sign_next("snapshot", current.snapshot, current.root.signed, keys, now)
            version = current.snapshot.signed.version
            durable_files.write_file(self._home.tuf_metadata / f"{version}.snapshot.json", data)
            current.timestamp.signed.snapshot_meta = MetaFile.from_data(version, data, ["sha256"])
        current.timestamp.signed.unrecognized_fields[TIMESTAMP_ISSUED_FIELD] = int(now)
        data = self._sign_next("timestamp", current.timestamp, current.root.signed, keys, now)
        durable_files.write_file(self._home.tuf_metadata / "timestamp.json", data)
        with contextlib.suppress(OSError):  # what matters is written; the next commit prunes again
            newest = {name: metadata.signed.version for name, metadata in current.targets.items()}
            rollouts = current.targets["rollouts"].signed.targets[ROLLOUTS_TARGET].get_prefixed_paths()[0]
            repository_files.prune(self._home, newest | {"snapshot": current.snapshot.signed.version}, rollouts)
        return current.timestamp.signed.version

    def _sign_root(self, root: Metadata[Root], keys: Keys, now: float) -> None:
        data = self._sign_next("root", root, root.signed, keys, now)
        durable_files.write_file(self._home.tuf_metadata / f"{root.signed.version}.root.json", data)

    def _sign_next(self, role: str, metadata: Metadata[T], delegator: Root | Targets, keys: Keys, now: float) -> bytes:
        """Make ``metadata`` the role's next version and return its bytes. Raises `UserError` (REFUSED)."""
        metadata.signed.version += 1
        metadata.signed.expires = _moment(now + lifetimes_of_roles(self._online)[role])
        metadata.sign(CryptoSigner(keys[KEY_OF_ROLE.get(role, role)]))
        try:
            delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)
        except RepositoryError as error:
            raise untrusted(KEY_OF_ROLE.get(role, role)) from error
        return metadata.to_bytes()


def _moment(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(int(seconds), dt.UTC)
