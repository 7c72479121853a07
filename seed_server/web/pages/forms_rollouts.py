"""What the forms of a rollout's page, and of approvals, do: each is one operation, as on the command line."""

from typing import Annotated

from msgspec import Meta

from p2pdist.shared.language import in_words, tr
from p2pdist.shared.manifest.rollout_plan import MAX_RINGS
from seed_server.fleet import rollout_operations, taking_back
from seed_server.fleet.rollout_approving import approve_rollout
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.fleet.rollout_queries import rollout_ref
from seed_server.web.api.given import Body, FromRing, OfNumber, OnlyReason, PerhapsReason
from seed_server.web.frame.page import Done, Sent


class ApprovingForm(Body, frozen=True):
    """How much is approved."""

    rings: Annotated[int, Meta(ge=0, le=MAX_RINGS)] = 0
    """Only the first so many; 0: all."""


def _done(kept: KeptRollout) -> Done:
    number, state = kept.row.number, in_words(kept.progress.state.value)
    return Done(
        f"/rollouts/{number}", tr("Rollout {number} of {ref}: {value}.", number=number, ref=kept.plan.ref, value=state)
    )


def approve(sent: Sent[OfNumber, ApprovingForm]) -> Done:
    """Say that rings may open."""
    kept = approve_rollout(sent.context, sent.actor, sent.given.number, rings=sent.body.rings or None)
    most = len(kept.plan.rings)
    said = tr("You have approved {rings} of its {most} rings.", rings=sent.body.rings or most, most=most)
    return Done(f"/rollouts/{kept.row.number}", f"{_done(kept).said} {said}")


def approve_from_list(sent: Sent[OfNumber, ApprovingForm]) -> Done:
    """Do the same, and go back to the list."""
    return Done("/approvals", approve(sent).said)


def pause(sent: Sent[OfNumber, OnlyReason]) -> Done:
    """Open no further ring."""
    return _done(rollout_operations.pause_rollout(sent.context, sent.actor, sent.given.number, sent.body.reason))


def halt(sent: Sent[OfNumber, OnlyReason]) -> Done:
    """Let no PC begin any more."""
    return _done(rollout_operations.halt_rollout(sent.context, sent.actor, sent.given.number, sent.body.reason))


def abort(sent: Sent[OfNumber, OnlyReason]) -> Done:
    """End it for good."""
    return _done(rollout_operations.abort_rollout(sent.context, sent.actor, sent.given.number, sent.body.reason))


def resume(sent: Sent[OfNumber, PerhapsReason]) -> Done:
    """Go on."""
    return _done(rollout_operations.resume_rollout(sent.context, sent.actor, sent.given.number, sent.body.reason))


def withdraw_from_ring(sent: Sent[OfNumber, FromRing]) -> Done:
    """Close a ring and those after it."""
    body, ref = sent.body, rollout_ref(sent.context, sent.given.number)
    taken = taking_back.withdraw_from_ring(sent.context, sent.actor, str(ref), body.ring, body.reason)
    said = tr("It is withdrawn from these rings: {rings}.", rings=", ".join(taken.rings))
    return Done(f"/rollouts/{taken.rollout}", said)
