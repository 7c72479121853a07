"""The whole of a publication: check, copy, hash, sign, announce. Blocking.

The order makes a crash harmless: first the payload and its piece hashes, then
the database row that lets the origin serve it, finally the signed repository
that tells endpoints of it. What the repository does not list is not published,
and the next publication clears it away.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from p2pdist.shared import merkle
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchId, PatchRef, parse_sha256
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.documents import Manifest, Payload
from seed_server.deltas.coded_cache import drop_base
from seed_server.deltas.prediction import Prediction
from seed_server.publishing.copying import FilesProgress, Repacked, copied_sources, planned_sources
from seed_server.publishing.examination import Examined, Publication, examine
from seed_server.publishing.plan import (
    check_same_content,
    choose_piece_length,
    numbered,
    problems_beside,
    same_bytes,
)
from seed_server.publishing.predicting import predict_payloads, same_id
from seed_server.publishing.publish_lock import publish_lock
from seed_server.publishing.recipe import PayloadFile, Recipe, manifest_of
from seed_server.publishing.room import check_room
from seed_server.publishing.torrent_builder import TorrentBuilt, build_torrent
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings, load_settings
from seed_server.signing.commit_recorder import CommitRecorder
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.offers import next_sequence, with_entry, without_version
from seed_server.signing.prepared_bundles import PreparedBundles
from seed_server.signing.repository import Repository
from seed_server.store.content_store import ContentStore, IncomingFile
from seed_server.store.opening import open_database
from seed_server.store.restored_mark import is_catching_up
from seed_server.store.rows import ServedPayload

if TYPE_CHECKING:
    from seed_server.store.database import Database

Stage: TypeAlias = Literal["copying", "hashing"]
OnStage: TypeAlias = Callable[[Stage, int, int], None]
"""Called with the stage, bytes done and bytes in total."""

log = lazy_log()


@dataclass(frozen=True)
class Published:
    """The outcome of `publish`."""

    payloads: list[ServedPayload]
    repaired: bool
    """The patch had been published before; what this server needs to serve it was damaged, and is restored."""
    examined: Examined
    """What is in its files, and what may surprise."""
    same_bytes: tuple[PatchRef, ...] = ()
    """What else has one of its files: PCs that hold that fetch nothing."""
    repacked: tuple[Repacked, ...] = ()
    """What became of files that should be published unpacked."""
    predicted: tuple[Prediction | None, ...] = ()
    """Of each payload, what is expected to cross each site's line; none where it is repaired."""

    @property
    def patch(self) -> ServedPayload:
        """The first payload's row."""
        return self.payloads[0]


def publish(
    home: ServerHome,
    publication: Publication,
    keys: OfflineKeys,
    *,
    clock: Clock,
    on_progress: OnStage = lambda *_: None,
    offered: bool = True,
    recorder: CommitRecorder | None = None,
) -> Published:
    """Publish a patch; endpoints get it from the moment this returns. ``recorder`` as of `Repository.open`.

    Not ``offered``: it is signed, and waits for a rollout.

    Publishing the same files under the same name again repairs a payload that
    the server found damaged. Raises `UserError`; then nothing is announced.
    """
    settings = load_settings(home)
    examined = checked_publication(home, settings, publication, clock.now())
    publication = examined.publication
    with publish_lock(home).held(), open_database(home, settings) as database:
        work = PublishingWork.open(home, settings, database, clock, on_progress, recorder)
        work.clear_leftovers()
        broken = None if publication.recipe.downgrade else work.broken_patch(publication.recipe)
        if broken:
            rows = work.repair(examined, broken)
            return Published(rows, repaired=True, examined=examined, repacked=tuple(work.repacked))
        work.check_new(publication.recipe)
        key = keys.load("patches")
        work.repository.check_patches_key(key)
        before = work.repository.manifests()
        rows = work.publish(examined, key, offered=offered)
        same = same_bytes({row.sha256 for row in rows}, before)
    return Published(
        rows,
        repaired=False,
        examined=examined,
        same_bytes=tuple(same),
        repacked=tuple(work.repacked),
        predicted=predict_payloads(home, rows, same_id(before, rows[0].ref), clock),
    )


