"""What each payload in the content store is kept for, and which ones nobody can need any more. Pure.

Needed is what some PC may be sent, or what somebody may decide to send without giving the file again. All else is idle:
to install it again, somebody has to publish it, file and all.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Manifest
from p2pdist.shared.manifest.publication_order import PublicationOrder
from seed_server.signing.offers import Offer
from seed_server.store.rows import ServedPayload

ContentUse: TypeAlias = Literal[
    "offered", "rollout", "returns", "fetched", "prepared", "superseded", "withdrawn for good"
]
"""Offered: PCs may be sent it. Rollout: one of it is under way. Returns: no PC is offered it, and it may be offered
again, as the offline key says. Fetched: a PC has said lately that it fetches it. Prepared: it waits for signatures."""

NEEDED: frozenset[ContentUse] = frozenset({"offered", "rollout", "returns", "fetched", "prepared"})


@dataclass(frozen=True)
class UseOfContent:
    """What a payload is to one publication that has it."""

    ref: PatchRef
    use: ContentUse
    superseded_by: PatchRef | None = None
    """What has taken its place; PCs may be offered it all the same."""

    @property
    def needed(self) -> bool:
        """Whether somebody may need it."""
        return self.use in NEEDED


Uses: TypeAlias = dict[str, list[UseOfContent]]
"""What is known of each payload, by its SHA-256. One that is in none is of nothing that is known here."""


def uses_of_content(
    listed: Iterable[Offer],
    *,
    offered: Collection[PatchRef],
    order: PublicationOrder,
    rollouts: Collection[ServedPayload],
    prepared: Iterable[Manifest],
    fetched: Collection[PatchRef] = (),
) -> Uses:
    """Return what payloads are for.

    ``listed`` is all that the repository lists; ``offered``: what any PC may be offered; ``rollouts``: the payloads of
    what has a rollout that is not over, whatever its state; ``prepared``: what waits for signatures; ``fetched``: what
    PCs say they fetch.
    """
    uses: Uses = {}
    in_rollouts, known = {row.ref for row in rollouts}, set()

    def add(sha256: str, use: UseOfContent) -> None:
        uses.setdefault(sha256, []).append(use)

    def use_of(one: Offer) -> ContentUse:
        manifest = one.manifest
        needs: tuple[tuple[bool, ContentUse], ...] = (
            (manifest.ref in offered, "offered"),
            (manifest.ref in in_rollouts, "rollout"),
            (not order.refusal(manifest.patch_id, manifest.number), "returns"),
            (manifest.ref in fetched, "fetched"),
            (one.superseded_by is not None, "superseded"),
        )
        return next((use for is_so, use in needs if is_so), "withdrawn for good")

    for one in listed:
        known.add(one.manifest.ref)
        found = UseOfContent(one.manifest.ref, use_of(one), one.superseded_by)
        for payload in one.manifest.payloads:
            add(payload.sha256, found)
    for row in rollouts:
        if row.ref not in known:  # one of three of its id that waits for a person
            add(row.sha256, UseOfContent(row.ref, "rollout"))
    for waiting in prepared:
        for payload in waiting.payloads:
            add(payload.sha256, UseOfContent(waiting.ref, "prepared"))
    return uses


def idle(uses: Uses) -> dict[str, list[UseOfContent]]:
    """Return what is known of payloads that nobody needs."""
    return {sha256: found for sha256, found in uses.items() if not any(one.needed for one in found)}
