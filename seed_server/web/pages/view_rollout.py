"""The page of one rollout: its rings, why it waits, who approves it, and what was done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from p2pdist.shared.language import in_words, tr
from seed_server.fleet import rollout_queries
from seed_server.fleet.actor import Actor
from seed_server.fleet.approval_queries import read_wanted_approval
from seed_server.fleet.context import Context
from seed_server.fleet.harm_share import MOST_PAUSED_SHARE
from seed_server.fleet.ring_counts import RingTally
from seed_server.fleet.ring_gates import RingGate
from seed_server.fleet.rollout import OVER, TRANSITIONS, RolloutState, RolloutStep
from seed_server.fleet.rollout_documents import KeptRollout
from seed_server.fleet.rollout_log import RolloutLog, read_rollout_log
from seed_server.fleet.rollout_queries import RolloutView
from seed_server.reporting.rollout_sentences import way_back_words, why_shown
from seed_server.web.api.given import OfNumber
from seed_server.web.frame.page import Asked, Shown
from seed_server.web.pages.offer_words import STATE_TONES, patch_path
from seed_server.web.pages.view_patch import from_path
from seed_server.web.pages.view_rollouts import approval_line


@dataclass(frozen=True)
class RingLine:
    """A ring, and how its PCs stand."""

    name: str
    who: str
    share: float
    opened_at: int | None
    tally: RingTally
    current: bool
    """Whether it is the one that opened last."""
    approval: bool
    soak_seconds: float

    @property
    def done(self) -> int:
        """PCs that have it."""
        return self.tally.installed

    @property
    def applicable(self) -> int:
        """PCs that it may be for."""
        return self.tally.size - self.tally.not_applicable

    @property
    def failed(self) -> int:
        """PCs on which it failed or was rolled back."""
        return self.tally.failed + self.tally.rolled_back


def view_rollout(asked: Asked[OfNumber]) -> Shown:
    """Return the page of a rollout."""
    context, number = asked.context, asked.given.number
    view = from_path(lambda: rollout_queries.read_rollout(context, number))
    kept = view.kept
    state, ref = kept.progress.state, kept.plan.ref
    open_names = [ring.name for ring in kept.plan.rings[: len(kept.progress.opened_at)]]
    wanted = read_wanted_approval(context, kept, actor=asked.actor)
    values: dict[str, Any] = {
        "number": number,
        "ref": str(ref),
        "path": patch_path(ref),
        "name": view.title,
        "tone": STATE_TONES[state],
        "state": in_words(state.value),
        "why": why_shown(view.why, view.fault),
        "since": view.why.since,
        "until": view.why.until,
        "over": state in OVER,
        "serving": view.serving,
        "fault": view.fault,
        "template": kept.row.template,
        "author": kept.row.author,
        "note": kept.row.note,
        "started_at": kept.row.created_at,
        "rings": _rings(view),
        "gate": None if state in OVER else _gate(view, asked.now),
        "harm": view.harm,
        "harm_most": MOST_PAUSED_SHARE,
        "in_no_ring": view.in_no_ring,
        "not_known": view.not_known,
        "replaced": view.replaced,
        "back": way_back_words(view.back),
        "approvals": [(one.who, one.rings, one.at, bool(one.signature)) for one in kept.approvals],
        "required": kept.row.required,
        "wanted": None if wanted is None else approval_line(wanted),
        "can": _can(state),
        "open_names": open_names,
        "ring_names": [(name, name) for name in open_names],
        "ring_options": _ring_options(kept),
        "log": _log(context, asked.actor, kept),
        "steps": _steps(kept, view),
    }
    return Shown(tr("Rollout {number} of {ref}", number=number, ref=ref), values)


def _rings(view: RolloutView) -> list[RingLine]:
    opened = view.kept.progress.opened_at
    return [
        RingLine(
            name=ring.name,
            who=ring.who,
            share=ring.share / 10_000,
            opened_at=opened[place] if place < len(opened) else None,
            tally=tally,
            current=place == len(opened) - 1 and view.kept.progress.state not in OVER,
            approval=ring.approval,
            soak_seconds=float(ring.soak_seconds),
        )
        for place, (ring, tally) in enumerate(zip(view.kept.plan.rings, view.tallies, strict=True))
    ]


def _gate(view: RolloutView, now: float) -> Mapping[str, Any] | None:
    """Return what must be so before the next ring opens, and how far it is; None: no ring is open."""
    plan, opened = view.kept.plan, view.kept.progress.opened_at
    if not opened:
        return None
    place = len(opened) - 1
    ring = plan.rings[place]
    soaks_until = float(opened[place] + ring.soak_seconds)
    return {
        "gate": RingGate(ring, view.tallies[place]),
        "ring": ring.name,
        "soaks_until": soaks_until,
        "soak_left": max(0.0, soaks_until - now),
        "soak_done": min(1.0, (now - opened[place]) / ring.soak_seconds) if ring.soak_seconds else 1.0,
        "next_ring": plan.rings[place + 1].name if place + 1 < len(plan.rings) else "",
        "next_approval": plan.rings[place + 1].approval if place + 1 < len(plan.rings) else False,
    }


def _ring_options(kept: KeptRollout) -> list[tuple[int, str]]:
    """Return how many of the first rings may be approved; 0: all."""
    names = [ring.name for ring in kept.plan.rings]
    return [
        (0, tr("all rings")),
        *((most, tr("up to ring {ring}", ring=name)) for most, name in enumerate(names[:-1], 1)),
    ]


def _can(state: RolloutState) -> Mapping[str, bool]:
    """Return which steps the rollout's table has from here."""
    steps = {
        "pause": RolloutStep.PAUSED, "halt": RolloutStep.HALTED, "abort": RolloutStep.ABORTED,
        "resume": RolloutStep.RESUMED,
    }  # fmt: skip
    return {name: (state, step) in TRANSITIONS.steps for name, step in steps.items()}


def _log(context: Context, actor: Actor, kept: KeptRollout) -> RolloutLog | None:
    """Return what the audit log says of it; None: the reader may not read that."""
    return read_rollout_log(context, kept) if "audit" in actor.rights.permissions else None


def _steps(kept: KeptRollout, view: RolloutView) -> Sequence[tuple[float, str, str]]:
    """Return what became of it: when, what, and by whom; the newest first."""
    plan, found = kept.plan, [(kept.row.created_at, tr("It was started."), kept.row.author)]
    for ring, at in zip(plan.rings, kept.progress.opened_at, strict=False):
        found.append((float(at), tr("Ring {ring} opened.", ring=ring.name), ""))
    for one in kept.approvals:
        most = len(plan.rings)
        found.append((one.at, tr("{rings} of its {most} rings were approved.", rings=one.rings, most=most), one.who))
    found.append((view.why.since, why_shown(view.why, None), ""))
    return sorted(found, key=lambda one: -one[0])
