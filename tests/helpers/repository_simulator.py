"""A TUF repository in memory that *is* the trust store's HTTP client (the idea is python-tuf's RepositorySimulator).

Roles, keys and delegations are those of design.md. `publish` signs everything
that changed; tests then tamper with ``files`` (URL path → bytes) or with the
roles themselves.
"""

import copy
import hashlib
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from p2pdist.shared.identifiers import PatchId, PatchVersion, TorrentHash
from p2pdist.shared.manifest.documents import (
    ROLLOUTS_TARGET,
    TIMESTAMP_ISSUED_FIELD,
    Manifest,
    Payload,
    RolloutEntry,
    Rollouts,
    encode_manifest,
    encode_rollouts,
    manifest_target,
    torrent_target,
)
from p2pdist.shared.manifest.publication_order import NOTHING_PUBLISHED, ORDER_TARGET, encode_order
from p2pdist.shared.wire.trust_news import BATCH_FIELD, BATCH_PATH, MAX_NEWS_BYTES, TrustNews, encode_news
from p2pdist.trust.http_answers import HttpAnswer, HttpError, HttpFailure

NOW = 1_800_000_000.0
DAY = 86_400.0
PATHS = {
    "patches": ["patches/*", "torrents/*", "templates/*"], "rollouts": ["rollouts/*"], "profiles": ["profiles/*"],
    "spare": ["spare/*"],
}  # fmt: skip
"""The last one is a role of which no PC needs anything."""
BASE_URL = "https://127.0.0.1:8443"


