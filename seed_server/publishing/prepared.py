"""A patch whose signature comes from another machine: prepared here, finished when the signers have signed. Blocking.

Between the two its payload waits in the content store, is served to nobody, and stands in no other publication's way.
"""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from msgspec.structs import replace

from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import parse_sha256
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.documents import Manifest, Rollouts
from seed_server.deltas.prediction import Prediction
from seed_server.publishing.copying import Repacked
from seed_server.publishing.examination import Publication
from seed_server.publishing.predicting import predict_payloads, same_id
from seed_server.publishing.publish import (
    OnStage,
    PublishingWork,
    checked_publication,
    rows_of,
)
from seed_server.publishing.publish_lock import publish_lock
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import load_settings
from seed_server.signing.bundle import Bundle, encode_bundle
from seed_server.signing.commit_recorder import CommitRecorder
from seed_server.signing.offers import next_sequence, parse_named, with_entry, without_version
from seed_server.signing.prepared_bundles import PreparedBundles, manifests_in
from seed_server.signing.proposals import Preparation
from seed_server.signing.repository import Repository
from seed_server.store.opening import open_database
from seed_server.store.rows import ServedPayload

log = lazy_log()

Announced: TypeAlias = Callable[[Bundle], contextlib.AbstractContextManager[None]]
"""Surrounds the moment in which a bundle is kept, or is no more; under the publish lock."""

OnSmaller: TypeAlias = Callable[[Sequence[Repacked], Sequence[Prediction | None]], None]
"""Called with what became of files that should be unpacked, and of each file what it will take of each site's line."""


@dataclass(frozen=True)
class Finished:
    """The outcome of `finish`."""

    bundle: Bundle
    """The server's own copy of what is in force now."""
    payloads: list[ServedPayload]
    """Those of the patch that endpoints get now; none where it was no patch."""


def prepare(
    home: ServerHome,
    publication: Publication,
    *,
    actor: str,
    clock: Clock,
    announced: Announced,
    on_progress: OnStage = lambda *_: None,
    on_smaller: OnSmaller = lambda *_: None,
    by_rings: bool = False,
) -> Bundle:
    """Copy and hash the files of a patch, and keep the bundle that is to be signed. Nothing is offered.

    ``announced`` surrounds the moment in which the bundle is kept. ``by_rings``: nor is it offered when that is
    finished; it waits for a rollout. ``on_smaller`` is told what became of its files, and what they will take of
    lines. Raises `UserError` as `publish`; then nothing is kept.
    """
    settings = load_settings(home)
    examined = checked_publication(home, settings, publication, clock.now())
    recipe = examined.publication.recipe
    with publish_lock(home).held(), open_database(home, settings) as database:
        work = PublishingWork.open(home, settings, database, clock, on_progress)
        work.clear_leftovers()
        work.check_new(recipe)
        with work.new_files(examined) as (copies, torrents):
            manifest = work.manifest(recipe, copies, torrents)
            documents = work.repository.publication(manifest, [built.torrent for built in torrents], by_rings=by_rings)
            purpose = f"publish {recipe.patch_id} {recipe.version}{' for rings' if by_rings else ''}"
            preparation = Preparation(purpose, actor, clock.now())
            bundle = work.repository.proposals().propose_documents(preparation, "patches", documents)
            bundle = replace(bundle, by_rings=by_rings)
            encode_bundle(bundle)  # one that is too large is refused before anything is kept
            work.keep(copies, torrents)
            with announced(bundle):
                work.prepared.keep(bundle)
        before = same_id(work.repository.manifests(), recipe.ref)
    on_smaller(work.repacked, predict_payloads(home, manifest.payloads, before, clock))
    log.info("patch prepared", patch=recipe.patch_id, version=recipe.version, bundle=bundle.bundle_id)
    return bundle


def keep(home: ServerHome, bundle: Bundle, announced: Announced) -> None:
    """Keep a bundle that comes without a payload; ``announced`` as in `prepare`.

    Raises `UserError` (REFUSED, BUSY, STORAGE).
    """
    with publish_lock(home).held(), announced(bundle):
        PreparedBundles(home).keep(bundle)
    log.info("change prepared", purpose=bundle.purpose, bundle=bundle.bundle_id)


