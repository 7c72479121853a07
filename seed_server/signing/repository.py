"""The TUF repository on disk: how its documents change; what they say is in `signed_repository`. Blocking.

Which key signs what, and in which order files are written, is in `repository_writer`; lifetimes are in `role_policy`.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tuf.api.metadata import TargetFile

from p2pdist.shared import durable_files
from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchId, PatchRef, PatchVersion, TorrentHash
from p2pdist.shared.log_anchor import ANCHOR_TARGET, LogAnchor, encode_anchor
from p2pdist.shared.manifest.complete import CompleteRollouts
from p2pdist.shared.manifest.denied import DENIED_TARGET, DeniedPcs, encode_denied
from p2pdist.shared.manifest.documents import (
    MAX_TARGETS_ROLE_BYTES,
    ROLLOUTS_TARGET,
    Manifest,
    Rollouts,
    encode_manifest,
    encode_rollouts,
    manifest_target,
    torrent_target,
)
from p2pdist.shared.manifest.publication_order import ORDER_TARGET, PublicationOrder, encode_order, parts_of
from p2pdist.shared.manifest.recalls import RECALLS_TARGET, Recalls, encode_recalls
from p2pdist.shared.manifest.staged import STAGED_TARGET, StagedRollouts
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing import adoption, bins, offers, publications, repository_files, staged
from seed_server.signing.commit_recorder import CommitRecorder
from seed_server.signing.listed_documents import Listed
from seed_server.signing.log_checkpoint import witnessed
from seed_server.signing.metadata import DELEGATED_PATHS, CurrentMetadata, Keys, first_versions
from seed_server.signing.proposals import Proposals
from seed_server.signing.repository_writer import RepositoryWriter
from seed_server.signing.role_policy import roles_due
from seed_server.signing.signed_repository import Known, SignedRepository
from seed_server.signing.staged import Refs
from seed_server.store.restored_mark import is_catching_up

LOCK_TIMEOUT_SECONDS = 10.0  # a write takes well under a second, also on a slow disk


class Repository(SignedRepository):
    """The one writer of ``tuf/``. Its methods may be called from any thread; writes of all processes take turns."""

    def __init__(
        self,
        home: ServerHome,
        settings: ServerSettings,
        *,
        lock_seconds: float = LOCK_TIMEOUT_SECONDS,
        max_role_bytes: int = MAX_TARGETS_ROLE_BYTES,
        recorder: CommitRecorder | None = None,
        known: Known = None,
    ) -> None:
        super().__init__(home, known)
        self._home = home
        self._server = settings.name
        self._writer = RepositoryWriter(
            home, settings, lock_seconds=lock_seconds, max_role_bytes=max_role_bytes, recorder=recorder
        )

    @classmethod
    def create(cls, home: ServerHome, settings: ServerSettings, keys: Keys, now: float) -> "Repository":
        """Write the first version of every role. ``keys`` holds those of `OFFLINE_KEYS` and `ONLINE_ROLES`.

        Raises `UserError` (STORAGE).
        """
        repository = cls(home, settings)
        current = first_versions(keys)
        writer = repository._writer
        with writer.writing():
            durable_files.make_directory(home.tuf_metadata)
            durable_files.make_directory(home.tuf_targets)
            empty = encode_rollouts(Rollouts(format=1, entries=[]))
            writer.add_target(current.targets["rollouts"].signed, ROLLOUTS_TARGET, empty)
            writer.sign_root(current.root, keys, now)
            writer.commit(current, current.targets, keys, now, root=current.root)
        return repository

    @classmethod
    def open(
        cls, home: ServerHome, settings: ServerSettings, recorder: CommitRecorder | None = None, *, known: Known = None
    ) -> "Repository":
        """Open the repository in ``home``; ``recorder`` hears of changes. Raises `UserError` (NOT_SET_UP, STORAGE)."""
        repository = cls(home, settings, recorder=recorder, known=known)
        repository._files.current()
        return repository

    def proposals(self) -> Proposals:
        """Return what proposes changes that are signed elsewhere; it writes under this repository's lock."""
        return Proposals(self._server, self._files, self._writer)

    def locked(self) -> contextlib.AbstractContextManager[None]:
        """Hold the write lock across several calls; re-entrant within a thread. Raises `UserError` (BUSY, STORAGE)."""
        return self._writer.locked()

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

        Where ``rollouts`` offer it to every PC, no older publication of its id may be installed from then on; else
        what is offered now still may (`publications`). Endpoints see all of it or nothing. Raises `UserError`: REFUSED
        for a key that the repository does not trust and for a number that is not the next, BUSY, STORAGE.
        """
        with self._writer.writing():
            current = self._files.load()
            listed = current.listed()
            manifests = self._documents.manifests(listed)
            by_rings = all(entry.ref != manifest.ref for entry in rollouts.entries)
            changes = self._publication(current, manifest, torrents, by_rings=by_rings)
            changed = self._change(current, changes, now)
            others = [other for other in manifests if other.ref != manifest.ref]
            offered = offers.joined(rollouts, self._documents.staged(current))
            stay = publications.still_signed([*others, manifest], offered, now)
            publications.take_out((current.targets[role].signed.targets for role in changed), stay)
            self._write_rollouts(current, rollouts)
            return self._writer.commit(current, (*changed, "rollouts"), {"patches": patches_key}, now)

    def publication(
        self, manifest: Manifest, torrents: Sequence[bytes], *, by_rings: bool = False
    ) -> dict[str, bytes | None]:
        """Return what a publication changes in the patches role: targets by path, None for those that go.

        ``by_rings``: what is offered now may still be installed. Raises `UserError` (REFUSED) for a number that is not
        the next.
        """
        current = self._files.load()
        manifests = self._documents.manifests(current.listed())
        changes = self._publication(current, manifest, torrents, by_rings=by_rings)
        offered = self._offered_refs(current) if by_rings else ()
        return dict.fromkeys(publications.unlisted_after(manifests, manifest, offered)) | changes

    def _publication(
        self, current: CurrentMetadata, manifest: Manifest, torrents: Sequence[bytes], *, by_rings: bool
    ) -> dict[str, bytes | None]:
        listed, lowest = current.listed(), manifest.number
        order = self._documents.order(listed)
        if by_rings:
            others, offered = self._documents.manifests(listed), self._offered_refs(current)
            lowest = publications.lowest_by_rings(order, manifest, others, offered)
        changes = self._new_order(listed, publications.order_after(order, manifest, lowest))
        changes |= publications.recall_changes(self._documents.recalls(listed), manifest.patch_id)
        changes[manifest_target(PatchId(manifest.patch_id), PatchVersion(manifest.version))] = encode_manifest(manifest)
        for payload, torrent in zip(manifest.payloads, torrents, strict=True):
            changes[torrent_target(TorrentHash(payload.torrent_hash))] = torrent
        return changes

    def _new_order(self, listed: Listed, order: PublicationOrder) -> dict[str, bytes | None]:
        """Return what ``order`` changes: the whole, which PCs of release 0.2.0 read, and the parts that differ."""
        documents = {ORDER_TARGET: order, **parts_of(order)}
        encoded = {name: encode_order(document) for name, document in documents.items()}
        return {
            name: data
            for name, data in encoded.items()
            if not bins.same_content(listed.get(name), TargetFile.from_data(name, data, ["sha256"]))
        }

    def _change(self, current: CurrentMetadata, changes: Mapping[str, bytes | None], now: float) -> set[str]:
        """Write what changes of what the `patches` keys sign; return the roles that they must sign."""
        changed = bins.change(current.targets, changes, self._files.read_target)
        for name, data in changes.items():
            if data is not None:
                self._writer.write_target(name, data)
        return changed | current.half_spent(now)

    def withdraw_patch(
        self,
        named: PatchRef,
        reason: str,
        *,
        patches_key: Ed25519PrivateKey | None,
        now: float,
        halted: Refs = (),
        recalls: Recalls | None = None,
    ) -> tuple[PatchRef, ...]:
        """Offer ``named`` (no version: whichever is offered) to nobody any more; return what was offered until now.

        ``halted`` was stopped before and could go on; PCs are told ``reason`` instead. With ``patches_key``, no
        publication of it so far may be installed from then on, whatever the online keys sign; ``recalls`` says what
        goes back. Raises `UserError`:
        BAD_INPUT for what is neither offered nor allowed, else as `publish_patch`.
        """
        with self._writer.writing():
            current = self._files.load()
            before, by_rings = self._documents.rollouts(current), self._documents.staged(current)
            after = self.rollouts_without(named, reason, for_good=patches_key is not None, now=now, halted=halted)
            left = staged.without_staged(by_rings, named, reason, now, halted)
            self._write_rollouts(current, after, None if left is by_rings else left)
            if patches_key is None:
                self._writer.commit(current, ("rollouts",), {}, now)
            else:
                more = {} if recalls is None else {RECALLS_TARGET: encode_recalls(recalls)}
                changed = self._change(current, {**self.withdrawal(named), **more}, now)
                self._writer.commit(current, ("rollouts", *changed), {"patches": patches_key}, now)
            return tuple(dict.fromkeys((*staged.left_out(before, after), *staged.left_out(by_rings, left), *halted)))

    def offer_patch(self, named: PatchRef, *, now: float) -> tuple[PatchRef, ...]:
        """Offer again what was withdrawn by the online key; return it.

        Raises `UserError`: BAD_INPUT for what is not withdrawn, REFUSED for what the offline key does not allow, BUSY,
        STORAGE.
        """
        with self._writer.writing():
            current = self._files.load()
            before = self.current_rollouts()
            by_rings = self._documents.staged(current)
            after = offers.offered_again(before, named, self.publication_order(), self.manifests(), by_rings)
            left = staged.without_stopped(by_rings, staged.left_out(after, before))
            self._write_rollouts(current, after, None if left is by_rings else left)
            self._writer.commit(current, ("rollouts",), {}, now)
            return staged.left_out(after, before)

    def stage(
        self,
        staged_rollouts: StagedRollouts,
        *,
        now: float,
        rollouts: Rollouts | None = None,
        complete: Mapping[str, CompleteRollouts] | None = None,
        denied: DeniedPcs | None = None,
    ) -> int:
        """Announce what is offered by rings and, where given, what every PC is offered, at once.

        ``complete``: all parts of the complete rollouts, where they change; so ``denied``. The online key signs it.
        Return the new timestamp version. Raises `UserError`: REFUSED for what PCs would not take, and where a newer
        release wrote what is in force; BUSY, STORAGE.
        """
        with self._writer.writing():
            current = self._files.load()
            self._documents.staged(current)  # a newer release's fields are never signed away
            if rollouts is not None:
                self._documents.rollouts(current)
            if complete is not None:
                self._write_complete(current, complete)
            if denied is not None:
                self._documents.denied(current)
                self._writer.add_target(current.targets["rollouts"].signed, DENIED_TARGET, encode_denied(denied))
            self._write_rollouts(current, rollouts, staged_rollouts)
            return self._writer.commit(current, ("rollouts",), {}, now)

    def _write_complete(self, current: CurrentMetadata, complete: Mapping[str, CompleteRollouts]) -> None:
        """Write the parts that differ, and list no others. The caller commits."""
        role, known = current.targets["rollouts"].signed, self._documents.complete(current)
        for target in known.keys() - complete.keys():
            del role.targets[target]
        for target, part in complete.items():
            if part != known.get(target):
                self._writer.add_target(role, target, staged.checked_complete(part))

    def _write_rollouts(
        self, current: CurrentMetadata, rollouts: Rollouts | None, by_rings: StagedRollouts | None = None
    ) -> None:
        """Write the documents that are given, and list them; with them goes the audit log's newest checkpoint.

        The caller commits.
        """
        role, known = current.targets["rollouts"].signed, self._documents.staged(current)
        wanted = witnessed(by_rings or known, known.checkpoint, self._home, self._documents.log_anchor(current))
        encoded = None if wanted == known and by_rings is None else staged.checked(wanted)
        if rollouts is not None:
            self._writer.add_target(role, ROLLOUTS_TARGET, encode_rollouts(rollouts))
        if encoded is not None:
            self._writer.add_target(role, STAGED_TARGET, encoded)

    def offers(self) -> list[offers.Offer]:
        """Return what is listed, and what PCs are told of each. Raises `UserError` (STORAGE)."""
        return offers.offers(self.offered(), self.publication_order(), self.manifests())

    def withdrawal(self, named: PatchRef) -> dict[str, bytes | None]:
        """Return what a withdrawal for good changes in the patches role; as `publication`."""
        return self._new_order(self._files.current().listed(), self._order_without(named))

    def _order_without(self, named: PatchRef) -> PublicationOrder:
        up_to = self._number(named) if named.version else None
        stay = [] if up_to is None else self._offered_beside(named)
        return self.publication_order().without(named.patch_id, up_to=up_to, stay=stay)

    def _offered_beside(self, ref: PatchRef) -> list[int]:
        """Return the numbers of what is offered of the same id: to the PCs of rings that are not open."""
        numbers = []
        for entry in self.offered().entries:
            if entry.patch_id == ref.patch_id and entry.ref != ref:
                with contextlib.suppress(UserError):  # it is damaged, and no PC installs it
                    numbers.append(self._number(entry.ref))
        return numbers

    def _number(self, ref: PatchRef) -> int:
        """Return the number of a publication; 0: it is not listed. A damaged manifest of another one is no matter."""
        name = manifest_target(PatchId(ref.patch_id), PatchVersion(ref.version))
        entry = self._files.current().listed().get(name)
        return 0 if entry is None else self._documents.manifest(name, entry).number

    def rollouts_without(
        self, named: PatchRef, reason: str, *, for_good: bool, now: float, halted: Refs = ()
    ) -> Rollouts:
        """Return the rollouts without ``named``. Raises `UserError` (BAD_INPUT) where nothing would change."""
        rollouts = self.current_rollouts()
        after = offers.without_entries(rollouts, named, reason, now)
        by_rings = self.current_staged()
        if (
            not halted
            and after.entries == rollouts.entries
            and staged.without_staged(by_rings, named, reason, now) is by_rings
            and not (for_good and self._order_without(named) != self.publication_order())
        ):
            raise offers.not_offered(named, self.offers())
        return after

    def change_document(self, role: str, target: str, data: bytes | None, *, key: Ed25519PrivateKey, now: float) -> int:
        """Sign one document of ``role``, or its removal (None), as `change_documents`."""
        return self.change_documents(role, {target: data}, key=key, now=now)

    def change_documents(
        self, role: str, documents: Mapping[str, bytes | None], *, key: Ed25519PrivateKey, now: float
    ) -> int:
        """Sign documents of ``role``, or their removal (None), at once; return the new timestamp version.

        Raises as `publish_patch`; REFUSED also where `renew_offline_roles` must come first.
        """
        with self._writer.writing():
            current = self._files.load()
            for target, data in documents.items():
                if data is not None and not current.delegated(role).is_delegated_path(target):
                    raise repository_files.outdated(target.partition("/")[0])
            if role == bins.PATCHES_ROLE:
                return self._writer.commit(current, self._change(current, documents, now), {role: key}, now)
            targets = current.targets[role].signed
            for target, data in documents.items():
                self._writer.list_target(targets, target, data)
            return self._writer.commit(current, (role,), {role: key}, now)

    def anchor_log(self, anchor: LogAnchor, *, key: Ed25519PrivateKey, now: float) -> int:
        """Sign by which key PCs know the audit log, and tell them its newest checkpoint; as `change_document`."""
        with self._writer.writing():
            current = self._files.load()
            changed = self._change(current, {ANCHOR_TARGET: encode_anchor(anchor)}, now)
            self._write_rollouts(current, None)
            return self._writer.commit(current, (*changed, "rollouts"), {"patches": key}, now)

    def refresh_timestamp(self, now: float, *, force: bool = False) -> bool:
        """Sign anew every online role that is past half of its life; return whether anything was written.

        For `serve`: at its start and every few minutes. With ``force`` there is a new timestamp in any case, which
        makes `serve` and endpoints look for changes. Raises `UserError`.
        """
        held = {"rollouts"} if is_catching_up(self._home) else set()  # an older content with a newer version
        if not force and not roles_due(self._files.current().expiries(), self._writer.online, now) - held:
            return False
        with self._writer.writing():
            current = self._files.load()  # a publish may have done it while we waited for the lock
            due = roles_due(current.expiries(), self._writer.online, now) - held
            if due or force:
                self._writer.commit(current, due & set(current.targets), {}, now, snapshot="snapshot" in due)
        return bool(due) or force

    def adopt_presented(self, now: float, before: Callable[[], None] = lambda: None) -> adoption.Adopted | None:
        """Take over what PCs have handed in, as `adoption.adopt`. Raises `NotAdoptableError`, `UserError`."""
        with self._writer.writing():
            return adoption.adopt(self._writer, self._files.load(), self._home, now, before)

    def remove_leftovers(self) -> int:
        """Remove what killed writers left in ``tuf/``; return how many files. Raises `UserError` (BUSY, STORAGE)."""
        with self._writer.writing():
            return repository_files.remove_leftovers(self._home)

    def renew_offline_roles(self, keys: Keys, now: float, *, young_too: bool = False) -> None:
        """Sign root, targets, patches and profiles anew, content unchanged, for the target paths of this version.

        Of the roles among which `patches` is divided, those that are past half of their life; all with ``young_too``.
        ``keys`` holds `OFFLINE_KEYS`. Raises `UserError`: REFUSED for a key that is not trusted, BUSY, STORAGE.
        """
        with self._writer.writing():
            current = self._files.load()
            for role, paths in DELEGATED_PATHS.items():
                current.delegated(role).paths = list(paths)
            # the rollouts too: after a restore, PCs have seen newer ones
            changed = self._change(current, {}, now) | {"targets", "patches", "profiles", "rollouts"}
            if young_too:
                changed |= bins.PATCHES_FAMILY
            self._writer.sign_root(current.root, keys, now)
            self._writer.commit(current, changed, keys, now, root=current.root)