class RepositorySimulator:
    """A signed repository. ``requests`` lists the URL paths asked for; ``down`` makes every request fail."""

    def __init__(self, *, lifetime_days: float = 10) -> None:
        self.expires = datetime.fromtimestamp(NOW, UTC) + timedelta(days=lifetime_days)
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.down = False
        self.failure: HttpFailure = "no_answer"
        """Why it cannot be had while it is down."""
        self.status_of: dict[str, int] = {}
        self.issued: float | None = None
        self.gives_batches = False
        self.batches: list[list[str]] = []
        """The targets that were asked for together."""
        self.tells_news = False
        """Whether it also answers with all its files at once, as the seed server does with those that have changed."""
        self.signers = {
            name: [CryptoSigner.generate_ed25519() for _ in range(2 if name == "root" else 1)]
            for name in ("root", "timestamp", "snapshot", *PATHS)
        }
        self.root = Metadata(Root(expires=self.expires, consistent_snapshot=True))
        for name in ("root", "timestamp", "snapshot"):
            for signer in self.signers[name]:
                self.root.signed.add_key(signer.public_key, name)
        for signer in self.signers["root"]:
            self.root.signed.add_key(signer.public_key, "targets")
        self.root.signed.roles["root"].threshold = 2
        self.root.signed.roles["targets"].threshold = 2
        self.timestamp = Metadata(Timestamp(expires=self.expires))
        self.snapshot = Metadata(Snapshot(expires=self.expires))
        self.targets = {name: Metadata(Targets(version=1, expires=self.expires)) for name in ("targets", *PATHS)}
        delegated = {name: DelegatedRole(name, [], 1, terminating=True, paths=paths) for name, paths in PATHS.items()}
        self.targets["targets"].signed.delegations = Delegations(keys={}, roles=delegated)
        for name in PATHS:
            self.targets["targets"].signed.add_key(self.signers[name][0].public_key, name)
        self.entries: list[RolloutEntry] = []
        self.order = NOTHING_PUBLISHED
        self.sign_root()
        for name in self.targets:
            self.sign_targets(name, bump=False)
        self.sign_snapshot(bump=False)
        self.sign_timestamp(bump=False)
        self.publish()

    # --- the HTTP client --------------------------------------------------------------

    async def get(self, url: str, *, max_bytes: int) -> HttpAnswer:
        """Answer as the web port would."""
        path = url.removeprefix(BASE_URL)
        if path.startswith("/tuf/news/") and not self.down:
            return (
                HttpAnswer(200, self.news_since(int(path.split("/")[3]))) if self.tells_news else HttpAnswer(404, b"")
            )
        if path.startswith(f"{BATCH_PATH}?") and not self.down:
            return self.batch(parse_qs(path.partition("?")[2])[BATCH_FIELD])
        self.requests.append(path)
        if self.down:
            raise HttpError(self.failure, "127.0.0.1:8443")
        if path in self.status_of:
            return HttpAnswer(self.status_of[path], b"")
        if path not in self.files:
            return HttpAnswer(404, b"")
        if len(self.files[path]) > max_bytes:
            raise HttpError("too_large", "127.0.0.1:8443")
        return HttpAnswer(200, self.files[path])

    def news_since(self, root: int) -> bytes:
        next_root = f"metadata/{root + 1}.root.json"
        files: dict[str, bytes | None] = {next_root: self.files.get(f"/tuf/{next_root}")}
        for path, data in self.files.items():
            if path not in self.status_of and "root.json" not in path:
                files[path.removeprefix("/tuf/")] = data
        return encode_news(TrustNews(files))

    def batch(self, places: list[str]) -> HttpAnswer:
        """Answer with several targets at once, where it does that."""
        if not self.gives_batches:
            return HttpAnswer(404, b"")
        self.batches.append(places)
        files: dict[str, bytes | None] = {}
        room = MAX_NEWS_BYTES
        for place in places:
            data = self.files.get(f"/tuf/targets/{place}", b"")
            room -= len(data)
            if room < 0:
                break
            files[f"targets/{place}"] = data
        return HttpAnswer(200, encode_news(TrustNews(files)))

    # --- the operator -----------------------------------------------------------------

    @property
    def first_root(self) -> bytes:
        """Return the root that endpoints are enrolled with."""
        return self.files["/tuf/metadata/1.root.json"]

    def add_patch(self, patch_id: str, version: str = "1", **changes: object) -> str:
        """Sign a patch into role `patches`, roll it out, and return its payload's hash; `publish` makes it visible."""
        digest = hashlib.sha256(f"{patch_id}@{version}".encode()).hexdigest()
        payload = Payload(file_name=f"{patch_id}.bin", length_bytes=10, sha256=digest, torrent_hash=digest)
        self.order = self.order.with_publication(PatchId(patch_id), lowest=self.order.next_number(PatchId(patch_id)))
        self.add_target("patches", ORDER_TARGET, encode_order(self.order))
        fields: dict[str, object] = {
            "format": 1, "patch_id": patch_id, "version": version, "title": "", "severity": "low", "cvss": None,
            "published_at": 0, "payloads": [payload], "number": self.order.patches[patch_id].newest,
        }  # fmt: skip
        manifest = Manifest(**(fields | changes))  # type: ignore[arg-type]
        self.add_target("patches", manifest_target(PatchId(patch_id), PatchVersion(version)), encode_manifest(manifest))
        self.add_target("patches", torrent_target(TorrentHash(digest)), f"torrent of {patch_id}".encode())
        self.entries.append(RolloutEntry(patch_id=patch_id, version=version, sequence=len(self.entries) + 1))
        return digest

    def add_target(self, role: str, path: str, data: bytes) -> None:
        """Put a target into a role's metadata, whatever the role's paths are."""
        self.targets[role].signed.targets[path] = TargetFile.from_data(path, data, ["sha256"])
        self.files[self.target_url(role, path)] = data

    def target_url(self, role: str, path: str) -> str:
        """Return the URL path of a target."""
        directory, _, name = path.rpartition("/")
        digest = self.targets[role].signed.targets[path].hashes["sha256"]
        return f"/tuf/targets/{directory}/{digest}.{name}"

    def publish(self) -> None:
        """Sign the rollouts, patches, snapshot and timestamp anew."""
        self.add_target("rollouts", ROLLOUTS_TARGET, encode_rollouts(Rollouts(format=1, entries=self.entries)))
        self.sign_targets("rollouts")
        self.sign_targets("patches")
        self.sign_snapshot()
        self.sign_timestamp()

    def sign_root(self) -> None:
        """Publish ``root`` under its present version."""
        self._sign(self.root, *self.signers["root"])
        self.files[f"/tuf/metadata/{self.root.signed.version}.root.json"] = self.root.to_bytes()

    def rotate(self, *names: str) -> None:
        """Publish a new root, signed by the old and the new root keys, with new keys for the named roles."""
        old_root = list(self.signers["root"])
        for name in names:
            for signer in self.signers[name]:
                self.root.signed.revoke_key(signer.public_key.keyid, name)
            self.signers[name] = [CryptoSigner.generate_ed25519() for _ in self.signers[name]]
            for signer in self.signers[name]:
                self.root.signed.add_key(signer.public_key, name)
        self.root.signed.version += 1
        self._sign(self.root, *self.signers["root"], *(s for s in old_root if s not in self.signers["root"]))
        self.files[f"/tuf/metadata/{self.root.signed.version}.root.json"] = self.root.to_bytes()

    def sign_targets(self, name: str, *, bump: bool = True) -> None:
        """Publish a targets role and note it in the snapshot, which is not signed yet."""
        role = self.targets[name]
        role.signed.version += bump
        self._sign(role, *self.signers["root" if name == "targets" else name])
        self.files[f"/tuf/metadata/{role.signed.version}.{name}.json"] = role.to_bytes()
        self.snapshot.signed.meta[f"{name}.json"] = MetaFile(role.signed.version)

    def sign_snapshot(self, *, bump: bool = True) -> None:
        """Publish the snapshot and note it in the timestamp, which is not signed yet."""
        self.snapshot.signed.version += bump
        self._sign(self.snapshot, *self.signers["snapshot"])
        self.files[f"/tuf/metadata/{self.snapshot.signed.version}.snapshot.json"] = self.snapshot.to_bytes()
        self.timestamp.signed.snapshot_meta = MetaFile(self.snapshot.signed.version)

    def sign_timestamp(self, *, bump: bool = True) -> None:
        """Publish the timestamp, which says when it was signed if ``issued`` is set."""
        self.timestamp.signed.version += bump
        if self.issued is not None:
            self.timestamp.signed.unrecognized_fields[TIMESTAMP_ISSUED_FIELD] = int(self.issued)
        self._sign(self.timestamp, *self.signers["timestamp"])
        self.files["/tuf/metadata/timestamp.json"] = self.timestamp.to_bytes()

    def backup(self) -> dict[str, bytes]:
        """Return all published files as they are now."""
        return copy.copy(self.files)

    @staticmethod
    def _sign(metadata: Metadata, *signers: CryptoSigner) -> None:
        metadata.signatures.clear()
        for signer in signers:
            metadata.sign(signer, append=True)