def checked_publication(home: ServerHome, settings: ServerSettings, publication: Publication, now: float) -> Examined:
    """Return the publication with what its files say filled in: refusals come before a long copy.

    Raises `UserError`: BAD_INPUT with all that is wrong with it. Where nothing is but that it cannot follow what is
    published, it may still repair that: `PublishingWork.check_new` says so under the lock.
    """
    examined = examine(publication, now)
    if examined.errors:
        repository = Repository.open(home, settings)
        order = repository.publication_order()
        examined = examined.beside(repository.manifests(), repository.offered(), order)
    examined.require()
    return examined


@dataclass(frozen=True)
class PublishingWork:
    """The steps of a publication; the caller holds the publish lock."""

    home: ServerHome
    repository: Repository
    content: ContentStore
    prepared: PreparedBundles
    database: "Database"
    on_progress: OnStage
    clock: Clock
    repacked: list[Repacked] = field(default_factory=list)
    """What became of files that should be published unpacked."""

    @classmethod
    def open(
        cls,
        home: ServerHome,
        settings: ServerSettings,
        database: "Database",
        clock: Clock,
        on_progress: OnStage,
        recorder: CommitRecorder | None = None,
    ) -> Self:
        """Open the parts of ``home``. Raises `UserError`."""
        repository, content = Repository.open(home, settings, recorder), ContentStore(home.content)
        return cls(home, repository, content, PreparedBundles(home), database, on_progress, clock)

    def clear_leftovers(self) -> None:
        """Remove what the repository does not list: what a killed publication left, and superseded publications."""
        manifests = self.repository.manifests()
        self.undo_unless_announced(self.database.payloads(), manifests)
        waiting, sure = self.prepared.manifests()
        # else some may be of what is known by nobody now, or of what was published and is held
        if sure and not is_catching_up(self.home) and not self.database.is_held():
            self.content.remove_leftovers(_sha256s([*manifests, *waiting]))
        else:
            self.content.remove_temporary()
        self.prepared.remove_leftovers()

    def undo_unless_announced(self, rows: Sequence[ServedPayload], manifests: Sequence[Manifest]) -> None:
        """Remove the rows and payloads of patches that the repository does not list."""
        listed = {manifest.ref for manifest in manifests}
        gone = [row for row in rows if row.ref not in listed]
        waiting, sure = self.prepared.manifests() if gone else ([], True)
        kept, held = _sha256s([*manifests, *waiting]), bool(gone) and self.database.is_held()
        for row in gone:
            self.database.remove_patch(*row.ref)
            sha256 = parse_sha256(row.sha256)
            if sure and not held and sha256 not in kept:
                self.content.discard(sha256)
            log.info("payloads removed that the repository does not list", patch=row.patch_id, version=row.version)

    def check_new(self, recipe: Recipe) -> None:
        """Raise `UserError` (BAD_INPUT) where this patch cannot follow what is published."""
        rollouts, order = self.repository.offered(), self.repository.publication_order()
        problems = problems_beside(recipe, self.repository.manifests(), rollouts, order)
        if problems:
            raise UserError("\n".join(problem.text for problem in problems), FaultKind.BAD_INPUT)

    def broken_patch(self, recipe: Recipe) -> "_Broken | None":
        """Return the manifest of this very patch when it is published and the origin cannot serve all of it.

        Not of one that no PC may install any more, and that nothing has taken the place of: to publish it again is
        meant, file and all.
        """
        rows = {row.torrent_hash: row for row in self.database.payloads() if row.ref == recipe.ref}
        order = self.repository.publication_order()
        for manifest in self.repository.manifests():
            if manifest.ref == recipe.ref:
                newest = order.next_number(PatchId(manifest.patch_id)) == manifest.number + 1
                if newest and order.refusal(manifest.patch_id, manifest.number):
                    return None
                broken = {
                    payload.sha256
                    for payload in manifest.payloads
                    if payload.torrent_hash not in rows
                    or rows[payload.torrent_hash].damaged
                    or not self.content.path(parse_sha256(payload.sha256)).exists()
                }
                return _Broken(manifest, broken) if broken else None
        return None

    def publish(self, examined: Examined, key: Ed25519PrivateKey, *, offered: bool = True) -> list[ServedPayload]:
        """Publish a new patch."""
        with self.new_files(examined) as (copies, torrents), self.repository.locked():
            return self._announce(examined.publication.recipe, copies, torrents, key, offered=offered)

    @contextlib.contextmanager
    def new_files(self, examined: Examined) -> Iterator[tuple[list[IncomingFile], list[TorrentBuilt]]]:
        """Copy the files of a new patch and build their torrents; what is not kept is removed again."""
        recipe, published = examined.publication.recipe, self.repository.manifests()
        with self._copied(examined) as copies:
            seen: set[str] = set()
            for payload, incoming in zip(recipe.payload, copies, strict=True):
                if incoming.sha256 in seen:
                    raise UserError(
                        f"{payload.file} has the content of another payload of this patch. Name it once.",
                        FaultKind.BAD_INPUT,
                    )
                seen.add(incoming.sha256)
            check_same_content(seen, recipe.ref, published)
            yield copies, self._build(copies)

    def repair(self, examined: Examined, broken: "_Broken") -> list[ServedPayload]:
        """Restore payloads, piece hashes and rows of a published patch; the repository says what they must be."""
        manifest = broken.manifest
        payloads = {payload.sha256: payload for payload in manifest.payloads}
        with self._copied(examined) as copies:
            given = {incoming.sha256 for incoming in copies}
            if not given <= payloads.keys():
                raise UserError(
                    f"{manifest.patch_id} {manifest.version} is published with other content, and a published version "
                    "never changes. Give the original file to repair it, or choose another --version.",
                    FaultKind.BAD_INPUT,
                )
            if missing := [payloads[sha256].file_name for sha256 in broken.sha256s - given]:
                raise UserError(
                    f"{', '.join(sorted(missing))} of {manifest.patch_id} {manifest.version} is damaged here too. "
                    "Give all of its files, with the recipe that published it.",
                    FaultKind.BAD_INPUT,
                )
            torrents = self._build(copies)
            for incoming, built in zip(copies, torrents, strict=True):
                if built.torrent_hash != payloads[incoming.sha256].torrent_hash:
                    raise UserError(
                        f"This release of seed-server makes another torrent of {manifest.patch_id} {manifest.version} "
                        "than the published one. Restore the content folder from a backup, or repair it with the "
                        "release that published it.",
                        FaultKind.FAILED,
                    )
            sequences = {entry.ref: entry.sequence for entry in self.repository.offered().entries}
            rows = rows_of(manifest, sequences.get(manifest.ref, 0))
            self.keep(copies, torrents)
            for incoming in copies:
                drop_base(self.home.coded, incoming.sha256)
            self.database.add_patch(*rows)
            self.repository.refresh_timestamp(self.clock.now(), force=True)  # tells `serve` to look again
        log.info("damaged payload replaced", patch=manifest.patch_id, version=manifest.version)
        return rows

    @contextlib.contextmanager
    def _copied(self, examined: Examined) -> Iterator[list[IncomingFile]]:
        """Copy the files, and note in ``repacked`` what became of those that should be unpacked."""
        sources = planned_sources(examined)
        check_room(
            self.home, self.repository, self.database, sum(one.length_bytes for one in sources), self.clock.now()
        )
        with copied_sources(self.content, sources, partial(self.on_progress, "copying")) as copies:
            self.repacked[:] = [one.repacked for one in sources if one.repacked]
            yield copies

    def _build(self, copies: Sequence[IncomingFile]) -> list[TorrentBuilt]:
        total = sum(incoming.length_bytes for incoming in copies)
        progress = FilesProgress(total, partial(self.on_progress, "hashing"))
        torrents = []
        for incoming in copies:
            torrents.append(build_torrent(incoming.path, choose_piece_length(incoming.length_bytes), progress.of_file))
            progress.next_file(incoming.length_bytes)
        return torrents

    def keep(self, copies: Sequence[IncomingFile], torrents: Sequence[TorrentBuilt]) -> None:
        """Keep the copies, with the hashes of their pieces."""
        for incoming, built in zip(copies, torrents, strict=True):
            self.content.keep(incoming)
            self.content.write_piece_hashes(incoming.sha256, built.piece_hashes)
            self.database.mark_damaged(built.torrent_hash, "")  # of every patch that has these bytes
            self.database.forget_idle_content(incoming.sha256)

    def manifest(self, recipe: Recipe, copies: Sequence[IncomingFile], torrents: Sequence[TorrentBuilt]) -> Manifest:
        """Return the manifest of a new patch, with its place in the order."""
        payloads = list(map(_payload, recipe.payload, copies, torrents))
        manifest = manifest_of(recipe, payloads, int(self.clock.now()))
        return numbered(manifest, self.repository.publication_order(), self.repository.manifests())

    def _announce(
        self,
        recipe: Recipe,
        copies: Sequence[IncomingFile],
        torrents: Sequence[TorrentBuilt],
        key: Ed25519PrivateKey,
        *,
        offered: bool,
    ) -> list[ServedPayload]:
        manifest = self.manifest(recipe, copies, torrents)
        rollouts, staged = self.repository.current_rollouts(), self.repository.current_staged()
        rows = rows_of(manifest, next_sequence(rollouts, staged))
        rollouts = with_entry(rollouts, manifest.ref, staged) if offered else without_version(rollouts, manifest.ref)
        try:
            self.keep(copies, torrents)
            self.database.add_patch(*rows)
            torrent_files = [built.torrent for built in torrents]
            now = manifest.published_at
            self.repository.publish_patch(manifest, torrent_files, rollouts, patches_key=key, now=now)
        except BaseException:
            # also Ctrl-C; when this fails as well, the next publication clears up
            with contextlib.suppress(UserError):
                self.undo_unless_announced(rows, self.repository.manifests())
            raise
        log.info("patch published", patch=manifest.patch_id, version=manifest.version, payloads=len(rows))
        return rows


