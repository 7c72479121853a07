"""The whole of a publication: check, copy, hash, sign, announce. Blocking; run by the command line.

The order makes a crash harmless: first the payload and its piece hashes, then
the database row that lets the origin serve it, at last the signed repository
that tells endpoints of it. What the repository does not list is not published,
and the next publication clears it away.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pdist import merkle
from p2pdist.errors import ExitCode, UserError
from p2pdist.identifiers import parse_sha256
from p2pdist.manifest import Manifest, Payload, Severity
from seed_server.core.publish_plan import (
    PatchDescription,
    check_new_content,
    check_new_name,
    choose_piece_length,
    describe_patch,
    with_patch,
)
from seed_server.edges.content_store import ContentStore, IncomingFile, open_source
from seed_server.edges.database import Database, PatchRow
from seed_server.edges.file_lock import FileLock
from seed_server.edges.key_files import load_offline_key
from seed_server.edges.repository import Repository
from seed_server.edges.torrent_builder import TorrentBuilt, build_torrent
from seed_server.settings import ServerHome, load_settings

Stage: TypeAlias = Literal["copying", "hashing"]
OnStage: TypeAlias = Callable[[Stage, int, int], None]
"""Called with the stage, bytes done and bytes in total."""

log = structlog.get_logger()


@dataclass(frozen=True)
class Publication:
    """What the operator asks for."""

    file: Path
    patch_id: str
    version: str
    title: str = ""
    severity: Severity = "medium"
    cvss: float | None = None


@dataclass(frozen=True)
class Published:
    """The outcome of `publish`."""

    patch: PatchRow
    repaired: bool
    """The patch had been published before; what this server needs to serve it was damaged, and is restored."""


def publish(
    home: ServerHome,
    publication: Publication,
    *,
    offline_keys: Path | None = None,
    passphrase: bytes | None = None,
    on_progress: OnStage = lambda *_: None,
    clock: Callable[[], float] = time.time,
) -> Published:
    """Publish a file; endpoints get it from the moment this returns.

    ``offline_keys`` is the folder with the patches key when it is not in
    ``home``; ``clock`` gives seconds since 1970. Publishing the same file under
    the same name again repairs a payload that the server found damaged. Raises
    `UserError`; then nothing is announced.
    """
    settings = load_settings(home)
    description = describe_patch(
        patch_id=publication.patch_id,
        version=publication.version,
        title=publication.title,
        severity=publication.severity,
        cvss=publication.cvss,
        file_name=publication.file.name,
    )
    with open_source(publication.file) as file:  # cheap refusals come before a long copy
        choose_piece_length(file.seek(0, 2))
    with _publish_lock(home).held(), Database.open(home.database) as database:
        work = _Work(Repository.open(home, settings), ContentStore(home.content), database, on_progress, clock)
        work.clear_leftovers()
        broken = work.broken_patch(description)
        if broken:
            return Published(work.repair(publication.file, broken), repaired=True)
        check_new_name(description, work.repository.manifests(), work.repository.current_rollouts())
        key = load_offline_key(offline_keys or home.offline_keys, "patches", passphrase)
        work.repository.check_patches_key(key)
        return Published(work.publish(publication.file, description, key), repaired=False)


@dataclass(frozen=True)
class _Work:
    repository: Repository
    content: ContentStore
    database: Database
    on_progress: OnStage
    clock: Callable[[], float]

    def clear_leftovers(self) -> None:
        """Remove what a killed publication left: copies, and rows that the repository does not list."""
        manifests = self.repository.manifests()
        for row in self.database.patches():
            self.undo_unless_announced(row, manifests)
        self.content.remove_leftovers({payload.sha256 for manifest in manifests for payload in manifest.payloads})

    def undo_unless_announced(self, row: PatchRow, manifests: Sequence[Manifest]) -> None:
        """Remove row and payload when the repository does not list the patch."""
        if any((manifest.patch_id, manifest.version) == (row.patch_id, row.version) for manifest in manifests):
            return
        self.database.remove_patch(row.patch_id, row.version)
        sha256 = parse_sha256(row.sha256)
        if all(payload.sha256 != sha256 for manifest in manifests for payload in manifest.payloads):
            self.content.discard(sha256)
        log.info("unfinished publication removed", patch=row.patch_id, version=row.version)

    def broken_patch(self, description: PatchDescription) -> Manifest | None:
        """Return the manifest of this very patch when it is published and the origin cannot serve it."""
        name = (description.patch_id, description.version)
        rows = [row for row in self.database.patches() if (row.patch_id, row.version) == name]
        for manifest in self.repository.manifests():
            if (manifest.patch_id, manifest.version) == name:
                whole = self.content.path(parse_sha256(manifest.payloads[0].sha256)).exists()
                return None if whole and rows and not rows[0].damaged else manifest
        return None

    def publish(self, source: Path, description: PatchDescription, key: Ed25519PrivateKey) -> PatchRow:
        """Publish a new patch."""
        with self._copied(source) as incoming:
            check_new_content(incoming.sha256, self.repository.manifests())
            built = self._build(incoming)
            with self.repository.locked():
                return self._announce(description, incoming, built, key)

    def repair(self, source: Path, manifest: Manifest) -> PatchRow:
        """Restore payload, piece hashes and row of a published patch; the repository says what they must be."""
        name, payload = f"{manifest.patch_id} {manifest.version}", manifest.payloads[0]
        with self._copied(source) as incoming:
            if incoming.sha256 != payload.sha256:
                raise UserError(
                    f"{name} is published with other content, and a published version never changes. "
                    "Give the original file to repair it, or choose another --version.",
                    ExitCode.BAD_INPUT,
                )
            built = self._build(incoming)
            if built.torrent_hash != payload.torrent_hash:
                raise UserError(
                    f"This release of seed-server makes another torrent of {name} than the published one. "
                    "Restore the content folder from a backup, or repair it with the release that published it.",
                    ExitCode.FAILED,
                )
            sequences = {(e.patch_id, e.version): e.sequence for e in self.repository.current_rollouts().entries}
            row = _row(manifest, built, sequences.get((manifest.patch_id, manifest.version), 0))
            self._keep(incoming, built, row)
            self.repository.refresh_timestamp(self.clock(), force=True)  # tells `serve` to look again
        log.info("damaged payload replaced", patch=row.patch_id, version=row.version)
        return row

    @contextlib.contextmanager
    def _copied(self, source: Path) -> Iterator[IncomingFile]:
        with self.content.incoming(source, lambda done, total: self.on_progress("copying", done, total)) as incoming:
            yield incoming

    def _build(self, incoming: IncomingFile) -> TorrentBuilt:
        piece_length = choose_piece_length(incoming.length_bytes)
        return build_torrent(incoming.path, piece_length, lambda done, total: self.on_progress("hashing", done, total))

    def _keep(self, incoming: IncomingFile, built: TorrentBuilt, row: PatchRow) -> None:
        self.content.keep(incoming)
        self.content.write_piece_hashes(incoming.sha256, built.piece_hashes)
        self.database.add_patch(row)

    def _announce(
        self, description: PatchDescription, incoming: IncomingFile, built: TorrentBuilt, key: Ed25519PrivateKey
    ) -> PatchRow:
        now = int(self.clock())
        rollouts = with_patch(self.repository.current_rollouts(), description.patch_id, description.version)
        manifest = _manifest(description, incoming, built, now)
        row = _row(manifest, built, rollouts.entries[-1].sequence)
        try:
            self._keep(incoming, built, row)
            self.repository.publish_patch(manifest, built.torrent, rollouts, patches_key=key, now=now)
        except BaseException:
            # also Ctrl-C; when this fails as well, the next publication clears up
            with contextlib.suppress(UserError):
                self.undo_unless_announced(row, self.repository.manifests())
            raise
        log.info("patch published", patch=row.patch_id, version=row.version, sha256=row.sha256)
        return row


def _manifest(description: PatchDescription, incoming: IncomingFile, built: TorrentBuilt, now: int) -> Manifest:
    payload = Payload(
        file_name=description.file_name,
        length_bytes=incoming.length_bytes,
        sha256=incoming.sha256,
        torrent_hash=built.torrent_hash,
    )
    return Manifest(
        format=1,
        patch_id=description.patch_id,
        version=description.version,
        title=description.title,
        severity=description.severity,
        cvss=description.cvss,
        published_at=now,
        payloads=[payload],
    )


def _row(manifest: Manifest, built: TorrentBuilt, sequence: int) -> PatchRow:
    payload = manifest.payloads[0]
    return PatchRow(
        patch_id=manifest.patch_id,
        version=manifest.version,
        title=manifest.title,
        severity=manifest.severity,
        cvss=manifest.cvss,
        file_name=payload.file_name,
        sha256=payload.sha256,
        length_bytes=payload.length_bytes,
        torrent_hash=payload.torrent_hash,
        piece_length_bytes=built.piece_length,
        piece_count=merkle.piece_count(payload.length_bytes, built.piece_length),
        sequence=sequence,
        published_at=manifest.published_at,
    )


def _publish_lock(home: ServerHome) -> FileLock:
    """One publication at a time: whatever is half-made is then known to be a leftover."""
    return FileLock(
        home.publish_lock,
        timeout_seconds=0.0,
        busy=f"Another 'seed-server publish' is at work in {home.root}. Wait for it to finish, then try again.",
    )
