"""What is printed of rollouts and exceptions, made of what `seed_server.fleet` answers."""

from collections.abc import Mapping

from msgspec import structs

from p2pdist.shared.identifiers import PatchRef
from seed_server.answers.offer_documents import way_back_document
from seed_server.answers.rollouts import (
    ExceptionDocument,
    RingPcDocument,
    RingPcsDocument,
    RolloutApprovalDocument,
    RolloutDocument,
    RolloutGateDocument,
    RolloutRingDocument,
    RolloutRowDocument,
    WantedApprovalDocument,
)
from seed_server.fleet.approval_queries import WantedApproval
from seed_server.fleet.ring_gates import RingGate
from seed_server.fleet.ring_pcs import RingPc, RingPcsPage
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.fleet.rollout_queries import RolloutView
from seed_server.fleet.rollout_words import why_sentence
from seed_server.store.rollout_records import ExceptionRow


def rollout_row_document(kept: KeptRollout, titles: Mapping[PatchRef, str]) -> RolloutRowDocument:
    """Return what is printed of a rollout in a list."""
    return RolloutRowDocument(
        number=kept.row.number,
        patch=str(kept.plan.ref),
        template=kept.row.template,
        state=kept.progress.state.value,
        author=kept.row.author,
        started_at=int(kept.row.created_at),
        open_rings=len(kept.progress.opened_at),
        rings=len(kept.plan.rings),
        title=titles.get(kept.plan.ref, ""),
    )


def rollout_document(view: RolloutView) -> RolloutDocument:
    """Return what is printed of a rollout and its rings."""
    kept, opened = view.kept, view.kept.progress.opened_at
    return RolloutDocument(
        number=kept.row.number,
        patch=str(kept.plan.ref),
        template=kept.row.template,
        state=kept.progress.state.value,
        reason=view.why.reason.value,
        why=why_sentence(view.why),
        since=int(view.why.since),
        author=kept.row.author,
        note=kept.row.note,
        started_at=int(kept.row.created_at),
        required_approvals=kept.row.required,
        approvals=tuple(
            RolloutApprovalDocument(who=one.who, rings=one.rings, at=int(one.at), signed=bool(one.signature))
            for one in kept.approvals
        ),
        rings=tuple(
            RolloutRingDocument(
                name=ring.name,
                who=ring.who,
                share_percent=ring.share / 100,
                opened_at=opened[place] if place < len(opened) else None,
                gate=gate_document(RingGate(ring, view.tallies[place]), opened[place]) if place < len(opened) else None,
                **view.tallies[place]._asdict(),
            )
            for place, ring in enumerate(kept.plan.rings)
        ),
        in_no_ring=view.in_no_ring,
        not_known=view.not_known,
        replaced=view.replaced,
        back=way_back_document(view.back),
        serving=view.serving,
        fault="" if view.fault is None else view.fault.words,
        title=view.title,
    )


def gate_document(gate: RingGate, opened_at: int) -> RolloutGateDocument:
    """Return what is printed of how far a ring is that was opened then."""
    ring, tally = gate.ring, gate.tally
    return RolloutGateDocument(
        soaks_until=opened_at + ring.soak_seconds,
        decided=tally.decided,
        least_decided=gate.least_decided,
        installed_share=_rounded(gate.installed_share),
        least_installed_share=gate.installed_bound,
        failed=tally.new_failures,
        failed_share=_rounded(gate.failed_share),
        most_failed_share=gate.failed_bound,
        least_failed=ring.least_failed,
        exact=tally.exact,
    )


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)


def ring_pc_document(one: RingPc) -> RingPcDocument:
    """Return what is printed of a PC of a rollout."""
    pc = one.pc
    return RingPcDocument(
        id=pc.endpoint_id,
        hostname=pc.hostname,
        site=pc.site or None,
        connected=pc.connected,
        last_seen_at=pc.last_seen_at or None,
        ring=one.ring or None,
        outcome=one.outcome.name.lower(),  # type: ignore[arg-type]  # its names are those of the document
        state=pc.state or None,
        install=pc.install or None,
        reasons=tuple(pc.reasons),
        reported_at=pc.reported_at if pc.said else None,
    )


def ring_pcs_document(page: RingPcsPage) -> RingPcsDocument:
    """Return what is printed of a page of a rollout's PCs."""
    return RingPcsDocument(
        rollout=page.kept.row.number,
        patch=str(page.kept.plan.ref),
        serving=page.serving,
        total=page.total,
        rows=tuple(map(ring_pc_document, page.rows)),
        next=page.after or None,
    )


def wanted_approval_document(one: WantedApproval) -> WantedApprovalDocument:
    """Return what is printed of a rollout that lacks approvals."""
    return WantedApprovalDocument(
        rollout=one.kept.row.number,
        patch=str(one.kept.plan.ref),
        title=one.title,
        state=one.kept.progress.state.value,
        ring=one.ring,
        rings=one.rings,
        approvals=one.has,
        required=one.wanted,
        waits=one.waits,
        since=int(one.since),
        by_signature=one.by_signature,
        author=one.kept.row.author,
        approved_by=one.approved_by,
        could=one.could,
        mine=one.is_mine,
        refusal=one.refusal,
    )


def exception_document(row: ExceptionRow) -> ExceptionDocument:
    """Return what is printed of an exception."""
    values = structs.asdict(row)
    return ExceptionDocument(
        who=values.pop("expression"),
        begins_at=int(values.pop("begins_at")),
        ends_at=int(values.pop("ends_at")),
        ended_at=None if row.ended_at is None else int(row.ended_at),
        **{name: values[name] for name in ("number", "patch", "reason", "owner", "made_by")},
    )
