"""PCs go back from a publication that they have installed: all, those of a site, or from a ring on. Blocking.

It needs the offline key: a thief of the server must not take security fixes away. What goes back is offered to these
PCs no more, and none of them installs it again.
"""

from dataclasses import dataclass

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef, SiteName
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.recalls import (
    NOTHING_RECALLED,
    RECALLS_TARGET,
    Recall,
    decode_recalls,
    encode_recalls,
    with_recall,
)
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation
from seed_server.fleet.rollout_announcing import announce_from, kept_rollouts
from seed_server.fleet.rollout_counting import known_pcs
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.fleet.rollout_operations import abort_withdrawn
from seed_server.fleet.rollout_queries import halted_refs
from seed_server.fleet.taking_back import (
    AlreadyWithdrawnError,
    TakenBack,
    at_site,
    place_of_ring,
    withdraw_from_ring,
    withdraw_from_site,
)
from seed_server.fleet.way_back import pcs_reached
from seed_server.signing.bundle import Bundle
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.offers import checked_reason, not_offered, parse_named
from seed_server.signing.profiles import checked_site
from seed_server.signing.repository import Repository
from seed_server.store.rollout_records import packed

log = lazy_log()


@dataclass(frozen=True)
class GoingBack:
    """What goes back, where, and what is to be signed for it."""

    manifest: Manifest
    recall: Recall
    documents: dict[str, bytes | None]
    """What changes in the `patches` role."""
    for_good: bool
    """Whether it is withdrawn from all PCs by the same change."""
    rings: tuple[str, ...] = ()
    """The rings whose PCs go back; none: it is no matter in which a PC is."""


def going_back(
    context: Context, patch: str, reason: str, *, site: str | None = None, ring: str | None = None
) -> GoingBack:
    """Return what it means that PCs go back from ``patch`` (ID or ID@VERSION): all of them, or where it is said.

    Of several publications, the one that was offered last goes back. Raises `UserError` as `roll_back`.
    """
    named, why, now = parse_named(patch), checked_reason(reason), context.clock.now()
    repository = context.repository()
    manifest = _published_last(repository, named)
    plan, place = None, 0
    rings: tuple[str, ...] = ()
    who = "" if site is None else at_site(checked_site(site))
    if ring is not None:
        kept = _rollout_of(context, manifest)
        place = place_of_ring(kept, ring)
        plan, rings = kept.plan, tuple(one.name for one in kept.plan.rings[place:])
    recall = Recall(
        manifest.patch_id, manifest.number, who, why, int(now), since=manifest.number, plan=plan, ring=place
    )
    documents: dict[str, bytes | None] = {
        RECALLS_TARGET: encode_recalls(with_recall(repository.recalls(), recall))
    }  # fmt: skip
    for_good = site is None and ring is None and _is_allowed(repository, manifest)
    if for_good:
        documents |= repository.withdrawal(manifest.ref)
    return GoingBack(manifest, recall, documents, for_good, rings)


@operation("withdraw")
def roll_back(
    context: Context,
    actor: Actor,
    patch: str,
    reason: str,
    keys: OfflineKeys,
    *,
    site: str | None = None,
    ring: str | None = None,
) -> TakenBack:
    """Withdraw ``patch`` for good, and have PCs that installed it go back by its recipe's way.

    With ``site``, at that site alone; with ``ring``, the PCs of that ring of its last rollout, and of those after it.
    It may have been withdrawn before. Writes database and repository; a running server tells endpoints at once. Needs
    the patches key. Raises `UserError`: BAD_INPUT for a malformed name or reason, for what is not known here, and for
    a ring of what never went by rings; REFUSED (key); NOT_SET_UP, STORAGE, BUSY.
    """
    key = keys.load("patches")
    going = going_back(context, patch, reason, site=site, ring=ring)
    manifest, recall = going.manifest, going.recall
    context.repository().check_patches_key(key)
    closed = close_where_it_goes_back(context, actor, recall)
    deed = Deed(
        "withdraw",
        patch,
        reason=recall.reason,
        details={"roll back": str(manifest.ref), "site": site or "", "ring": ring or ""},
        after=recall,
    )
    repository = context.repository(context.recorded(actor, deed))
    recalls, now = with_recall(repository.recalls(), recall), context.clock.now()
    if going.for_good:
        halted = halted_refs(context, manifest.ref)
        abort_withdrawn(context, actor, manifest.ref, recall.reason)
        repository.withdraw_patch(
            manifest.ref, recall.reason, patches_key=key, now=now, halted=halted, recalls=recalls
        )  # fmt: skip
    else:
        repository.change_document("patches", RECALLS_TARGET, encode_recalls(recalls), key=key, now=now)
    log.info("patch goes back", patch=str(manifest.ref), site=site, ring=ring)
    return TakenBack((manifest.ref,), recall.reason, closed, going.rings)