@dataclass(frozen=True)
class _Broken:
    manifest: Manifest
    sha256s: set[str]
    """Hashes of the payloads that cannot be served."""


def _sha256s(manifests: Iterable[Manifest]) -> set[str]:
    return {payload.sha256 for manifest in manifests for payload in manifest.payloads}


def _payload(file: PayloadFile, incoming: IncomingFile, built: TorrentBuilt) -> Payload:
    return Payload(
        file_name=file.file_name,
        length_bytes=incoming.length_bytes,
        sha256=incoming.sha256,
        torrent_hash=built.torrent_hash,
        platform=file.platform,
        arch=file.arch,
        language=file.language,
    )


def rows_of(manifest: Manifest, sequence: int) -> list[ServedPayload]:
    """Return what the database holds of a patch; ``sequence`` is its place in the rollouts."""
    return [
        ServedPayload(
            patch_id=manifest.patch_id,
            version=manifest.version,
            title=manifest.title,
            severity=manifest.severity,
            cvss=manifest.cvss,
            file_name=payload.file_name,
            sha256=payload.sha256,
            length_bytes=payload.length_bytes,
            torrent_hash=payload.torrent_hash,
            piece_length_bytes=choose_piece_length(payload.length_bytes),
            piece_count=merkle.piece_count(payload.length_bytes, choose_piece_length(payload.length_bytes)),
            sequence=sequence,
            published_at=manifest.published_at,
            number=number,
            platform=payload.platform,
            arch=payload.arch,
            language=payload.language,
            emergency=manifest.schedule.emergency,
        )
        for number, payload in enumerate(manifest.payloads)
    ]