def kept(home: ServerHome, bundle_id: str) -> Bundle:
    """Return the server's own copy of a bundle that waits for signatures. Raises `UserError` (BAD_INPUT, STORAGE)."""
    return PreparedBundles(home).get(bundle_id)


def finish(
    home: ServerHome, given: Bundle, *, clock: Clock, offered: bool = True, recorder: CommitRecorder | None = None
) -> Finished:
    """Put in force what was prepared here and is signed in ``given``; of that, only the signatures are used.

    Not ``offered``: a patch in it waits for a rollout.

    ``recorder`` is told, as of `Repository.open`.

    Raises `UserError`: BAD_INPUT for a bundle that was not prepared here, REFUSED where signatures are missing or the
    repository has changed since, BUSY, STORAGE. Then nothing is announced, and the bundle can be finished later.
    """
    settings = load_settings(home)
    with publish_lock(home).held(), open_database(home, settings) as database:
        work = PublishingWork.open(home, settings, database, clock, lambda *_: None, recorder)
        work.clear_leftovers()
        own, proposals = work.prepared.get(given.bundle_id), work.repository.proposals()
        proposals.check(own, given.signatures, clock.now())
        with work.repository.locked():
            rollouts, rows = _announcement(work, own, offered=offered)
            try:
                if rows:
                    database.add_patch(*rows)
                proposals.finish(own, given.signatures, rollouts, clock.now())
            except BaseException:
                # also Ctrl-C; when this fails as well, the next publication clears up
                with contextlib.suppress(UserError):
                    work.undo_unless_announced(rows, work.repository.manifests())
                raise
        work.prepared.drop(own.bundle_id)
    log.info("signed elsewhere and finished", purpose=own.purpose, bundle=own.bundle_id)
    return Finished(own, rows)


def drop(home: ServerHome, bundle_id: str, announced: Announced, *, clock: Clock) -> Bundle:
    """Forget a bundle, and the payload that waited with it; return it. ``announced`` as in `prepare`.

    Raises `UserError`.
    """
    settings = load_settings(home)
    with publish_lock(home).held(), open_database(home, settings) as database:
        work = PublishingWork.open(home, settings, database, clock, lambda *_: None)
        bundle = work.prepared.get(bundle_id)
        with announced(bundle):
            work.prepared.drop(bundle_id)
        work.clear_leftovers()
    log.info("prepared bundle dropped", purpose=bundle.purpose, bundle=bundle_id)
    return bundle


def _announcement(work: PublishingWork, own: Bundle, *, offered: bool) -> tuple[Rollouts | None, list[ServedPayload]]:
    """Return what the rollouts become, where they change, and the rows of the patch that is published."""
    if own.withdraws:
        named, now = parse_named(own.withdraws), work.clock.now()
        return work.repository.rollouts_without(named, own.reason, for_good=True, now=now), []
    manifests = manifests_in(own)
    if not manifests:
        return None, []
    (manifest,) = manifests
    for payload in manifest.payloads:
        if not work.content.path(parse_sha256(payload.sha256)).exists():
            raise UserError(
                f"{payload.file_name} of {manifest.patch_id} {manifest.version} is no longer in the content folder; "
                "nothing was announced. Prepare it again.",
                FaultKind.STORAGE,
            )
    if not offered and not own.by_rings:
        _check_may_go_by_rings(work.repository, manifest)
    rollouts, staged = work.repository.current_rollouts(), work.repository.current_staged()
    rows = rows_of(manifest, next_sequence(rollouts, staged))
    if offered and not own.by_rings:
        return with_entry(rollouts, manifest.ref, staged), rows
    return without_version(rollouts, manifest.ref), rows


def _check_may_go_by_rings(repository: Repository, manifest: Manifest) -> None:
    """Refuse what was signed for every PC, where PCs of closed rings could not install any more what they are offered.

    Raises `UserError` (REFUSED).
    """
    offered, order = {entry.ref for entry in repository.offered().entries}, repository.publication_order()
    for other in repository.manifests():
        lasts = other.ref in offered and not order.refusal(other.patch_id, other.number)
        if lasts and other.patch_id == manifest.patch_id and other.ref != manifest.ref:
            raise UserError(
                f"This was prepared for every PC: after it, none may install {other.ref} any more, which is what "
                "PCs of closed rings are offered. Drop it, and prepare it for rings: seed-server publish --prepare "
                "FILE --template NAME",
                FaultKind.REFUSED,
            )
