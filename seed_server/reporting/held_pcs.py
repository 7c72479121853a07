"""Which PCs exceptions hold back, and what rollouts mean for PCs, as of now. Blocking; nothing here writes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet.context import Context
from seed_server.fleet.pc_memory import lately_known_pcs
from seed_server.fleet.ring_counts import NO_RING, RING_NOT_KNOWN
from seed_server.fleet.rollout import STOPPED_STATES, RolloutState
from seed_server.fleet.rollout_announcing import kept_rollouts
from seed_server.fleet.rollout_counting import KnownPcs, known_pcs
from seed_server.fleet.rollout_documents import KeptRollout, hold_of
from seed_server.reporting.missing_pcs import RingState
from seed_server.store.pc_sets import EMPTY_SET, pcs_of
from seed_server.store.rollout_records import ExceptionRow

if TYPE_CHECKING:
    from seed_server.store.database import Database


@dataclass(frozen=True)
class FleetHolds:
    """What people have decided that holds PCs back: exceptions, and rollouts whose rings are not open."""

    database: "Database"
    exceptions: Sequence[ExceptionRow]
    """Those that hold now, withdrawals from some PCs too."""
    rollouts: Mapping[PatchRef, KeptRollout]
    """The newest of each patch, of those that are not complete."""
    everybody: Callable[[], KnownPcs]
    """Gives all PCs."""
    only: frozenset[int] | None = None
    """The numbers of the PCs that are asked about; None: all."""

    @cached_property
    def pcs(self) -> KnownPcs:
        """The PCs that are asked about, or all as they were lately; read when the first one is asked for."""
        return self.everybody() if self.only is None else known_pcs(self.database, self.only)

    def of(self, numbers: Collection[int]) -> "FleetHolds":
        """Return the same for the PCs with these numbers alone: so nobody reads all of them."""
        return replace(self, only=frozenset(numbers))

    def exceptions_of(self, ref: PatchRef) -> tuple[ExceptionRow, ...]:
        """Return the exceptions that hold PCs back from a patch."""
        return tuple(one for one in self.exceptions if not one.patch or ref.matches(one.patch))

    def held(self, exceptions: Sequence[ExceptionRow]) -> int:
        """Return the set (`pc_sets`) of the PCs that any of these holds back."""
        found = EMPTY_SET
        for one in exceptions:
            rows = self.pcs.rows
            holding = self.pcs.holding(one.expression) if one.expression else b"\1" * len(rows)
            found |= pcs_of(row.number for row, holds in zip(rows, holding, strict=True) if holds)
        return found

    def rings(self, ref: PatchRef) -> Mapping[int, RingState]:
        """Return what the rollout of a patch means for PCs, by their numbers; whom it holds not back is left out."""
        kept = self.rollouts.get(ref)
        if kept is None:
            return {}
        rings, opened = self.pcs.rings_of(kept.plan), len(kept.progress.opened_at)
        stopped = kept.progress.state in STOPPED_STATES
        found = {}
        for row, ring in zip(self.pcs.rows, rings, strict=True):
            if ring == RING_NOT_KNOWN:
                continue
            if ring == NO_RING:
                found[row.number] = RingState.NO_RING
            elif stopped:
                found[row.number] = RingState.HALTED
            elif ring >= opened:
                found[row.number] = RingState.CLOSED
        return found


def fleet_holds(context: Context, database: "Database", now: float) -> FleetHolds:
    """Return what holds PCs back now."""
    exceptions = [one for one in database.exceptions() if one.holds(now) and hold_of(one) is not None]
    newest = {kept.plan.ref: kept for kept in kept_rollouts(database)}  # the oldest come first
    going_on = {ref: kept for ref, kept in newest.items() if kept.progress.state is not RolloutState.COMPLETE}
    return FleetHolds(database, exceptions, going_on, partial(lately_known_pcs, context, database))