def recalls_in(bundle: Bundle) -> list[Recall]:
    """Return the recalls that a bundle has signed for the first time."""
    before, after = (
        decode_recalls(documents[RECALLS_TARGET]) if RECALLS_TARGET in documents else NOTHING_RECALLED
        for documents in (bundle.before, bundle.documents)
    )
    return [one for one in after.recalls if one not in before.recalls]


@operation("withdraw")
def close_where_it_goes_back(context: Context, actor: Actor, recall: Recall) -> int | None:
    """Offer what is recalled to these PCs no more; return the rollout whose rings are closed for it.

    That they go back is no failure of a rollout that goes on elsewhere. Writes database and repository. Raises
    `UserError`: NOT_SET_UP, REFUSED, STORAGE, BUSY.
    """
    repository = context.repository(context.settling())
    refs = [one.ref for one in repository.manifests() if (one.patch_id, one.number) == (recall.patch_id, recall.number)]
    closed = None
    if not refs:
        return closed
    if recall.plan is not None:
        closed = _close_rings(context, actor, recall)
    elif recall.who and any(entry.ref in refs for entry in repository.offered().entries):
        with context.database() as database:
            sites = [name for name in database.site_names() if at_site(SiteName(name)) == recall.who]
        for site in sites:
            try:
                withdraw_from_site(context, actor, str(refs[0]), site, recall.reason)
            except AlreadyWithdrawnError:
                continue
    if recall.who or recall.plan is not None:
        _let_failures_pass(context, actor, refs[0], recall)
        announce_from(context, repository)
    return closed


def _close_rings(context: Context, actor: Actor, recall: Recall) -> int | None:
    with context.database() as database:
        live = [one for one in kept_rollouts(database, live=True) if one.live and one.plan == recall.plan]
    for kept in live:
        if recall.ring < len(kept.progress.opened_at):
            ring = kept.plan.rings[recall.ring].name
            withdraw_from_ring(context, actor, str(kept.plan.ref), ring, recall.reason)
            return kept.row.number
    return None


def _let_failures_pass(context: Context, actor: Actor, ref: PatchRef, recall: Recall) -> None:
    """Have what becomes of these PCs halt no rollout of the publication."""
    with context.database() as database:
        known = [one for one in kept_rollouts(database, live=True) if one.plan.ref == ref]
    for kept in known:
        deed = Deed("withdraw", str(ref), reason=recall.reason, details={"rollout": str(kept.row.number)})
        with context.audited(actor, deed) as database:
            going = pcs_reached(known_pcs(database), [recall])
            row = database.rollout(kept.row.number)
            if row is None:
                continue
            deed.details["failures do not count on"] = f"{len(going)} PCs"
            database.change_rollout(
                row.number,
                state=row.state,
                progress=row.progress,
                now=row.changed_at,
                acknowledged=packed({*row.acknowledged_pcs, *going}),
            )


def _published_last(repository: Repository, named: PatchRef) -> Manifest:
    found = [manifest for manifest in repository.manifests() if manifest.ref.is_named(named)]
    if not found:
        raise not_offered(named, repository.offers())
    offered = [manifest for manifest in found if _is_offered(repository, manifest.ref)]
    if len(offered) > 1:
        raise UserError(
            f"{' and '.join(str(one.ref) for one in offered)} are offered; name the one that is to go back.",
            FaultKind.BAD_INPUT,
        )
    return offered[0] if offered else max(found, key=lambda one: one.number)


def _is_offered(repository: Repository, ref: PatchRef) -> bool:
    return any(entry.ref == ref for entry in repository.offered().entries)


def _is_allowed(repository: Repository, manifest: Manifest) -> bool:
    """Whether something of it is left to be withdrawn for good."""
    refused = repository.publication_order().refusal(manifest.patch_id, manifest.number)
    return not refused or _is_offered(repository, manifest.ref)


def _rollout_of(context: Context, manifest: Manifest) -> KeptRollout:
    """Return the last rollout of a publication, whatever its state."""
    with context.database() as database:
        kept = [one for one in kept_rollouts(database) if one.plan.ref == manifest.ref]
    found = [one for one in kept if one.plan.number == manifest.number]
    if not found:
        raise UserError(
            f"{manifest.ref} never went by rings, so none of them goes back. Name a site, or bring all PCs back.",
            FaultKind.BAD_INPUT,
        )
    return found[-1]
