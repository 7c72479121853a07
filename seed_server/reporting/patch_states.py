"""How the PCs stand to one patch: in counts, each with how old the word is, and the reasons that most of them give.

Sums over tallies, whatever the fleet's size. Blocking; nothing here writes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seed_server.fleet.context import Context
from seed_server.fleet.coverage import settled, shown
from seed_server.fleet.overview import FleetHead, PatchProgress, patches_named, progress_of
from seed_server.fleet.way_back import GoneBack, known_ways_back
from seed_server.reporting.judged_patches import report_head
from seed_server.store.count_rows import PatchHead, ReasonCount

if TYPE_CHECKING:
    from seed_server.store.database import Database

MOST_STATE_REASONS = 12


@dataclass(frozen=True)
class PatchState:
    """The PCs that say the same of a patch."""

    state: str
    """As `coverage.shown`: what has become of the patch there."""
    tone: str
    """good, bad or open: whether it is done, has failed, or is on its way; empty: it is not for them."""
    pcs: int
    first_at: float
    """When the one of them spoke that has said nothing new for longest, seconds since 1970."""
    last_at: float
    """When the last of them spoke."""


@dataclass(frozen=True)
class PatchStates:
    """One look at how PCs stand to a patch."""

    head: FleetHead
    patch: PatchHead
    progress: PatchProgress
    states: Sequence[PatchState]
    """What most PCs say first."""
    reasons: Sequence[ReasonCount]
    """Failures first."""
    more_reasons: bool
    """Whether others give other reasons."""
    sent_bytes: int
    """Over all lines."""
    back: GoneBack | None
    """How far PCs are that go back from it; None: none does."""


def read_patch_states(context: Context, asked: str) -> PatchStates:
    """Return how PCs stand to a patch (ID, or ID@VERSION). Raises `UserError`; BAD_INPUT for one that is not known."""
    context.settings()
    with context.database() as database, database.one_state():
        head = report_head(context, database)
        patch = patches_named(head, asked)[0]
        (progress,) = progress_of(database, head, [patch], context.clock.now())
        reasons = database.reason_counts([patch.number], most=MOST_STATE_REASONS + 1)
        sent = sum(database.wan_bytes_of(database.payload_lengths(patch.number)).values())
        states = states_of_patch(database, patch)
    back = known_ways_back(context, [patch.ref]).get(patch.ref)
    return PatchStates(
        head, patch, progress, states, reasons[:MOST_STATE_REASONS], len(reasons) > MOST_STATE_REASONS, sent, back
    )  # fmt: skip


def states_of_patch(database: "Database", patch: PatchHead) -> list[PatchState]:
    """Return what PCs say of a patch, what most of them say first."""
    counts = database.fleet_counts([patch.number], ()).states.get(patch.number, {})
    between = database.said_between(patch.number)
    found: dict[tuple[str, str], PatchState] = {}
    for said, pcs in counts.items():
        if not pcs or said not in between:
            continue
        key, (first, last) = (shown(*said), _tone(*said)), between[said]
        known = found.get(key, PatchState(*key, 0, first, last))
        found[key] = PatchState(*key, known.pcs + pcs, min(known.first_at, first), max(known.last_at, last))
    return sorted(found.values(), key=lambda one: (-one.pcs, one.state))


def _tone(state: str, install: str) -> str:
    reached = settled(state, install)
    if reached is None:
        return "open"
    return {"INSTALLED": "good", "DELIVERED": "good", "FAILED": "bad"}.get(reached.name, "")
