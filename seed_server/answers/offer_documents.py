"""What is printed of what PCs are offered, made of what `seed_server.fleet` answers."""

from collections.abc import Iterable

from seed_server.answers.offers import ListedDocument, WayBackDocument, WithdrawDocument
from seed_server.fleet.operations import Withdrawn
from seed_server.fleet.taking_back import TakenBack
from seed_server.fleet.way_back import GoneBack
from seed_server.signing.offers import Offer


def way_back_document(back: GoneBack | None) -> WayBackDocument | None:
    """Return what ``--json`` prints of it; None: no PC goes back."""
    if back is None:
        return None
    return WayBackDocument(
        went_back=back.went_back, going_back=back.going_back, away=back.away, cannot=back.cannot
    )  # fmt: skip


def listed_document(offer: Offer, back: GoneBack | None, sites: Iterable[str]) -> ListedDocument:
    """Return what is printed of a patch; ``sites``: where it is withdrawn alone."""
    manifest, withdrawal = offer.manifest, offer.withdrawal
    return ListedDocument(
        id=manifest.patch_id,
        version=manifest.version,
        title=manifest.title,
        severity=manifest.severity,
        emergency=manifest.schedule.emergency,
        number=manifest.number,
        published_at=manifest.published_at,
        state=offer.state,
        reason=withdrawal.reason if withdrawal else None,
        withdrawn_at=withdrawal.at if withdrawal else None,
        for_good=offer.for_good,
        superseded_by=str(offer.superseded_by) if offer.superseded_by else None,
        back=way_back_document(back),
        withdrawn_sites=tuple(sites),
    )


def withdrawn_document(done: Withdrawn) -> WithdrawDocument:
    """Return what is printed of what is withdrawn everywhere."""
    return WithdrawDocument(
        patches=tuple(map(str, done.patches)),
        reason=done.reason,
        for_good=done.for_good,
        required_by=tuple(map(str, done.dependents)),
    )


def taken_back_document(taken: TakenBack, site: str | None) -> WithdrawDocument:
    """Return what is printed of what is withdrawn from some PCs; ``site``: where alone."""
    return WithdrawDocument(
        patches=tuple(map(str, taken.patches)),
        reason=taken.reason,
        for_good=False,
        required_by=(),
        rollout=taken.rollout,
        rings=taken.rings,
        site=site,
    )
